"""How a chart of the report is drawn: one style, and SVG that fits into the page around it.

Colours are stand-ins which become CSS variables (``--ink``, ``--accent``…), text stays text, so one
drawing follows the page's typeface, light and dark. The same figures give the same bytes.
"""

import io
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from matplotlib.transforms import Bbox

from deploy.errors import printable
from pipeline import pareto

WIDTH = 420
"""Points; two such charts fit side by side on a screen, and one is readable on a phone."""

SMALL = 10.5
DASHED = (0, (4, 3))

_VARIABLES = (
    *("ink", "muted", "rule", "wash", "ghost", "paper", "accent", "baseline"),
    *("hue-1", "hue-2", "hue-3", "hue-4", "hue-5", "hue-6", "hue-7"),
)
_STAND_IN = {name: f"#01f0{number:02x}" for number, name in enumerate(_VARIABLES)}
INK, MUTED, RULE, WASH, GHOST, PAPER, ACCENT, BASELINE_COLOUR, *HUES = _STAND_IN.values()

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pocketgan",
    "text.parse_math": False,
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 11,
    "axes.edgecolor": RULE,
    "axes.linewidth": 1,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    **dict.fromkeys(("xtick.color", "ytick.color"), RULE),
    **dict.fromkeys(("xtick.labelcolor", "ytick.labelcolor"), MUTED),
    **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), SMALL),
    **{f"{axis}tick.{ticks}.size": 0 for axis in "xy" for ticks in ("major", "minor")},
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.labelcolor": MUTED,
    "legend.handlelength": 1.4,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.2,
    "patch.linewidth": 0,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
}


class Plot(NamedTuple):
    """A chart of a page and what stands above it."""

    title: str
    svg: Markup
    remark: str = ""


def plots(charts: Iterable[tuple[str, str | None]]) -> list[Plot]:
    """Those of title and drawing where there was something to draw."""
    return [Plot(title, Markup(chart)) for title, chart in charts if chart]


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """A figure of so many points; draw in it while the style is in force."""
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # The browser draws the text with its own fonts; matplotlib only measures it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield Figure(figsize=(width / 72, height / 72), dpi=72, layout="constrained")


def short(name: str, most: int = 24) -> str:
    """Layer names differ at their ends, so the end is what stays."""
    return name if len(name) <= most else "…" + name[-(most - 1) :]


def height_of_rows(count: int) -> float:
    return 66 + 25 * count


def name_rows(axes: Axes, names: Sequence[str], most: int = 24) -> None:
    """One row a name, the first on top."""
    axes.set_yticks(range(len(names)), [short(name, most) for name in names])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set(visible=False)


def legend_above(axes: Axes, columns: int = 3) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns)


def note(
    axes: Axes,
    text: str,
    xy: tuple[float, float],
    *,
    offset: tuple[float, float] = (5, 0),
    **alignment: Any,
) -> None:
    """Small words beside a point of the drawing, ``offset`` points away."""
    style: dict[str, Any] = {
        "textcoords": "offset points",
        "color": MUTED,
        "fontsize": SMALL,
        "va": "center",
    }
    axes.annotate(text, xy=xy, xytext=offset, **(style | alignment))


