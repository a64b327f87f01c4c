from pathlib import Path

import pytest

from tools.experiments.suite.__main__ import main


def test_suite_shows_figures_and_keeps_the_native_log_of_the_converter(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    small = ("--family", "dense", "--pixels", "28", "--width", "16", "--quiet")
    assert main([*small, "--out", str(tmp_path)]) == 0
    said = capfd.readouterr()
    assert "dense" in said.out
    assert said.err == ""
    assert (tmp_path / "log.txt").read_text()
    assert (tmp_path / "suite.html").is_file()
