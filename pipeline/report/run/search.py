"""The search of a compress run, for the page: its students, their front, what came true."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pipeline.report.drawing import (
    ACCENT,
    DASHED,
    GHOST,
    INK,
    MUTED,
    PAPER,
    Plot,
    Point,
    border,
    drawing,
    front,
    note,
    plots,
    scale,
    svg,
    write_names,
)
from pipeline.report.quantities import NONE, QUANTITIES, Quantity, significant
from pipeline.report.run.schema import Prediction, SearchReport, StudentReport

GZIP = QUANTITIES["bytes_gzip"]
COSTS = (GZIP, *(QUANTITIES[name] for name in ("bytes", "macs", "p50_ms", "instructions")))
"""What students are weighed by, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class StudentRow:
    """A student in a table."""

    student: StudentReport
    costs: list[str]
    distance: str
    outcome: str
    """What became of it in the search, or after."""
    ships: bool


@dataclass(frozen=True, kw_only=True)
class SearchView:
    """What the page's section shows."""

    search: SearchReport
    costs: list[Quantity]
    """The columns of costs: those of which there are figures."""
    front: list[StudentRow]
    others: list[StudentRow]
    answers: list[tuple[str, ...]]
    """A prediction beside what was measured: title, both figures, by how much it is off, remark."""
    plots: list[Plot]

    @property
    def has_slim(self) -> bool:
        return any(student.words.startswith("slim") for student in self.search.tried)


def view(search: SearchReport) -> SearchView:
    """Everything of the section, as text and drawings."""
    costs = [cost for cost in COSTS if any(_stored(s, cost) is not None for s in search.tried)]
    on_top = {student.number for student in unbeaten_at(GZIP, search)}
    on_top |= {search.chosen, search.shipped}
    students = sorted(search.tried, key=lambda student: student.bytes_gzip)
    rows = [_row(student, search, costs) for student in students]
    charted = dict.fromkeys([GZIP, *(cost for cost in costs if cost is tightest(search))])
    return SearchView(
        search=search,
        costs=costs,
        front=[row for row in rows if row.student.number in on_top],
        others=[row for row in rows if row.student.number not in on_top],
        answers=[_answer(prediction) for prediction in search.predictions],
        plots=plots(
            (f"Distance to the teacher against expected {cost.phrase}", chart(cost, search))
            for cost in charted
        ),
    )


def _stored(student: StudentReport, cost: Quantity) -> float | None:
    value: float | None = getattr(student, cost.name)
    return value


def _written(cost: Quantity, value: float | None) -> str:
    return NONE if value is None else cost.write(value)


def unbeaten_at(cost: Quantity, search: SearchReport) -> list[StudentReport]:
    """Of those trained to the end: what none beats in both cost and distance, cheapest first."""
    by_name = {str(student.number): student for student in search.tried}
    ended = [point for point in _points(cost, search) if by_name[point.name].finished]
    return [by_name[point.name] for point in front(ended)]


def tightest(search: SearchReport) -> Quantity | None:
    """The limit that the student comes nearest to; None where nothing is limited."""
    student = next(student for student in search.tried if student.number == search.shipped)
    shares = {
        name: cost / most
        for name, most in search.limits.items()
        if (cost := _stored(student, QUANTITIES[name])) is not None
    }
    return QUANTITIES[max(shares, key=lambda name: shares[name])] if shares else None


def _points(cost: Quantity, search: SearchReport) -> list[Point]:
    return [
        Point(str(student.number), value / cost.per_unit, student.distance)
        for student in search.tried
        if (value := _stored(student, cost)) is not None and student.distance is not None
    ]


def _row(student: StudentReport, search: SearchReport, costs: Sequence[Quantity]) -> StudentRow:
    after = f"after {student.steps:,} steps"
    return StudentRow(
        student=student,
        costs=[_written(cost, _stored(student, cost)) for cost in costs],
        distance=_written(QUANTITIES["frechet"], student.distance),
        outcome=_role(student.number, search)
        or (after if student.finished else f"given up {after}"),
        ships=student.number == search.shipped,
    )


def _answer(prediction: Prediction) -> tuple[str, ...]:
    cost = QUANTITIES[prediction.quantity]
    expected, measured = prediction.predicted, prediction.measured
    return (
        f"{cost.phrase[0].upper()}{cost.phrase[1:]}, {cost.unit}",
        _written(cost, expected),
        _written(cost, measured),
        NONE if not expected or measured is None else _share(measured / expected - 1),
        "; ".join(prediction.absent.values()),
    )


def _share(off: float) -> str:
    """Signed, but for what reads as nothing."""
    written = f"{off:+.1%}"
    return written[1:] if written[1:] == "0.0%" else written


def chart(cost: Quantity, search: SearchReport) -> str | None:
    """Every student that drew: its distance to the teacher against a cost; None where none did.

    Those that were given up are pale, the line joins the best of the others, the chosen one is
    marked, and the limit is dashed.
    """
    points = _points(cost, search)
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
            _draw_limit(axes, limit / cost.per_unit)
        for point in points:
            axes.plot(point.x, point.y, "o", **_marker(students[point.name], search))
        axes.set_xlabel(f"expected {cost.phrase}, {cost.unit}")
        axes.set_ylabel("Fréchet distance to the teacher")
        named = [
            point._replace(name=_title(point.name, search))
            for point in points
            if point.name in unbeaten or _role(int(point.name), search)
        ]
        write_names(axes, points, unbeaten=best, named=named)
        described = "; ".join(
            f"number {p.name}: {significant(p.x)} {cost.unit}, {significant(p.y)}" for p in points
        )
        return svg(figure, f"Students against {cost.phrase}", f"{described}.")


def _role(number: int, search: SearchReport) -> str:
    """What became of a student after the search; nothing of most."""
    if number == search.shipped:
        return "chosen" if number == search.chosen else "ships"
    return "chosen first" if number == search.chosen else ""


def _title(name: str, search: SearchReport) -> str:
    return ", ".join(filter(None, (name, _role(int(name), search))))


def _scale_costs(axes: Axes, values: Sequence[float]) -> None:
    """Students fill their budget, so their costs are near each other: no axis from zero."""
    low, high = min(values), max(values)
    if low > 0 and high / low > 5:
        scale(axes, "x", values)
    else:
        axes.set_xlim(low - 0.1 * (high - low or low), high + 0.1 * (high - low or high))
        axes.xaxis.set_major_locator(MaxNLocator(6))


def _draw_limit(axes: Axes, limit: float) -> None:
    axes.axvline(limit, color=MUTED, linewidth=1, linestyle=DASHED)
    corner = {"xycoords": ("data", "axes fraction"), "ha": "right", "va": "top"}
    note(axes, "budget", (limit, 1), offset=(-4, -2), **corner)


def _marker(student: StudentReport, search: SearchReport) -> dict[str, Any]:
    if student.number == search.shipped:
        return {"ms": 10, "mfc": ACCENT, "mec": PAPER, "zorder": 4}
    if student.finished:
        return {"ms": 7, "mfc": PAPER, "mec": INK, "mew": 1.2, "zorder": 3}
    return {"ms": 6, "mfc": GHOST, "mec": PAPER, "zorder": 2}
