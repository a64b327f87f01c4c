"""A benchmark for a terminal: files × targets, then what the figures say."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.benchmarks.advice import sentences
from pipeline.benchmarks.grid import Column, columns, times_of
from pipeline.benchmarks.schema import Benchmark
from pipeline.report.quantities import NONE, significant

METHOD = (
    "One inference at a time (MLPerf's single stream); ratios are to {baseline} on the same target."
)


def render(benchmark: Benchmark, page: Path | None = None) -> RenderableType:
    """What ``pocketgan benchmark FILES`` prints at its end."""
    names = [file.name for file in benchmark.files]
    grid = columns(benchmark.measurements, names, benchmark.baseline)
    told = [*sentences(grid, benchmark.files, benchmark.baseline), *benchmark.remarks]
    parts: list[RenderableType] = [
        sizes(benchmark),
        Text(),
        table(grid, benchmark),
        Text(),
        Text("\n".join(f"• {sentence}" for sentence in told)),
        Text(METHOD.format(baseline=benchmark.baseline), style="dim"),
    ]
    if page is not None:
        parts.append(Text.assemble("Page: ", (str(page), "bold")))
    return Group(*parts)


def sizes(benchmark: Benchmark) -> Table:
    """Bytes of each file, as it is and as two packers leave it, and the work it asks for."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("File", no_wrap=True)
    for title in ("bytes", "gzip", "zstd", "parameters", "MACs", "float ops"):
        table.add_column(title, justify="right")
    for file in benchmark.files:
        figures = (
            *(file.bytes, file.bytes_gzip, file.bytes_zstd),
            *(file.parameters, file.macs, file.float_ops),
        )
        table.add_row(file.name, *("–" if figure is None else f"{figure:,}" for figure in figures))
    return table


def table(grid: list[Column], benchmark: Benchmark) -> Table:
    """A row a target, a column a file: targets are many and their names long."""
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Target", no_wrap=True)
    for file in benchmark.files:
        table.add_column(file.name, justify="right", overflow="fold")
    for column in grid:
        best = column.best()
        cells = [_cell(column, file.name, file.name == best) for file in benchmark.files]
        table.add_row(_target(column), *cells)
    return table


def _target(column: Column) -> Text:
    """The target, and below what it is read by: so that seven files fit into 80 columns."""
    headline = column.headline
    read_by = f"{headline.title}, {headline.unit}" if headline else "nothing measured"
    return Text.assemble(column.title, "\n", (f"  {read_by}", "dim"))


def _cell(column: Column, name: str, best: bool) -> Text:
    """The figure, and below its ratio to the baseline."""
    cell, headline = column.cells[name], column.headline
    if cell.value is None or headline is None:
        return Text(NONE)
    figure = significant(cell.value / headline.per_unit)
    ratio = "" if cell.ratio is None else f"\n{times_of(cell.ratio)}"
    return Text.assemble((figure, "bold green" if best else ""), (ratio, "dim"))
