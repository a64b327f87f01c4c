import json
from pathlib import Path

import pytest

from pipeline.cli import main


def test_doctor_tells_the_machine_and_what_is_wrong_with_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["doctor", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["machine"]["cores"] >= 1
    assert isinstance(document["advice"], list)
    assert document["trains"].startswith("on ")
    assert main(["doctor"]) == 0


def test_doctor_says_of_each_board_of_a_shelf_whether_it_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = tmp_path / "lab.yaml"
    shelf.write_text("boards:\n  Pi 4: ssh:pi@127.0.0.1:1\n")
    names = ["local", f"targets:{shelf}"]
    assert main(["doctor", *names, "--json"]) == 3
    here, board = json.loads(capsys.readouterr().out)["targets"]
    assert (here["target"], here["answers"]) == ("local", True)
    assert (board["label"], board["answers"]) == ("Pi 4", False)
    assert board["missing"]
    assert main(["doctor", *names]) == 3
    text = capsys.readouterr().out
    assert "✓ local" in text
    assert "✗ Pi 4 (ssh:pi@127.0.0.1:1)" in text
    assert main(["doctor", "local"]) == 0
