"""The suite's results as a page that holds everything, and as tables for a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.jobs import Measurement
from pipeline.report.benchmark.advice import method
from pipeline.report.benchmark.page import Cell, figure, output, remarks, share
from pipeline.report.drawing import Plot
from pipeline.report.page import render_page
from pipeline.report.quantities import NONE, lines, significant
from tools.experiments.suite import charts as suite_charts
from tools.experiments.suite.findings import Place, View, doubts, sentences, spoken, views
from tools.experiments.suite.generators import MEANING
from tools.experiments.suite.measure import FLOAT, INT8, Result, Suite

PAGE = "suite.html"

LINES = "Solid lines are int8, dashed ones float32."
PROPORTION = "Were MACs all that counts, all would lie along the dashed line."
GAINS = "A dot left of the dashed line is a generator that int8 makes cheaper."


class FamilyCell(NamedTuple):
    """What int8 and float32 of a family cost, and whether that is the least, or as good."""

    int8: str
    float32: str
    best: bool = False


class SizeRow(NamedTuple):
    """One size: a cell a family, then who is cheapest for its multiply-accumulates."""

    pixels: int
    width: int
    cells: list[FamilyCell]
    per_mac: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One target's part of the page."""

    view: View
    families: list[str]
    rows: list[SizeRow]
    sentences: list[str]
    plots: list[Plot]


def render_html(suite: Suite) -> str:
    """The page as text."""
    return render_page(
        Path(__file__).with_name("suite.html.j2"),
        suite=suite,
        panels=[_panel(view) for view in views(suite)],
        doubts=doubts(suite),
        meaning=MEANING,
        spoken=spoken,
        machine=lines(suite.machine, none="not told"),
        method=times_in_words(suite),
        figures=_figures,
        headings=HEADINGS,
    )


HEADINGS = (
    *(Cell(title) for title in ("p50, ms", "p90, ms", "Spread", "Runs")),
    *(Cell(title) for title in ("Memory, KiB", "Instructions", "Arena, bytes")),
    *(Cell("Output", kind="text"), Cell("Remarks", kind="text remarks")),
)


def _figures(m: Measurement) -> list[Cell]:
    """A row below ``HEADINGS``."""
    return [
        *(figure(m, "p50_ms"), figure(m, "p90_ms"), share(m, "spread"), figure(m, "runs")),
        *(figure(m, name) for name in ("peak_rss_kb", "instructions", "arena_bytes")),
        *(output(m), remarks(m)),
    ]


def _panel(view: View) -> Panel:
    charts = (
        (suite_charts.against_pixels(view), LINES),
        (suite_charts.against_width(view), LINES),
        (suite_charts.against_macs(view), PROPORTION),
        (suite_charts.gains(view), GAINS),
    )
    return Panel(
        view=view,
        families=view.families(),
        rows=rows(view),
        sentences=sentences(view),
        plots=[Plot(chart[0], Markup(chart[1]), remark) for chart, remark in charts if chart],
    )


def rows(view: View) -> list[SizeRow]:
    """The table of one target: int8 and float32 of each family at each pixels and width."""
    return [_row(view, place) for place in view.places]


def _row(view: View, place: Place) -> SizeRow:
    best, frugal = view.cheapest(place, view.cost), view.cheapest(place, view.per_mac)
    per_mac = NONE
    if frugal and (cost := view.per_mac(frugal[0])) is not None:
        names = ", ".join(spoken(result.family) for result in frugal)
        per_mac = f"{names} {significant(cost)}"
    cells = [_cell(view, place, family, best) for family in view.families()]
    return SizeRow(place.pixels, place.width, cells, per_mac)


def _cell(view: View, place: Place, family: str, best: Sequence[Result]) -> FamilyCell:
    result = place.family(family)
    if result is None:
        return FamilyCell(NONE, NONE)
    int8, float32 = (_written(view.cost(result, variant)) for variant in (INT8, FLOAT))
    return FamilyCell(int8, float32, best=result in best)


def _written(cost: float | None) -> str:
    return NONE if cost is None else significant(cost)


def render_terminal(suite: Suite) -> RenderableType:
    """A table and the findings for each target, then what to doubt."""
    parts: list[RenderableType] = []
    for view in views(suite):
        title = f"{view.target}: int8 above float32, {view.headline.title} in {view.headline.unit}"
        parts += [Text(title, style="bold"), _table(view), *_bullets(sentences(view)), Text()]
    how = Text(" ".join(times_in_words(suite)), style="dim")
    return Group(*parts, *_bullets(doubts(suite), "yellow"), how)


def _table(view: View) -> Table:
    """Two lines a place: so that five families fit into 80 columns."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    for title in ("pixels", "width"):
        table.add_column(title, justify="right", no_wrap=True)
    for family in view.families():
        table.add_column(spoken(family).replace(" ", "\n"), justify="right", no_wrap=True)
    table.add_column("cheapest per\nmillion MACs", overflow="fold")
    for row in rows(view):
        cells = [
            Text.assemble(
                (cell.int8, "bold green" if cell.best else ""), (f"\n{cell.float32}", "dim")
            )
            for cell in row.cells
        ]
        table.add_row(str(row.pixels), str(row.width), *cells, row.per_mac)
    return table


def times_in_words(suite: Suite) -> list[str]:
    return method([m for result in suite.results for m in result.measurements], {})


def _bullets(lines: Sequence[str], style: str = "") -> list[Text]:
    return [Text(f"- {line}", style=style) for line in lines]
