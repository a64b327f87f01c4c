import json
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.web.page import MARK

Ask = Callable[..., tuple[int, str, str]]


def test_gallery_writes_one_page_and_says_where(tiny_runs: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "given" / "gallery.html"
    code, answer, err = ask("gallery", "tiny", "--runs", tiny_runs, "--out", out)
    assert (code, err) == (0, "")
    assert str(out) in answer.replace("\n", "")
    assert "int8" in answer
    assert MARK in out.read_bytes()
    assert [path.name for path in out.parent.iterdir()] == ["gallery.html"]


def test_gallery_goes_into_the_runs_folder_and_replaces_itself(tiny_copy: Path, ask: Ask) -> None:
    for _ in range(2):
        assert ask("gallery", tiny_copy / "tiny")[0] == 0
    assert MARK in (tiny_copy / "tiny" / "gallery.html").read_bytes()


def test_gallery_as_json_says_what_is_in_it(tiny_runs: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "page.html"
    code, answer, _ = ask("gallery", "tiny", "--runs", tiny_runs, "--out", out, "--json")
    document = json.loads(answer)
    assert code == 0
    assert document["page"] == str(out)
    assert document["bytes"] == out.stat().st_size
    assert [file["label"] for file in document["gallery"]["files"]] == ["int8", "float32"]


@pytest.mark.parametrize(
    ("more", "problem", "remedy"),
    [
        (["--variants", "int9"], "there is no variant 'int9'", "Did you mean 'int8'?"),
        (["--variants", "student-float32"], "no variant 'student-float32'", "It has: float32"),
        (["--out", "."], "is a folder", "Name a file in it"),
        (["--speed", "9"], "--speed", "pocketgan gallery --help"),
        (["--out", "/dev/null/page.html"], "cannot be written in /dev/null", "--out"),
    ],
)
def test_gallery_refuses_with_a_remedy(
    more: list[str], problem: str, remedy: str, tiny_runs: Path, ask: Ask
) -> None:
    code, answer, err = ask("gallery", "tiny", "--runs", tiny_runs, *more)
    assert (code, answer) == (2, "")
    assert problem in err
    assert remedy in err


def test_gallery_of_a_run_without_the_shipped_file_says_what_to_name(
    tiny_copy: Path, ask: Ask
) -> None:
    folder = tiny_copy / "tiny" / "4-convert"
    (folder / "int8.tflite").unlink()
    code, _, err = ask("gallery", tiny_copy / "tiny")
    assert code == 2
    assert "has no file 'int8'" in err
    assert "--variants float32," in err
    for file in folder.glob("*.tflite"):
        file.unlink()
    code, _, err = ask("gallery", tiny_copy / "tiny")
    assert code == 2
    assert "Finish the run first: pocketgan run" in err


def test_gallery_of_no_run_names_those_there_are(tiny_runs: Path, ask: Ask) -> None:
    code, _, err = ask("gallery", "tniy", "--runs", tiny_runs)
    assert code == 2
    assert "There is no run 'tniy'. Runs in" in err


def test_gallery_replaces_no_work_of_others(tiny_runs: Path, tmp_path: Path, ask: Ask) -> None:
    out = tmp_path / "thesis.html"
    out.write_text("years of work")
    code, _, err = ask("gallery", "tiny", "--runs", tiny_runs, "--out", out)
    assert code == 2
    assert "no gallery page, so it is not replaced" in err
    assert out.read_text() == "years of work"
    assert list(tmp_path.iterdir()) == [out]
