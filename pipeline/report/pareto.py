"""Points against two costs: the border of those that no other beats, and where names fit."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.path import Path
from matplotlib.transforms import Bbox

from pipeline import pareto
from pipeline.report.drawing import MUTED, SMALL, settle, short


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
