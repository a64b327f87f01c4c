"""A benchmark for a terminal: files × targets, then what the figures say."""

from collections.abc import Callable, Sequence
from pathlib import Path
from textwrap import wrap

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.errors import printable
from deploy.jobs import Measurement
from pipeline import consoles
from pipeline.report.benchmark.advice import method, sentences
from pipeline.report.benchmark.energy import looked_for
from pipeline.report.benchmark.grid import FileFigure, Reading, TargetColumn, columns
from pipeline.report.benchmark.schema import Benchmark
from pipeline.report.quantities import NONE, significant, times_of

LEGEND = "×: the ratio to {baseline} on the same target. {best}: the best, and what is as good."
HEADER = 10
"""Characters a line: with its names in several, seven files fit into 80 columns."""


def _memory(m: Measurement) -> float | None:
    return None if m.peak_rss_kb is None else m.peak_rss_kb * 1024 / 1e6


def _slowdown(m: Measurement) -> float | None:
    return None if m.sustained is None else m.sustained.last_ms / m.sustained.first_ms


ENERGY = "energy, mJ"
# What stands below a target's figures, in few words.
EXTRAS: dict[str, Callable[[Measurement], float | None]] = {
    "a second": lambda m: m.per_second,
    "memory, MB": _memory,
    "slowdown, ×": _slowdown,
    ENERGY: lambda m: m.energy_mj,
}


def render(benchmark: Benchmark, page: Path | None = None) -> RenderableType:
    """What ``pocketgan benchmark FILES`` prints at its end."""
    grid = columns(benchmark.measurements, benchmark.files, benchmark.baseline)
    said = [*sentences(grid, benchmark.files), *benchmark.remarks]
    how = " ".join(method(benchmark.measurements, benchmark.plan))
    if any(column.chooses for column in grid):
        how = f"{LEGEND.format(baseline=printable(benchmark.baseline), best=consoles.BEST)} {how}"
    parts: list[RenderableType] = [
        sizes(benchmark),
        Text(),
        table(grid, benchmark),
        Text(),
        Text("\n".join(f"• {printable(sentence)}" for sentence in said)),
        Text(how, style="dim"),
    ]
    if page is not None:
        parts.append(Text.assemble("Page: ", (str(page), "bold")))
    return Group(*parts)


def sizes(benchmark: Benchmark) -> Table:
    """Bytes of each file, as it is and as two packers leave it, and the work it asks for."""
    table = _empty("File")
    for title in ("bytes", "gzip", "zstd", "parameters", "MACs", "float\nops"):
        table.add_column(title, justify="right", no_wrap=True)
    for file in benchmark.files:
        figures = (
            *(file.bytes, file.bytes_gzip, file.bytes_zstd),
            *(file.parameters, file.macs, file.float_ops),
        )
        written = (NONE if figure is None else f"{figure:,}" for figure in figures)
        table.add_row(Text(printable(file.name)), *written)
    return table


def table(grid: Sequence[TargetColumn], benchmark: Benchmark) -> Table:
    """A row a target and figure, a column a file: targets are many and their names long."""
    table = _empty("Target")
    names = [file.name for file in benchmark.files]
    for name in names:
        header = Text("\n".join(wrap(printable(name), HEADER, drop_whitespace=False)))
        table.add_column(header, justify="right", overflow="fold")
    for column in grid:
        best = column.best()
        for reading in column.readings:
            marked = best if reading is column.deciding else []
            title = column.title if reading is column.readings[0] else ""
            cells = [_cell(reading, name, best=name in marked) for name in names]
            table.add_row(_read_by(title, reading), *cells)
        for words, figure in EXTRAS.items():
            figures = [_extra(column.cells[name], figure) for name in names]
            if set(figures) != {NONE} or (words == ENERGY and looked_for(column)):
                texts = (Text(text, style="dim") for text in figures)
                table.add_row(Text(f"  {words}", style="dim"), *texts)
    return table


def _empty(first: str) -> Table:
    """Names give way, figures do not: a digit less is another figure."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column(first, overflow="fold")
    return table


def _read_by(title: str, reading: Reading) -> Text:
    """The target, and below what it is read by: so that seven files fit into 80 columns."""
    headline = reading.headline
    read_by = f"  {headline.title}, {headline.unit}" if headline else "  nothing measured"
    return Text.assemble(*([printable(title), "\n"] if title else []), (read_by, "dim"))


def _cell(reading: Reading, name: str, *, best: bool) -> Text:
    """The figure, and below its ratio to the baseline."""
    cell = reading.cells[name]
    colour, figure = "yellow" if cell.doubt else "", reading.figure(name)
    ratio = "" if cell.ratio is None else f"\n{times_of(cell.ratio)}"
    written = consoles.best(figure, colour or "green") if best else Text(figure, style=colour)
    return Text.assemble(written, (ratio, "dim"))


def _extra(cell: FileFigure, figure: Callable[[Measurement], float | None]) -> str:
    value = figure(cell.measurement) if cell.measurement else None
    return NONE if value is None else significant(value)
