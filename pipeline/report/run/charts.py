"""The report's charts: training, quality against cost, zeros and bytes, classes, latency, students.

Each returns an SVG element, or None where the report holds nothing to draw.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, PercentFormatter, StrMethodFormatter

from deploy.jobs import Measurement
from pipeline.report.drawing import (
    ACCENT,
    BASELINE_COLOUR,
    DASHED,
    GHOST,
    HUES,
    INK,
    MUTED,
    PAPER,
    WASH,
    Point,
    border,
    drawing,
    front,
    height_of_rows,
    legend_above,
    name_rows,
    note,
    scale,
    short,
    svg,
    write_names,
)
from pipeline.report.quantities import Quantity, significant
from pipeline.report.run.columns import BY_NAME, local_measurement
from pipeline.report.run.schema import Report, SearchReport, StudentReport, VariantReport
from pipeline.report.run.wording import wording_of
from pipeline.variants import BASELINE, SHIPPED

History = Mapping[str, Sequence[float]]
"""Columns of a training's history by name; one of them is ``step``. NaN: not logged there."""

_OTHER_LAYERS = "other layers"
_REST = "rest of the file"

MOST_CLASSES = 200
"""A bar for each of more would be thinner than a point; ``modes`` says how many were drawn."""


def training_curves(title: str, history: History) -> str | None:
    """Losses over the steps of one training; below, the samples' diversity over real ones'."""
    panels = [
        (word, names)
        for word in ("loss", "diversity")
        if (names := [n for n in history if n.endswith(word) and _finite(history[n])])
    ]
    if not panels or "step" not in history:
        return None
    with drawing(60 + 120 * len(panels)) as figure:
        stacked = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (word, names) in zip(stacked, panels, strict=True):
            for name, hue in zip(names, HUES, strict=False):
                label = name.removesuffix(word).replace("_", " ").strip() or "samples"
                axes.plot(*_thinned(history["step"], history[name]), color=hue, label=label)
            if word == "diversity":
                axes.axhline(1, color=MUTED, linewidth=1, linestyle=DASHED, label="real images")
            axes.set_ylabel(word)
            axes.margins(x=0.01)
            axes.yaxis.set_major_locator(MaxNLocator(4))
            legend_above(axes)
        stacked[-1].set_xlabel("step")
        stacked[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        described = "; ".join(
            f"{name.replace('_', ' ')} ends at {significant(_finite(history[name])[-1])}"
            for _, names in panels
            for name in names
        )
        return svg(figure, f"Training curves: {title}", f"Over the steps: {described}.")


def _finite(values: Sequence[float]) -> list[float]:
    return [float(value) for value in values if math.isfinite(value)]


def _thinned(
    steps: Sequence[float], values: Sequence[float], most: int = 240
) -> tuple[list[float], list[float]]:
    """Means over runs of neighbours, so that a long training stays a small drawing."""
    logged = [pair for pair in zip(steps, values, strict=True) if math.isfinite(pair[1])]
    runs = np.array_split(np.array(logged, dtype=float), min(most, len(logged)))
    means = np.array([run.mean(axis=0) for run in runs])
    return means[:, 0].tolist(), means[:, 1].tolist()


def quality_against(name: str, report: Report) -> str | None:
    """Fréchet distance of every variant against a cost, and the line of those that none beats."""
    cost, frechet = BY_NAME[name], BY_NAME["frechet"]
    points = [
        Point(variant.name, x / cost.per_unit, y)
        for variant in report.variants
        if (x := cost.read(variant).value) is not None
        and (y := frechet.read(variant).value) is not None
    ]
    if not points:
        return None
    with drawing(300) as figure:
        axes = figure.subplots()
        scale(axes, "x", [point.x for point in points])
        highest = max(point.y for point in points)
        # A floor above all files, as of few pictures, must lie within the axes too.
        scale(axes, "y", [*(point.y for point in points), max(highest, report.floor.frechet or 0)])
        axes.plot(*border(front(points)), color=ACCENT, linewidth=1.2)
        if report.floor.frechet is not None:
            _draw_floor(axes, report.floor.frechet, wording_of(report).floor)
        for point in points:
            axes.plot(point.x, point.y, "o", **_marker(point.name))
        axes.set_xlabel(f"{cost.phrase}, {cost.unit}")
        axes.set_ylabel("Fréchet distance")
        write_names(axes, points, unbeaten=front(points))
        described = "; ".join(
            f"{p.name}: {significant(p.x)} {cost.unit}, {frechet.write(p.y)}" for p in points
        )
        return svg(figure, f"Quality against {cost.phrase}", f"{described}.")


def _draw_floor(axes: Axes, floor: float, words: str) -> None:
    low, high = axes.get_ylim()
    if axes.get_yscale() == "log" and floor > 0:
        axes.set_ylim(min(low, floor / 1.5), high)
    axes.axhline(floor, color=MUTED, linewidth=1, linestyle=DASHED)
    at_the_end = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "bottom"}
    note(axes, f"{words} {significant(floor)}", (1, floor), offset=(0, 4), **at_the_end)