def scale(axes: Axes, which: str, values: Sequence[float]) -> None:
    """From zero, or logarithmic where the values span more than five times."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = min(values), max(values)
    if low > 0 and high / low > 5:
        axes.set(**{f"{which}scale": "log", f"{which}lim": (low / 1.5, high * 1.5)})
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axis.set_minor_formatter(NullFormatter())
    else:
        axes.set(**{f"{which}lim": (0, high * 1.2 or 1)})
        axis.set_major_locator(MaxNLocator(5))
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def settle(figure: Figure) -> None:
    """Lay the figure out now and for good: saving need not do it again."""
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")


def _parsable(text: str) -> str:
    """XML has no control characters, not even as references; names of files may hold them."""
    return re.sub(r"[\0-\x08\x0b\x0c\x0e-\x1f]", lambda match: printable(match[0]), text)


def svg(figure: Figure, title: str, description: str) -> str:
    """The drawing for the inside of a page, with ids of its own, a title and a description."""
    settle(figure)
    content = io.BytesIO()
    figure.savefig(content, format="svg", transparent=True, metadata={"Date": None})
    root = ElementTree.fromstring(_parsable(content.getvalue().decode()))
    for child in list(root):
        # The metadata (addresses) and the style sheet (it would reach the whole page).
        if _local_name(child.tag) == "metadata" or child.find("{*}style") is not None:
            root.remove(child)
    key = "".join(c if c.isascii() and c.isalnum() else "-" for c in title.lower())
    for element in root.iter():
        element.tag = _local_name(element.tag)
        element.attrib = {
            _local_name(name): _themed(value, key) for name, value in element.attrib.items()
        }
        if "id" in element.attrib:
            element.attrib["id"] = f"{key}-{element.attrib['id']}"
    root.attrib = {
        "class": "chart",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-labelledby": f"{key}-title {key}-desc",
    }
    for index, (tag, text) in enumerate((("title", title), ("desc", description))):
        child = ElementTree.Element(tag, {"id": f"{key}-{tag}"})
        child.text = _parsable(text)
        root.insert(index, child)
    return ElementTree.tostring(root, encoding="unicode")


def _local_name(name: str) -> str:
    return name.rpartition("}")[2]


def _themed(value: str, key: str) -> str:
    for name, colour in _STAND_IN.items():
        value = value.replace(colour, f"var(--{name})")
    if value.startswith("#"):
        return f"#{key}-{value[1:]}"
    return value.replace("url(#", f"url(#{key}-")


class Point(NamedTuple):
    name: str
    x: float
    y: float


def front(points: Sequence[Point]) -> list[Point]:
    """The points, by rising x, that no other beats at both; less is better on both axes."""
    return pareto.front(points, lambda point: (point.x, point.y))


def border(unbeaten: Sequence[Point]) -> tuple[list[float], list[float]]:
    """The border of what the unbeaten points rule out: right, then down to the next."""
    xs, ys = [point.x for point in unbeaten[:1]], [point.y for point in unbeaten[:1]]
    for point in unbeaten[1:]:
        xs += [point.x, point.x]
        ys += [ys[-1], point.y]
    return xs, ys


_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_ACROSS = {1: "left", 0: "center", -1: "right"}
_UPRIGHT = {1: "bottom", 0: "center", -1: "top"}
_NEAR = 8


def write_names(
    axes: Axes,
    points: Sequence[Point],
    *,
    unbeaten: Sequence[Point],
    named: Sequence[Point] | None = None,
) -> None:
    """Write each name at the nearest spot where it hides no point, no line and no other name.

    Of all points, or of those in ``named``; ``unbeaten`` are those whose ``border`` is drawn.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    settle(figure)
    room = axes.get_window_extent(renderer)
    positions = axes.transData.transform([(point.x, point.y) for point in points])
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in positions]
    line = axes.transData.transform_path(Path(np.column_stack(border(unbeaten))))
    for point in sorted(points if named is None else named, key=lambda p: (p.y, p.x)):
        name = axes.annotate(
            short(point.name),
            xy=(point.x, point.y),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize=SMALL,
        )
        for distance, (dx, dy) in product((_NEAR, 18, 30, 44, 60, 80), _DIRECTIONS):
            name.set(position=(dx * distance, dy * distance), ha=_ACROSS[dx], va=_UPRIGHT[dy])
            box = name.get_window_extent(renderer)
            hides = line.intersects_bbox(box, filled=False) or any(map(box.overlaps, taken))
            if _contains(room, box) and not hides:
                break
        taken.append(box)
        if distance > _NEAR:
            axes.annotate(
                "",
                xy=(point.x, point.y),
                xytext=(dx * distance, dy * distance),
                textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.7, "shrinkA": 0},
            )


def _contains(room: Bbox, box: Bbox) -> bool:
    return bool(room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1)
