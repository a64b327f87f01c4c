import os
from pathlib import Path

import pytest

from pipeline import progress
from pipeline.native_log import native_log


def test_what_libraries_print_goes_to_the_log_and_notes_to_the_terminal(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / "log.txt"
    for word in (b"first\n", b"second\n"):
        with native_log(log):
            os.write(2, word)
            progress.console.print("a note")
        os.write(2, b"after\n")
    assert log.read_bytes() == b"first\nsecond\n"
    assert capfd.readouterr().err.count("after\n") == 2


def test_terminal_is_back_after_an_error(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), native_log(tmp_path / "log.txt"):
        raise ZeroDivisionError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