def _marker(name: str) -> dict[str, Any]:
    if name == SHIPPED:
        return {"ms": 9, "mfc": ACCENT, "mec": PAPER}
    if name == BASELINE:
        return {"ms": 8, "mfc": BASELINE_COLOUR, "mec": PAPER}
    return {"ms": 7, "mfc": PAPER, "mec": INK, "mew": 1.2}


def zeros_by_layer(variant: VariantReport) -> str | None:
    """Share of zeros in each kernel of one file; the dashed line is their share of all weights."""
    kernels = variant.kernels
    if not kernels:
        return None
    with drawing(height_of_rows(len(kernels))) as figure:
        axes = figure.subplots()
        rows = range(len(kernels))
        axes.barh(rows, [1] * len(rows), color=WASH, height=0.62)
        axes.barh(rows, [kernel.zeros for kernel in kernels], color=ACCENT, height=0.62)
        for row, kernel in enumerate(kernels):
            note(axes, f"{kernel.zeros:.0%} of {kernel.size:,}", (1, row))
        axes.axvline(variant.zeros, color=INK, linewidth=1, linestyle=DASHED)
        name_rows(axes, [kernel.layer for kernel in kernels])
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        described = "; ".join(f"{k.layer}: {k.zeros:.1%} of {k.size:,}" for k in kernels)
        return svg(figure, f"Zeros a layer in {variant.name}", f"{described}.")


def bytes_by_layer(report: Report) -> str | None:
    """Where the bytes of each file go: its biggest layers, the other layers, the rest of it."""
    totals: Counter[str] = Counter()
    for variant in report.variants:
        totals.update(variant.bytes_by_layer)
    largest = dict(totals.most_common(len(HUES) - 1))
    biggest = [layer for layer in totals if layer in largest]
    segments = {**dict(zip(biggest, HUES, strict=False)), _OTHER_LAYERS: MUTED, _REST: GHOST}
    legend_rows = math.ceil(len(segments) / 3)
    with drawing(height_of_rows(len(report.variants)) + 18 * legend_rows) as figure:
        axes = figure.subplots()
        left = np.zeros(len(report.variants))
        for name, colour in segments.items():
            widths = np.array([_bytes_in(v, name, biggest) for v in report.variants]) / 1000
            if widths.any():
                bars = axes.barh(range(len(left)), widths, left=left, height=0.62, color=colour)
                bars.set_label(short(name))
            left += widths
        for row, variant in enumerate(report.variants):
            note(axes, f"{variant.bytes / 1000:,.0f}", (variant.bytes / 1000, row))
        name_rows(axes, [variant.name for variant in report.variants])
        axes.margins(x=0.12)
        axes.set_xlabel("kB, not compressed")
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
        legend_above(axes)
        described = "; ".join(f"{v.name}: {v.bytes:,} bytes" for v in report.variants)
        return svg(figure, "Where the bytes go", f"{described}.")


def _bytes_in(variant: VariantReport, segment: str, biggest: Sequence[str]) -> int:
    layers = variant.bytes_by_layer
    if segment == _OTHER_LAYERS:
        return sum(size for layer, size in layers.items() if layer not in biggest)
    if segment == _REST:
        return max(0, variant.bytes - sum(layers.values()))
    return layers.get(segment, 0)


