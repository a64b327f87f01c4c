"""Quality against cost: every variant a point, and the line of those that no other beats."""

from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from pipeline.report.drawing import (
    ACCENT,
    BASELINE_COLOUR,
    DASHED,
    INK,
    MUTED,
    PAPER,
    SMALL,
    drawing,
    scale,
    settle,
    short,
    svg,
)
from pipeline.report.quantities import BY_NAME, significant
from pipeline.report.run.schema import Report
from pipeline.report.run.wording import wording_of
from pipeline.variants import BASELINE, SHIPPED


class Cost(NamedTuple):
    quantity: str
    title: str
    per_unit: float
    """How many of what is stored make one of the unit that is shown."""


SIZE = Cost("bytes_gzip", "gzipped size", 1000)
LATENCY = Cost("p50_ms", "median latency, one thread", 1)


class Point(NamedTuple):
    name: str
    x: float
    y: float


def front(points: Sequence[Point]) -> list[Point]:
    """The points, by rising x, that no other beats at both; less is better on both axes."""
    unbeaten: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, p.y)):
        if not unbeaten or point.y < unbeaten[-1].y:
            unbeaten.append(point)
    return unbeaten


def quality_against(cost: Cost, report: Report) -> str | None:
    """Fréchet distance against a cost; None where no variant has both."""
    quantity, frechet = BY_NAME[cost.quantity], BY_NAME["frechet"]
    points = [
        Point(variant.name, x / cost.per_unit, y)
        for variant in report.variants
        if (x := quantity.read(variant).value) is not None
        and (y := frechet.read(variant).value) is not None
    ]
    if not points:
        return None
    with drawing(300) as figure:
        axes = figure.subplots()
        scale(axes, "x", [point.x for point in points])
        scale(axes, "y", [point.y for point in points])
        axes.plot(*border(front(points)), color=ACCENT, linewidth=1.2)
        if report.floor.frechet is not None:
            _draw_floor(axes, report.floor.frechet, wording_of(report).floor)
        for point in points:
            axes.plot(point.x, point.y, "o", **_marker(point.name))
        axes.set_xlabel(f"{cost.title}, {quantity.unit}")
        axes.set_ylabel("Fréchet distance")
        write_names(figure, axes, points, front(points))
        told = "; ".join(
            f"{p.name}: {significant(p.x)} {quantity.unit}, {frechet.write(p.y)}" for p in points
        )
        return svg(figure, f"Quality against {cost.title}", f"{told}.")


def border(unbeaten: Sequence[Point]) -> tuple[list[float], list[float]]:
    """The border of what the unbeaten points rule out: right, then down to the next."""
    xs, ys = [point.x for point in unbeaten[:1]], [point.y for point in unbeaten[:1]]
    for point in unbeaten[1:]:
        xs += [point.x, point.x]
        ys += [ys[-1], point.y]
    return xs, ys


def _draw_floor(axes: Axes, floor: float, words: str) -> None:
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log" and floor > 0:
        axes.set_ylim(min(low, floor / 1.5), high)
    axes.axhline(floor, color=MUTED, linewidth=1, linestyle=DASHED)
    axes.annotate(
        f"{words} {significant(floor)}",
        xy=(1, floor),
        xycoords=("axes fraction", "data"),
        xytext=(0, 4),
        textcoords="offset points",
        ha="right",
        va="bottom",
        fontsize=SMALL,
        color=MUTED,
    )


def _marker(name: str) -> dict[str, Any]:
    if name == SHIPPED:
        return {"ms": 9, "mfc": ACCENT, "mec": PAPER}
    if name == BASELINE:
        return {"ms": 8, "mfc": BASELINE_COLOUR, "mec": PAPER}
    return {"ms": 7, "mfc": PAPER, "mec": INK, "mew": 1.2}


_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
_ACROSS = {1: "left", 0: "center", -1: "right"}
_UPRIGHT = {1: "bottom", 0: "center", -1: "top"}
_NEAR = 8


def write_names(
    figure: Figure,
    axes: Axes,
    points: Sequence[Point],
    unbeaten: Sequence[Point],
    named: Sequence[Point] | None = None,
) -> None:
    """Write each name at the nearest place where it hides no point, no line and no other name.

    Of all points, or of those in ``named``; ``unbeaten`` are those whose ``border`` is drawn.
    """
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    settle(figure)
    room = axes.get_window_extent(renderer)
    places = axes.transData.transform([(point.x, point.y) for point in points])
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in places]
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
            _draw_leader(axes, point, (dx * distance, dy * distance))


def _contains(room: Bbox, box: Bbox) -> bool:
    return bool(room.x0 <= box.x0 and box.x1 <= room.x1 and room.y0 <= box.y0 and box.y1 <= room.y1)


def _draw_leader(axes: Axes, point: Point, offset: tuple[int, int]) -> None:
    axes.annotate(
        "",
        xy=(point.x, point.y),
        xytext=offset,
        textcoords="offset points",
        arrowprops={"arrowstyle": "-", "color": MUTED, "lw": 0.7, "shrinkA": 0},
    )
