"""The report for a terminal: the verdict, the files, the gates and where the page lies."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.report.quantities import NONE, number
from pipeline.report.run.columns import BY_NAME, best
from pipeline.report.run.schema import Report
from pipeline.report.run.wording import gates_in_words, headline
from pipeline.variants import SHIPPED

_SHOWN = (
    *("bytes", "bytes_gzip", "zeros", "float_ops", "frechet", "recall", "psnr", "p50_ms"),
    "peak_rss_kb",
)


def render(report: Report, page: Path | None = None) -> RenderableType:
    """What a run prints at its end; ``page`` is the report.html, where there is one."""
    parts: list[RenderableType] = [
        Text(headline(report), style="bold"),
        Text(),
        variants(report),
        _reasons(report),
        Text(),
        gates(report),
    ]
    if page is not None:
        parts += [Text(), Text.assemble("Page: ", (str(page), "bold"))]
    return Group(*parts)


def variants(report: Report) -> Table:
    """The table of variants, best in each column in bold green."""
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
    table.add_column("Variant", no_wrap=True)
    columns = [BY_NAME[name] for name in _SHOWN]
    for column in columns:
        table.add_column(f"{column.title}\n{column.unit}", justify="right", no_wrap=True)
    for variant in report.variants:
        cells = [Text(variant.name, style="bold" if variant.name == SHIPPED else "")]
        for column in columns:
            text = column.text(variant)
            top = text == best(column, report.variants)
            cells.append(Text(text, style="bold green" if top else ""))
        table.add_row(*cells)
    return table


def _reasons(report: Report) -> Text:
    """Why a dash is a dash, each reason once."""
    reasons: dict[str, None] = {}
    for variant in report.variants:
        for name in _SHOWN:
            value, reason = BY_NAME[name].read(variant)
            if value is None:
                reasons[f"{NONE} {variant.name}, {BY_NAME[name].label}: {reason}"] = None
    return Text("\n".join(reasons), style="dim")


def gates(report: Report) -> Text:
    """A line a gate: passed or failed, what was asked, what was measured."""
    lines = Text(gates_in_words(report).capitalize())
    for gate in report.gates:
        mark, style = ("✓", "green") if gate.passed else ("✗", "bold red")
        figure = gate.reason if gate.value is None else number(gate.value)
        lines.append(f"\n{mark} {gate.text}", style=style)
        lines.append(f"  {figure}")
    return lines
