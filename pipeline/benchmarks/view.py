"""What a page shows of files on targets: of a benchmark, and of a run's report."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from deploy.jobs import Measurement
from pipeline.benchmarks import charts
from pipeline.benchmarks.advice import sentences
from pipeline.benchmarks.grid import Column, columns
from pipeline.benchmarks.limits import Limit, limit_of
from pipeline.benchmarks.schema import File


class Plot(NamedTuple):
    title: str
    drawn: Markup


class Line(NamedTuple):
    """A measurement with what only the whole benchmark knows of it."""

    measurement: Measurement
    limit: Limit | None


class TargetsView(NamedTuple):
    """What a page shows of files on targets; the run's report shows the same."""

    columns: list[Column]
    files: tuple[File, ...]
    baseline: str
    sentences: list[str]
    plots: list[Plot]
    lines: list[Line]


def view(
    measurements: Sequence[Measurement],
    files: tuple[File, ...],
    baseline: str,
    bandwidth: float | None,
) -> TargetsView:
    grid = columns(measurements, [file.name for file in files], baseline)
    by_name = {file.name: file for file in files}
    drawn = [(column.title, charts.target(column, baseline)) for column in grid]
    return TargetsView(
        grid,
        files,
        baseline,
        sentences(grid, files, baseline),
        [Plot(title, Markup(chart)) for title, chart in drawn if chart],
        [Line(m, limit_of(m, by_name.get(m.variant), bandwidth)) for m in measurements],
    )