def class_histogram(report: Report) -> str | None:
    """Share of each class among real images, the baseline's samples and the shipped file's."""
    series = [(wording_of(report).real, report.floor.class_histogram, GHOST)]
    for name, colour in ((BASELINE, BASELINE_COLOUR), (SHIPPED, ACCENT)):
        if variant := report.variant(name):
            series.append((name, variant.quality.class_histogram, colour))
    bars = [(name, shares, colour) for name, shares, colour in series if shares]
    if not bars or len(report.dataset.classes) > MOST_CLASSES:
        return None
    with drawing(240) as figure:
        axes = figure.subplots()
        width = 0.8 / len(bars)
        for number, (name, shares, colour) in enumerate(bars):
            offset = (number - (len(bars) - 1) / 2) * width
            axes.bar(np.arange(len(shares)) + offset, shares, width * 0.9, color=colour, label=name)
        _name_classes(axes, report.dataset.classes)
        axes.grid(visible=False, axis="x")
        axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.set_xlabel("class, as the judge sees it")
        axes.set_ylabel("share of images")
        legend_above(axes)
        described = "; ".join(
            f"{name}: {', '.join(f'{share:.1%}' for share in shares)}" for name, shares, _ in bars
        )
        return svg(figure, "Classes drawn", f"{described}.")


def _name_classes(axes: Axes, classes: Sequence[str]) -> None:
    """More than twenty names would run into each other; their numbers stay then."""
    if 0 < len(classes) <= 20:
        axes.set_xticks(range(len(classes)), [short(name, 14) for name in classes])
        if max(map(len, classes)) > 3:
            axes.tick_params(axis="x", labelrotation=40)


def latencies(report: Report) -> str | None:
    """From the median to the 99th percentile on this machine, with one thread and with two."""
    p50, p90 = BY_NAME["p50_ms"], BY_NAME["p90_ms"]
    rows = [variant for variant in report.variants if p50.read(variant).value is not None]
    if not rows:
        return None
    with drawing(height_of_rows(len(rows)) + 24) as figure:
        axes = figure.subplots()
        values: list[float] = []
        for threads, shift, colour in ((1, -0.15, INK), (2, 0.15, HUES[0])):
            for row, variant in enumerate(rows):
                if measurement := local_measurement(variant, threads):
                    values += _draw_span(axes, measurement, row + shift, colour)
            plural = "s"[: threads - 1]
            axes.plot([], [], "o", color=colour, label=f"{threads} thread{plural}, to p90 and p99")
        scale(axes, "x", values)
        name_rows(axes, [variant.name for variant in rows])
        axes.set_xlabel("ms for one image")
        legend_above(axes, columns=2)
        described = "; ".join(
            f"{v.name}: median {p50.text(v)} ms, p90 {p90.text(v)} ms" for v in rows
        )
        return svg(figure, "Latency on this machine", f"One thread. {described}.")


def _draw_span(axes: Axes, measurement: Measurement, y: float, colour: str) -> list[float]:
    """Dot at the median, thick line to p90, thin line to p99; returns what was drawn."""
    p50, p90, p99 = measurement.p50_ms, measurement.p90_ms, measurement.p99_ms
    if p50 is None or p90 is None or p99 is None:
        return []
    axes.plot([p50, p99], [y, y], color=colour, linewidth=1, alpha=0.6)
    axes.plot([p50, p90], [y, y], color=colour, linewidth=3.5, alpha=0.6)
    axes.plot(p50, y, "o", color=colour, markersize=6)
    return [p50, p99]


def sizes_to_scale(report: Report) -> str | None:
    """The gzipped baseline and the shipped file as squares; their areas are their bytes."""
    baseline, shipped = report.variant(BASELINE), report.variant(SHIPPED)
    if baseline is None or shipped is None:
        return None
    sides = [math.sqrt(variant.bytes_gzip) for variant in (baseline, shipped)]
    with drawing(240, width=240) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(aspect="equal", xlim=(0, max(sides)), ylim=(0, max(sides)))
        for side, colour in zip(sides, (WASH, ACCENT), strict=True):
            axes.add_patch(Rectangle((0, 0), side, side, color=colour))
        axes.text(sides[0] * 0.06, sides[0] * 0.94, BASELINE, va="top", fontsize=12)
        axes.text(sides[1] + sides[0] * 0.04, sides[1] / 2, SHIPPED, va="center", fontsize=12)
        described = (
            f"{BASELINE} is {baseline.bytes_gzip:,} bytes gzipped, {SHIPPED} {shipped.bytes_gzip:,}"
        )
        return svg(figure, "Gzipped sizes to scale", f"{described}; the areas are to scale.")


