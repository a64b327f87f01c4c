import io
import sys

import pytest

from pipeline.consoles import console

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
