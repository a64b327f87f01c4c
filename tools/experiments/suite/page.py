"""The suite's results as a page that holds everything, and as tables for a terminal."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

import pipeline.report
from deploy.jobs import Measurement
from pipeline.report.benchmark.method import method
from pipeline.report.benchmark.view import Told, figure, output, remarks, share
from pipeline.report.quantities import NONE, number, significant
from pipeline.report.tree import lines
from tools.experiments.suite import charts as suite_charts
from tools.experiments.suite.findings import Place, View, doubts, sentences, spoken, views
from tools.experiments.suite.generators import MEANING
from tools.experiments.suite.measure import FLOAT, Result, Suite

PAGE = "suite.html"

LINES = "Solid lines are int8, dashed ones float32."
PROPORTION = "Were MACs all that counts, all would lie along the dashed line."
GAINS = "A dot left of the dashed line is a generator that int8 makes cheaper."

_HERE = Path(__file__).parent
_REPORT = Path(pipeline.report.__file__).parent


class Cell(NamedTuple):
    int8: str
    float32: str
    best: bool


class Row(NamedTuple):
    """One place: a cell a family, then who is cheapest for its multiply-accumulates."""

    pixels: int
    width: int
    cells: list[Cell]
    per_mac: str


class Chart(NamedTuple):
    title: str
    note: str
    drawing: Markup


class Panel(NamedTuple):
    """One target's part of the page."""

    view: View
    families: list[str]
    rows: list[Row]
    sentences: list[str]
    charts: list[Chart]


def render_page(suite: Suite) -> str:
    """The page as text. Refers to nothing outside itself; the same suite gives the same text."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["spoken"] = spoken
    seen = views(suite)
    return environment.get_template("suite.html.j2").render(
        suite=suite,
        style=Markup((_REPORT / "page.css").read_text(encoding="utf-8")),
        panels=[_panel(view) for view in seen],
        doubts=doubts(suite),
        meaning=MEANING,
        machine=lines(suite.machine, none="not told"),
        method=times_in_words(suite),
        figures=_figures,
        headings=HEADINGS,
    )


HEADINGS = (
    *(Told(title) for title in ("p50, ms", "p90, ms", "Spread", "Runs")),
    *(Told(title) for title in ("Memory, KiB", "Instructions", "Arena, bytes")),
    *(Told("Output", kind="text"), Told("Remarks", kind="text remarks")),
)


def _figures(m: Measurement) -> list[Told]:
    """A row below ``HEADINGS``."""
    return [
        *(figure(m, "p50_ms"), figure(m, "p90_ms"), share(m, "spread"), figure(m, "runs")),
        *(figure(m, name) for name in ("peak_rss_kb", "instructions", "arena_bytes")),
        *(output(m), remarks(m)),
    ]


def _panel(view: View) -> Panel:
    drawn = (
        (suite_charts.against_pixels(view), LINES),
        (suite_charts.against_width(view), LINES),
        (suite_charts.against_macs(view), PROPORTION),
        (suite_charts.gains(view), GAINS),
    )
    return Panel(
        view,
        view.families(),
        rows(view),
        sentences(view),
        [Chart(found[0], note, Markup(found[1])) for found, note in drawn if found],
    )


def rows(view: View) -> list[Row]:
    """The table of one target: int8 and float32 of each family at each pixels and width."""
    return [_row(view, place) for place in view.places]


def _row(view: View, place: Place) -> Row:
    best, frugal = view.cheapest(place, view.cost), view.cheapest(place, view.per_mac)
    per_mac = NONE
    if frugal and (figure := view.per_mac(frugal[0])) is not None:
        names = ", ".join(spoken(result.family) for result in frugal)
        per_mac = f"{names} {significant(figure)}"
    cells = [_cell(view, place, family, best) for family in view.families()]
    return Row(place.pixels, place.width, cells, per_mac)


def _cell(view: View, place: Place, family: str, best: Sequence[Result]) -> Cell:
    result = place.family(family)
    if result is None:
        return Cell(NONE, NONE, False)
    return Cell(_written(view.cost(result)), _written(view.cost(result, FLOAT)), result in best)


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
