"""An explanation for a terminal: the dearest operations in a table, then sentences by topic."""

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deploy.errors import printable
from pipeline.report.explain.compared import counterparts, rounded_and_float
from pipeline.report.explain.schema import ExplainedOperation, Explanation
from pipeline.report.explain.sentences import sections
from pipeline.report.explain.wording import number_of, percent, shape_in_words
from pipeline.report.quantities import NONE, number, significant, times_of


def render(explanation: Explanation, top: int) -> RenderableType:
    """``top`` operations, the dearest, in the file's order, and all sentences."""
    parts: list[RenderableType] = [_table(explanation, top)]
    for topic, said in sections(explanation).items():
        parts += [Text(topic, style="bold")]
        parts += [
            Padding(Text(printable(sentence)), (0, 0, 0, 2), expand=False) for sentence in said
        ]
        parts.append(Text())
    return Group(*parts[:-1])


def _table(explanation: Explanation, top: int) -> Table:
    file, unit = explanation.file, explanation.unit
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("operation", overflow="fold")
    table.add_column("layer", overflow="fold")
    table.add_column("output", no_wrap=True)
    other = _other_in_words(explanation)
    for column in (
        "MACs",
        unit,
        "share",
        *([f"of {other}"] if other else []),
        explanation.fast_path,
    ):
        table.add_column(column, justify="right", no_wrap=True)
    partners = counterparts(file, explanation.other)
    largest = sorted(file.operations, key=lambda operation: -operation.cost)[:top]
    for operation, partner in zip(file.operations, partners, strict=True):
        if any(operation is each for each in largest):
            table.add_row(
                *_row(explanation, operation, partner if other else None, compared=bool(other))
            )
    if len(file.operations) > top:
        others = number_of(len(file.operations) - top, "other")
        table.add_row(Text(f"({others}: --top)", style="dim"))
    return table


def _other_in_words(explanation: Explanation) -> str:
    """What the column of ratios is headed by; empty where nothing is compared."""
    if explanation.other is None:
        return ""
    return explanation.other.precision if rounded_and_float(explanation) else "other"


def _row(
    explanation: Explanation,
    operation: ExplainedOperation,
    partner: ExplainedOperation | None,
    *,
    compared: bool,
) -> list[Text | str]:
    cost = operation.cost
    written = significant(cost) if explanation.unit == "ms" else number(cost)
    ratio = times_of(cost / partner.cost) if cost and partner and partner.cost else NONE
    taken = {True: "yes", False: "no", None: NONE}[operation.on_fast_path]
    return [
        Text(operation.operation),
        Text(printable(operation.layer)),
        shape_in_words(operation.shape),
        f"{operation.macs:,}" if operation.macs else "",
        written,
        percent(cost / (explanation.file.total or 1.0)),
        *([ratio] if compared else []),
        Text(taken, style="yellow" if operation.on_fast_path is False else ""),
    ]
