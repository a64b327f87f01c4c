import io

import pytest
from rich.console import Console

from pipeline import progress


def test_tracked_items_all_come_through() -> None:
    assert list(progress.track([3, 1, 2], "counting")) == [3, 1, 2]
    assert list(progress.track(iter("ab"), "spelling", total=2)) == ["a", "b"]


def test_log_has_no_bars_nor_empty_lines(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track(range(3), "counting"))
    with progress.bar() as bar:
        bar.update(bar.add_task("working", total=None), completed=1, total=2)
    assert capsys.readouterr() == ("", "")


def test_log_has_a_line_now_and_then_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    list(progress.track(range(3), "counting [x]"))
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first.startswith("  counting [x]: 1 of 3, 0:00:00")
    assert last.startswith("  counting [x]: 3 of 3")


def test_silenced_notes_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress.console.print("first")
    progress.silence()
    progress.console.print("second")
    assert capsys.readouterr().err == "first\n"


def test_brackets_of_an_address_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(progress, "console", Console(file=text, force_terminal=True, width=120))
    with progress.bar() as bar:
        bar.add_task("ssh:pi@[fe80::1]:22 and x[/y]", total=1)
        bar.refresh()
    assert "ssh:pi@[fe80::1]:22 and x[/y]" in text.getvalue()


def test_time_left_is_said_of_work_that_is_heard_of_once_in_minutes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    with progress.bar() as bar:
        seconds = [0.0]
        monkeypatch.setattr(bar, "get_time", lambda: seconds[0])
        task = bar.add_task("training", total=600)
        for _ in range(3):
            seconds[0] += 100
            bar.advance(task, 100)
    assert "300 of 600" in (last := capsys.readouterr().err.splitlines()[-1])
    assert "0:05:00 left" in last
