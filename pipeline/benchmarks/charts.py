"""The charts of a benchmark: a bar or a span a file, one chart a target."""

from collections.abc import Sequence

from deploy.jobs import Measurement, OperationCost
from pipeline.benchmarks.grid import Column
from pipeline.report.drawing import (
    ACCENT,
    GHOST,
    INK,
    MUTED,
    SMALL,
    drawing,
    height_of_rows,
    name_rows,
    scale,
    short,
    svg,
)


def target(column: Column, baseline: str) -> str | None:
    """The headline figure of each file; timed ones reach on to the 99th percentile."""
    headline = column.headline
    rows = [(name, cell) for name, cell in column.cells.items() if cell.value is not None]
    if headline is None or not rows:
        return None
    with drawing(height_of_rows(len(rows))) as figure:
        axes = figure.subplots()
        drawn: list[float] = []
        for row, (name, cell) in enumerate(rows):
            value = (cell.value or 0) / headline.per_unit
            colour = GHOST if name == baseline else ACCENT
            axes.barh(row, value, height=0.62, color=colour)
            drawn.append(value)
            if headline.field == "p90_ms" and cell.measurement is not None:
                drawn += _span(axes, cell.measurement, row)
            ratio = "" if cell.ratio is None else f"  {cell.ratio:.2f}×"
            axes.annotate(
                f"{headline.write(cell.value or 0)}{ratio}",
                xy=(max(drawn[-2:]) if headline.field == "p90_ms" else value, row),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                color=MUTED,
                fontsize=SMALL,
            )
        name_rows(axes, [short(name) for name, _ in rows])
        axes.set_xlim(0, max(drawn) * 1.45)
        axes.set_xlabel(f"{headline.title}, {headline.unit}")
        told = "; ".join(f"{name}: {column.text(name)}" for name, _ in rows)
        return svg(figure, f"{column.title}", f"{headline.how}. {told}.")


def _span(axes: object, measurement: Measurement, row: int) -> list[float]:
    p50, p99 = measurement.p50_ms, measurement.p99_ms
    if p50 is None or p99 is None:
        return []
    axes.plot([p50, p99], [row, row], color=INK, linewidth=1)  # type: ignore[attr-defined]
    axes.plot(p50, row, "|", color=INK, markersize=9)  # type: ignore[attr-defined]
    return [p50, p99]


def histogram(measurement: Measurement) -> str | None:
    """How many inferences took how long."""
    told = measurement.histogram
    if told is None:
        return None
    with drawing(130) as figure:
        axes = figure.subplots()
        widths = [b - a for a, b in zip(told.edges_ms, told.edges_ms[1:], strict=False)]
        axes.bar(told.edges_ms[:-1], told.counts, widths, align="edge", color=ACCENT)
        scale(axes, "x", told.edges_ms)
        axes.set_xlim(told.edges_ms[0], told.edges_ms[-1])
        axes.set_xlabel("ms")
        axes.set_ylabel("inferences")
        name = f"{measurement.variant} on {measurement.target}, {measurement.threads} threads"
        return svg(figure, f"Times of {name}", f"p50 {measurement.p50_ms} ms.")


def profile(name: str, costs: Sequence[OperationCost]) -> str | None:
    """What each operation costs, in the order of the file."""
    if not costs:
        return None
    unit = costs[0].unit
    with drawing(height_of_rows(len(costs))) as figure:
        axes = figure.subplots()
        axes.barh(range(len(costs)), [cost.cost for cost in costs], height=0.62, color=ACCENT)
        name_rows(axes, [f"{cost.operation} {short(cost.layer, 14)}" for cost in costs])
        axes.set_xlabel(unit)
        told = "; ".join(f"{cost.operation}: {cost.cost:g} {unit}" for cost in costs)
        return svg(figure, f"Operations of {name}", f"{told}.")