def stored_cost(student: StudentReport, cost: Quantity) -> float | None:
    value: float | None = getattr(student, cost.name)
    return value


def _student_points(cost: Quantity, search: SearchReport) -> list[Point]:
    return [
        Point(str(student.number), value / cost.per_unit, student.distance)
        for student in search.tried
        if (value := stored_cost(student, cost)) is not None and student.distance is not None
    ]


def unbeaten_at(cost: Quantity, search: SearchReport) -> list[StudentReport]:
    """Of those trained to the end: what none beats in both cost and distance, cheapest first."""
    by_name = {str(student.number): student for student in search.tried}
    ended = [point for point in _student_points(cost, search) if by_name[point.name].finished]
    return [by_name[point.name] for point in front(ended)]


def student_role(number: int, search: SearchReport) -> str:
    """What became of a student after the search; nothing of most."""
    if number == search.shipped:
        return "chosen" if number == search.chosen else "ships"
    return "chosen first" if number == search.chosen else ""


def students_against(cost: Quantity, search: SearchReport) -> str | None:
    """Every student that drew: its distance to the teacher against a cost; None where none did.

    Those that were given up are pale, the line joins the best of the others, the chosen one is
    marked, and the limit is dashed.
    """
    points = _student_points(cost, search)
    if len(points) < 2:
        return None
    limit = search.limits.get(cost.name)
    students = {str(student.number): student for student in search.tried}
    unbeaten = {str(student.number) for student in unbeaten_at(cost, search)}
    best = sorted((p for p in points if p.name in unbeaten), key=lambda point: point.x)
    with drawing(320) as figure:
        axes = figure.subplots()
        _scale_costs(axes, [p.x for p in points] + ([limit / cost.per_unit] if limit else []))
        scale(axes, "y", [point.y for point in points])
        axes.plot(*border(best), color=ACCENT, linewidth=1.2)
        if limit:
            axes.axvline(limit / cost.per_unit, color=MUTED, linewidth=1, linestyle=DASHED)
            corner = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top"}
            note(axes, "budget", (limit / cost.per_unit, 1), offset=(-4, -2), **corner)
        for point in points:
            axes.plot(point.x, point.y, "o", **_student_marker(students[point.name], search))
        axes.set_xlabel(f"expected {cost.phrase}, {cost.unit}")
        axes.set_ylabel(f"{search.distance} to the teacher")
        named = [
            point._replace(name=", ".join(filter(None, (point.name, role))))
            for point in points
            if (role := student_role(int(point.name), search)) or point.name in unbeaten
        ]
        write_names(axes, points, unbeaten=best, named=named)
        described = "; ".join(
            f"number {p.name}: {significant(p.x)} {cost.unit}, {significant(p.y)}" for p in points
        )
        return svg(figure, f"Students against {cost.phrase}", f"{described}.")


def _scale_costs(axes: Axes, values: Sequence[float]) -> None:
    """Students fill their budget, so their costs are near each other: no axis from zero."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 5:
        scale(axes, "x", values)
    else:
        axes.set_xlim(low - 0.1 * (high - low or low), high + 0.1 * (high - low or high))
        axes.xaxis.set_major_locator(MaxNLocator(6))


def _student_marker(student: StudentReport, search: SearchReport) -> dict[str, Any]:
    if student.number == search.shipped:
        return {"ms": 10, "mfc": ACCENT, "mec": PAPER, "zorder": 4}
    if student.finished:
        return {"ms": 7, "mfc": PAPER, "mec": INK, "mew": 1.2, "zorder": 3}
    return {"ms": 6, "mfc": GHOST, "mec": PAPER, "zorder": 2}
