"""The suite's charts: cost against pixels, width and multiply-accumulates; int8 and float32."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from statistics import geometric_mean

from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator

from pipeline.report.drawing import (
    DASHED,
    HUES,
    MUTED,
    PAPER,
    drawing,
    height_of_rows,
    legend_above,
    name_rows,
    scale,
    svg,
)
from pipeline.report.quantities import significant
from tools.experiments.suite.findings import View, spoken
from tools.experiments.suite.generators import FAMILIES
from tools.experiments.suite.measure import FLOAT, INT8, Result

COLOURS = dict(zip(FAMILIES, HUES, strict=False))
CROWDED = 1000
"""Over such a range only powers of ten find room along an axis."""
STYLES = {INT8: "-", FLOAT: DASHED}


def against_pixels(view: View) -> tuple[str, str] | None:
    """Title and drawing, at the width that most results have; None where there is one size."""
    width = _commonest(result.width for result in view.results)
    results = [result for result in view.results if result.width == width]
    title = f"Against pixels a side, width {width}"
    return _lines(
        view, results, axis=lambda result: result.pixels, title=title, label="pixels a side"
    )


def against_width(view: View) -> tuple[str, str] | None:
    """Title and drawing, at the pixels that most results have; None where there is one width."""
    pixels = _commonest(result.pixels for result in view.results if result.pixels >= 64) or 28
    results = [result for result in view.results if result.pixels == pixels]
    title = f"Against width, {pixels} pixels a side"
    return _lines(view, results, axis=lambda result: result.width, title=title, label="width")


def _commonest(sizes: Iterable[int]) -> int:
    """The middle one of those that occur most often; 0 for none."""
    counted = Counter(sizes)
    most = max(counted.values(), default=0)
    often = sorted(size for size, number in counted.items() if number == most)
    return often[len(often) // 2] if often else 0


def _lines(
    view: View,
    results: Sequence[Result],
    *,
    axis: Callable[[Result], int],
    title: str,
    label: str,
) -> tuple[str, str] | None:
    """One line a family and variant over ``axis``, both axes logarithmic."""
    sizes = sorted({axis(result) for result in results})
    if len(sizes) < 2:
        return None
    with drawing(330) as figure:
        axes = figure.subplots()
        costs: list[float] = []
        described = []
        for family in view.families():
            for variant, style in STYLES.items():
                points = _points(view, results, family=family, variant=variant, axis=axis)
                if points:
                    _draw(axes, points, family=family, variant=variant, style=style)
                    costs += [cost for _, cost in points]
                    described.append(f"{spoken(family)} {variant}: {_said(points)}")
        scale(axes, "y", costs)
        _finish(axes, view)
        axes.set(xscale="log", xlabel=label)
        axes.set_xticks(sizes, [str(size) for size in sizes])
        axes.xaxis.set_minor_locator(NullLocator())
        return title, svg(figure, f"{view.target}: {title}", f"{'; '.join(described)}.")


def against_macs(view: View) -> tuple[str, str] | None:
    """Every member a point: were MACs all that counts, all would lie along the dashed line."""
    results = [r for r in view.results if r.macs]
    if len({result.macs for result in results}) < 2:
        return None
    with drawing(330) as figure:
        axes = figure.subplots()
        costs: list[float] = []
        described = []
        for family in view.families():
            points = _points(
                view, results, family=family, variant=INT8, axis=lambda result: result.macs
            )
            if points:
                xs, ys = zip(*points, strict=True)
                axes.plot(
                    [x / 1e6 for x in xs],
                    ys,
                    "o",
                    color=COLOURS[family],
                    mec=PAPER,
                    ms=7,
                    label=spoken(family),
                )
                costs += ys
                described.append(f"{spoken(family)}: {_said([(x / 1e6, y) for x, y in points])}")
        macs = [result.macs / 1e6 for result in results]
        scale(axes, "x", macs)
        if max(macs) / min(macs) > CROWDED:
            axes.xaxis.set_major_locator(LogLocator())
        scale(axes, "y", costs)
        _guide(axes, macs, costs)
        _finish(axes, view)
        axes.set_xlabel("million multiply-accumulates")
        title = "Against multiply-accumulates, int8"
        return title, svg(figure, f"{view.target}: {title}", f"{'; '.join(described)}.")


def _guide(axes: Axes, macs: Sequence[float], costs: Sequence[float]) -> None:
    """Cost in proportion to MACs, through the middle; what lies outside the axes is cut off."""
    each = _middle(costs) / _middle(macs)
    xs, ys = [min(macs), max(macs)], axes.get_ylim()
    axes.plot(
        xs,
        [each * x for x in xs],
        color=MUTED,
        linewidth=1,
        linestyle=DASHED,
        label="in proportion",
    )
    axes.set_ylim(ys)


def gains(view: View) -> tuple[str, str] | None:
    """What int8 costs of float32: a row a family, a dot a member, their geometric mean a line."""
    ratios = {
        family: values
        for family in view.families()
        if (values := [ratio for r in view.of(family) if (ratio := view.ratio(r)) is not None])
    }
    if not ratios:
        return None
    with drawing(height_of_rows(len(ratios)) + 60) as figure:
        axes = figure.subplots()
        for row, (family, values) in enumerate(ratios.items()):
            colour = COLOURS[family]
            axes.plot(values, [row] * len(values), "o", color=colour, mec=PAPER, ms=7)
            axes.plot([geometric_mean(values)] * 2, [row - 0.35, row + 0.35], color=colour)
        axes.axvline(1, color=MUTED, linewidth=1, linestyle=DASHED)
        scale(axes, "x", [*(ratio for values in ratios.values() for ratio in values), 1])
        name_rows(axes, [spoken(family) for family in ratios])
        axes.set_xlabel(f"{view.headline.title} of int8 over that of float32")
        title = "int8 against float32"
        described = "; ".join(
            f"{spoken(family)}: {', '.join(map(significant, sorted(values)))}"
            for family, values in ratios.items()
        )
        return title, svg(figure, f"{view.target}: {title}", f"{described}.")


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _points(
    view: View,
    results: Sequence[Result],
    *,
    family: str,
    variant: str,
    axis: Callable[[Result], int],
) -> list[tuple[int, float]]:
    return sorted(
        (axis(r), cost)
        for r in results
        if r.family == family and (cost := view.cost(r, variant)) is not None
    )


def _draw(
    axes: Axes, points: Sequence[tuple[int, float]], *, family: str, variant: str, style: object
) -> None:
    xs, ys = zip(*points, strict=True)
    label = spoken(family) if variant == INT8 else None
    marker = "o" if variant == INT8 else None
    axes.plot(
        xs, ys, color=COLOURS[family], linestyle=style, marker=marker, mec=PAPER, ms=6, label=label
    )


def _finish(axes: Axes, view: View) -> None:
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel(f"{view.headline.title}, {view.headline.unit}")
    legend_above(axes)


def _said(points: Sequence[tuple[float, float]]) -> str:
    return ", ".join(f"{significant(y)} at {significant(x)}" for x, y in points)
