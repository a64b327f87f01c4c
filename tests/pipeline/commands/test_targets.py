import json
from pathlib import Path

import pytest

from deploy.targets.local import Local
from deploy.targets.target import Availability
from pipeline.cli import main
from pipeline.commands import targets as commands


def test_targets_lists_what_is_ready_and_what_adds_the_rest(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))  # nothing is installed there
    assert main(["targets", "--json"]) == 0
    states = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert states["local"]["ready"]
    assert not states["local:tflite-runtime"]["ready"]
    assert "targets install tflite-runtime" in states["local:tflite-runtime"]["remedy"]


def test_targets_fit_into_a_narrow_terminal_without_losing_a_letter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Long(Local):
        name = "long"

        def availability(self) -> Availability:
            return Availability("tflite-micro==0.dev20261023182759 in an environment", ready=True)

    monkeypatch.setattr(commands, "offered", lambda: [Long()])
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["targets"]) == 0
    said = capsys.readouterr().out
    assert "…" not in said.replace(":…", "")
    assert "tflite-micro==0.dev20261023182759" in "".join(said.split())


@pytest.mark.parametrize("arguments", [["install"], ["install", "moon"], ["remove", "arm"]])
def test_targets_refuses_what_it_does_not_know(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["targets", *arguments]) == 2
    assert "arm" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_installing_gives_a_document_with_json_only(
    more: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "install", lambda name, say: None)
    assert main(["targets", "install", "arm", "micro", *more]) == 0
    said = capsys.readouterr().out
    assert (json.loads(said) if more else said) == ({"installed": ["arm", "micro"]} if more else "")
