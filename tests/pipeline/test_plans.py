import shlex
from pathlib import Path

import pytest

from pipeline.plans import command_for


def test_command_for_a_folder_is_a_line_that_a_shell_reads_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = tmp_path / "my runs; $(x)"
    folder = Path(runs.name) / 'a"b<script>'
    words = ["pocketgan", "train", str(tmp_path / folder / "recipe.yaml"), "--runs", str(runs)]
    assert shlex.split(command_for(folder, "train")) == words
