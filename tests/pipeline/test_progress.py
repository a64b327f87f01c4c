import pytest

from pipeline import progress


def test_tracked_items_all_come_through() -> None:
    assert list(progress.track([3, 1, 2], "counting")) == [3, 1, 2]
    assert list(progress.track(iter("ab"), "spelling", total=2)) == ["a", "b"]


def test_log_has_no_bars_nor_empty_lines(capsys: pytest.CaptureFixture[str]) -> None:
    list(progress.track(range(3), "counting"))
    with progress.bar() as bar:
        bar.update(bar.add_task("working", total=None), completed=1, total=2)
    assert capsys.readouterr() == ("", "")


def test_silenced_notes_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    progress.console.print("first")
    progress.silence()
    progress.console.print("second")
    assert capsys.readouterr().err == "first\n"
