"""The charts of a benchmark: a bar or a span a file, one chart a target."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from deploy.jobs import Measurement, OperationCost
from pipeline.report.benchmark.grid import Reading, TargetColumn, target_title
from pipeline.report.drawing import (
    ACCENT,
    GHOST,
    INK,
    WIDTH,
    drawing,
    height_of_rows,
    name_rows,
    note,
    scale,
    short,
    svg,
)
from pipeline.report.quantities import times_of

# A 99th percentile beyond so many times the largest 90th is written, not drawn: under load it would
# press all bars together.
REACH = 1.4
# A profile's rows hold an operation and a layer: such names get a wider drawing.
LONG_NAME, WIDE = 30, 560


def target(column: TargetColumn) -> str | None:
    """The headline figure of each file; timed ones reach from the median to the 99th percentile."""
    reading = column.readings[0]
    headline, figures = reading.headline, reading.figures
    if headline is None or not figures:
        return None
    reach = REACH * max(figures.values())
    with drawing(height_of_rows(len(figures))) as figure:
        axes = figure.subplots()
        ends, written_p99 = [], False
        for row, (name, value) in enumerate(figures.items()):
            colour = GHOST if name == column.baseline else ACCENT
            axes.barh(row, value / headline.per_unit, height=0.62, color=colour)
            ends.append(value / headline.per_unit)
            words, measurement = _words(reading, name), reading.cells[name].measurement
            if headline.name == "p90_ms" and measurement and measurement.p99_ms:
                if measurement.p99_ms <= reach:
                    ends[-1] = max(ends[-1], _span(axes, measurement, row))
                else:
                    words += f"  p99 {headline.write(measurement.p99_ms)}"
                    written_p99 = True
            note(axes, words, (ends[-1], row))
        name_rows(axes, [short(name) for name in figures])
        axes.set_xlim(0, max(ends) * (2 if written_p99 else 1.45))
        axes.set_xlabel(f"{headline.title}, {headline.unit}")
        described = "; ".join(f"{name}: {reading.text(name)}" for name in figures)
        return svg(figure, f"{column.title}", f"{headline.how}. {described}.")


def _words(reading: Reading, name: str) -> str:
    """What stands behind a bar."""
    cell, unit = reading.cells[name], reading.headline.unit if reading.headline else ""
    ratio = "" if cell.ratio is None else f"  {times_of(cell.ratio)}"
    return f"{reading.figure(name)} {unit}{ratio}"


def _span(axes: Axes, measurement: Measurement, row: int) -> float:
    """A whisker from the median to the 99th percentile; returns where it ends."""
    p50, p99 = measurement.p50_ms, measurement.p99_ms
    if p50 is None or p99 is None:
        return 0.0
    axes.plot([p50, p99], [row, row], color=INK, linewidth=1)
    axes.plot(p50, row, "|", color=INK, markersize=9)
    return p99


def histogram(measurement: Measurement) -> str | None:
    """How many inferences took how long."""
    times = measurement.histogram
    if times is None:
        return None
    with drawing(130) as figure:
        axes = figure.subplots()
        widths = [b - a for a, b in zip(times.edges_ms, times.edges_ms[1:], strict=False)]
        axes.bar(times.edges_ms[:-1], times.counts, widths, align="edge", color=ACCENT)
        scale(axes, "x", times.edges_ms)
        axes.set_xlim(times.edges_ms[0], times.edges_ms[-1])
        axes.set_xlabel("ms")
        axes.set_ylabel("inferences")
        name = f"{measurement.variant} on {target_title(measurement.target, measurement.threads)}"
        return svg(figure, f"Times of {name}", f"p50 {measurement.p50_ms} ms.")


def profile(name: str, costs: Sequence[OperationCost]) -> str | None:
    """What each operation costs, in the order of the file."""
    if not costs:
        return None
    unit = costs[0].unit
    # Two parts of one layer may have one name: their numbers tell them apart.
    rows = [
        f"{number} {cost.operation} {short(cost.layer, 28)}" for number, cost in enumerate(costs, 1)
    ]
    width = WIDTH if max(map(len, rows)) < LONG_NAME else WIDE
    with drawing(height_of_rows(len(costs)), width) as figure:
        axes = figure.subplots()
        axes.barh(range(len(costs)), [cost.cost for cost in costs], height=0.62, color=ACCENT)
        name_rows(axes, rows, most=2 * LONG_NAME)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.set_xlabel(unit)
        described = "; ".join(f"{cost.operation}: {cost.cost:g} {unit}" for cost in costs)
        return svg(figure, f"Operations of {name}", f"{described}.")
