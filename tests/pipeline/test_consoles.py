import io
import sys

import pytest
from rich.table import Table

from pipeline.consoles import caution, cell, console, done, title

LONG = "/a/path/" + "x" * 300


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stderr", [False, True])
def test_lines_break_on_a_terminal_only(stderr: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    name = "stderr" if stderr else "stdout"
    lines = []
    for stream in (io.StringIO(), Terminal()):
        monkeypatch.setattr(sys, name, stream)
        console(stderr=stderr, highlight=False).print(LONG)
        lines.append(stream.getvalue().count("\n"))
    assert lines[0] == 1
    assert lines[1] > 1


def test_lines_break_where_columns_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    console().print(LONG)
    assert stream.getvalue().count("\n") > 1


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_lines_are_printed_where_columns_says_none(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "0")
    monkeypatch.setattr(sys, "stdout", stream)
    console(highlight=False).print(LONG)
    assert stream.getvalue().replace("\n", "") == LONG


def test_lines_of_a_table_end_with_their_text_where_a_program_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    table = Table(box=None, show_header=False)
    table.add_row("a", "short")
    table.add_row("b", LONG)
    console().print(table)
    first, second = stream.getvalue().splitlines()
    assert first.endswith("short")
    assert second.endswith(LONG)


HOSTILE = "runs/[/x]/[red]a:dog:\x1b[2J\n.zip"


def test_names_of_strangers_are_printed_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", stream := io.StringIO())
    console().print("[/x] [red] :dog:")
    for line in (title(HOSTILE, ", int8"), done(HOSTILE), caution(HOSTILE)):
        console().print(line)
    shown = HOSTILE.replace("\x1b", "\\x1b").replace("\n", "\\n")
    assert stream.getvalue().splitlines() == [
        *("[/x] [red] :dog:", f"{shown}, int8", f"✓ {shown}", f"! {shown}")
    ]


def test_cell_of_a_table_moves_no_cursor_and_keeps_its_lines() -> None:
    assert cell("\x1b[2Ja\a\u202e\n[red]b", style="bold").plain == "\\x1b[2Ja\\x07\\u202e\n[red]b"
