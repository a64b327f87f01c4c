"""The search of a compress run, for the page: its students, their front, what came true."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from pipeline.report.drawing import (
    ACCENT,
    DASHED,
    GHOST,
    INK,
    MUTED,
    PAPER,
    SMALL,
    drawing,
    scale,
    svg,
)
from pipeline.report.pareto import Point, border, front, write_names
from pipeline.report.quantities import BY_NAME, NONE, number, significant
from pipeline.report.run.schema import Prediction, SearchReport, StudentReport


class Measure(NamedTuple):
    """A cost of a student's file: how it is called and written."""

    name: str
    title: str
    unit: str
    per_unit: float
    """How many of what is stored make one of the unit that is shown."""

    def of(self, student: StudentReport) -> float | None:
        value = getattr(student, self.name)
        return None if value is None else value / self.per_unit

    def text(self, value: float | None) -> str:
        """A stored value, as the tables write it."""
        if value is None:
            return NONE
        quantity = BY_NAME.get(self.name)
        return quantity.write(value) if quantity else number(value / self.per_unit)


GZIP = Measure("bytes_gzip", "gzipped size", "kB", 1000)
MEASURES = (
    GZIP,
    Measure("bytes", "size", "kB", 1000),
    Measure("macs", "multiply-accumulates", "M", 1e6),
    Measure("p50_ms", "median latency", "ms", 1),
    Measure("instructions", "instructions", "M", 1e6),
)
_BY_NAME = {measure.name: measure for measure in MEASURES}


class Row(NamedTuple):
    """A student in a table."""

    number: int
    words: str
    costs: list[str]
    distance: str
    fate: str
    ships: bool


class Answer(NamedTuple):
    """A prediction beside what was measured."""

    title: str
    predicted: str
    measured: str
    off: str
    remark: str


class Plot(NamedTuple):
    title: str
    svg: Markup


class SearchView(NamedTuple):
    """What the page's section shows."""

    search: SearchReport
    measures: list[Measure]
    """The columns of costs: those of which there are figures."""
    front: list[Row]
    others: list[Row]
    answers: list[Answer]
    plots: list[Plot]

    @property
    def has_slim(self) -> bool:
        return any(student.words.startswith("slim") for student in self.search.tried)


def view(search: SearchReport) -> SearchView:
    """Everything of the section, as text and drawings."""
    measures = [m for m in MEASURES if any(m.of(student) is not None for student in search.tried)]
    unbeaten = {student.number for student in unbeaten_at(GZIP, search)}
    unbeaten |= {search.chosen, search.taught}
    rows = [
        _row(student, search, measures)
        for student in sorted(search.tried, key=lambda student: student.bytes_gzip)
    ]
    charted = [GZIP, *(m for m in measures if m is not GZIP and m is tightest(search))]
    plots = [
        Plot(f"Distance to the teacher against expected {measure.title}", Markup(drawn))
        for measure in charted
        if (drawn := chart(measure, search))
    ]
    return SearchView(
        search,
        measures,
        [row for row in rows if row.number in unbeaten],
        [row for row in rows if row.number not in unbeaten],
        [_answer(prediction) for prediction in search.predictions],
        plots,
    )


def _shipped(search: SearchReport) -> StudentReport:
    return next(student for student in search.tried if student.number == search.taught)


def unbeaten_at(measure: Measure, search: SearchReport) -> list[StudentReport]:
    """Of those taught to the end: that no other beats in both cost and distance, cheapest first."""
    by_name = {str(student.number): student for student in search.tried}
    known = [point for point in _points(measure, search) if by_name[point.name].finished]
    return [by_name[point.name] for point in front(known)]


def tightest(search: SearchReport) -> Measure | None:
    """The limit that the student comes nearest to; None where nothing is limited."""
    student = _shipped(search)
    shares = {
        _BY_NAME[name]: cost / most
        for name, most in search.limits.items()
        if (cost := getattr(student, name)) is not None
    }
    return max(shares, key=lambda measure: shares[measure], default=None)


def _points(measure: Measure, search: SearchReport) -> list[Point]:
    return [
        Point(str(student.number), cost, student.distance)
        for student in search.tried
        if (cost := measure.of(student)) is not None and student.distance is not None
    ]


def _row(student: StudentReport, search: SearchReport, measures: Sequence[Measure]) -> Row:
    taught = f"after {student.steps:,} steps"
    fate = taught if student.finished else f"given up {taught}"
    return Row(
        student.number,
        student.words,
        [measure.text(getattr(student, measure.name)) for measure in measures],
        NONE if student.distance is None else BY_NAME["frechet"].write(student.distance),
        _role(student.number, search) or fate,
        student.number == search.taught,
    )


def _answer(prediction: Prediction) -> Answer:
    measure = _BY_NAME[prediction.quantity]
    expected, found = prediction.predicted, prediction.measured
    return Answer(
        f"{measure.title[0].upper()}{measure.title[1:]}, {measure.unit}",
        measure.text(expected),
        measure.text(found),
        NONE if not expected or found is None else _share(found / expected - 1),
        "; ".join(prediction.absent.values()),
    )


def _share(off: float) -> str:
    """Signed, but for what reads as nothing."""
    written = f"{off:+.1%}"
    return written[1:] if written[1:] == "0.0%" else written


def chart(measure: Measure, search: SearchReport) -> str | None:
    """Every student that drew: its distance to the teacher against a cost; None where none did.

    Those that were given up are pale, the line joins the best of the others, the chosen one is
    marked, and the limit is dashed.
    """
    points = _points(measure, search)
    if len(points) < 2:
        return None
    limit = search.limits.get(measure.name)
    students = {str(student.number): student for student in search.tried}
    unbeaten = {str(student.number) for student in unbeaten_at(measure, search)}
    best = sorted((p for p in points if p.name in unbeaten), key=lambda point: point.x)
    with drawing(320) as figure:
        axes = figure.subplots()
        _scale_costs(axes, [p.x for p in points] + ([limit / measure.per_unit] if limit else []))
        scale(axes, "y", [point.y for point in points])
        axes.plot(*border(best), color=ACCENT, linewidth=1.2)
        if limit:
            _draw_limit(axes, limit / measure.per_unit)
        for point in points:
            axes.plot(point.x, point.y, "o", **_marker(students[point.name], search))
        axes.set_xlabel(f"expected {measure.title}, {measure.unit}")
        axes.set_ylabel("Fréchet distance to the teacher")
        named = [
            point._replace(name=_title(point.name, search))
            for point in points
            if point.name in unbeaten or _role(int(point.name), search)
        ]
        write_names(figure, axes, points, best, named)
        told = "; ".join(
            f"number {p.name}: {significant(p.x)} {measure.unit}, {significant(p.y)}"
            for p in points
        )
        return svg(figure, f"Students against {measure.title}", f"{told}.")


def _role(number: int, search: SearchReport) -> str:
    """What became of a student after the search; nothing of most."""
    if number == search.taught:
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
    axes.annotate(
        "budget",
        xy=(limit, 1),
        xycoords=("data", "axes fraction"),
        xytext=(-4, -2),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=SMALL,
        color=MUTED,
    )


def _marker(student: StudentReport, search: SearchReport) -> dict[str, Any]:
    if student.number == search.taught:
        return {"ms": 10, "mfc": ACCENT, "mec": PAPER, "zorder": 4}
    if student.finished:
        return {"ms": 7, "mfc": PAPER, "mec": INK, "mew": 1.2, "zorder": 3}
    return {"ms": 6, "mfc": GHOST, "mec": PAPER, "zorder": 2}
