"""One table, for the terminal and for the docs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table as RichTable
from rich.text import Text

from pipeline.report.quantities import NONE, number


@dataclass(frozen=True)
class Table:
    """Rows of words, the first of them a name; ``notes`` are lines below the table."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str]

    def for_terminal(self) -> RenderableType:
        """For rich to print."""
        table = RichTable(box=None, header_style="dim", pad_edge=False)
        for place, heading in enumerate(self.headings):
            table.add_column(heading, justify="right" if place else "left")
        for row in self.rows:
            table.add_row(*row)
        return Group(table, Text(), *(Text(note) for note in self.notes))

    def markdown(self) -> str:
        """For a file of the docs."""
        rule = [":--", *["--:"] * (len(self.headings) - 1)]
        lines = ["| " + " | ".join(cells) + " |" for cells in (self.headings, rule, *self.rows)]
        return "\n".join([*lines, "", *(f"- {note}" for note in self.notes), ""])


def cell(value: float | None, write: Callable[[float], str] = number) -> str:
    """A figure as its column writes it, or a dash where there is none."""
    return NONE if value is None else write(value)


def whole(value: float) -> str:
    """12345 → 12,345."""
    return f"{value:,.0f}"


def percent(value: float) -> str:
    """0.8 → 80.0 %."""
    return f"{value:.1%}".replace("%", " %")
