"""The search of a compress run, for the page: its students, their front, what came true."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.report.drawing import Plot, plots
from pipeline.report.quantities import NONE, QUANTITIES, Quantity
from pipeline.report.run.charts import (
    stored_cost,
    student_role,
    students_against,
    unbeaten_at,
)
from pipeline.report.run.schema import Prediction, SearchReport, StudentReport

GZIP = QUANTITIES["bytes_gzip"]
COSTS = (
    GZIP,
    *(QUANTITIES[name] for name in ("bytes", "macs", "p50_ms", "instructions", "flash_bytes")),
)
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
    costs = [cost for cost in COSTS if any(stored_cost(s, cost) is not None for s in search.tried)]
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
            (
                f"Distance to the teacher against expected {cost.phrase}",
                students_against(cost, search),
            )
            for cost in charted
        ),
    )


def _written(cost: Quantity, value: float | None) -> str:
    return NONE if value is None else cost.write(value)


def tightest(search: SearchReport) -> Quantity | None:
    """The limit that the student comes nearest to; None where nothing is limited."""
    student = next(student for student in search.tried if student.number == search.shipped)
    shares = {
        name: cost / most
        for name, most in search.limits.items()
        if (cost := stored_cost(student, QUANTITIES[name])) is not None
    }
    return QUANTITIES[max(shares, key=lambda name: shares[name])] if shares else None


def _row(student: StudentReport, search: SearchReport, costs: Sequence[Quantity]) -> StudentRow:
    after = f"after {student.steps:,} steps"
    return StudentRow(
        student=student,
        costs=[_written(cost, stored_cost(student, cost)) for cost in costs],
        distance=_written(QUANTITIES["frechet"], student.distance),
        outcome=student_role(student.number, search)
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
