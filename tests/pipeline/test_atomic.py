import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import atomic
from pipeline.atomic import (
    clear_partial_files,
    exclusive,
    finish_replacing,
    replace_folder,
    replaced,
    write_bytes,
    write_text,
)

WRITERS = """
import sys, time
from pathlib import Path
from pipeline.atomic import exclusive, replaced

path, letter, way = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
for _ in range(40):
    if way == "replaced":
        with replaced(path) as aside, aside.open("w") as file:
            for _ in range(20):
                file.write(letter * 50)
                file.flush()
        assert set(path.read_text()) <= {"a", "b"} and len(path.read_text()) == 1000
        assert len(set(path.read_text())) == 1
    else:
        with exclusive(path):
            path.mkdir()
            time.sleep(0.001)
            path.rmdir()
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_written_text_and_bytes_are_there_and_nothing_else(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "é\n")
    write_bytes(tmp_path / "b.bin", b"\0\1")
    assert (tmp_path / "a.txt").read_bytes() == "é\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\0\1"
    assert names(tmp_path) == ["a.txt", "b.bin"]


def test_file_is_unchanged_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with replaced(path) as aside:
        aside.write_text("new, first half")
        assert path.read_text() == "old"
        aside.write_text("new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_failed_write_leaves_the_old_file_and_no_rest(
    error: type[BaseException], tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replaced(path) as aside:  # noqa: PT012
        aside.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_rest_of_a_killed_write_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with replaced(path) as aside:
        name = aside.name
        aside.write_text("x")
    (tmp_path / name).write_text("a longer rest of a killed write")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names(tmp_path) == ["a.txt"]


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    folder = tmp_path / ".partial"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "new.txt").write_text("new")
    return folder


def test_folder_takes_its_place(partial: Path, tmp_path: Path) -> None:
    replace_folder(partial, tmp_path / "final")
    assert names(tmp_path) == ["final"]
    assert (tmp_path / "final" / "inner" / "new.txt").read_text() == "new"


def test_folder_takes_the_place_of_another_and_of_the_rest_of_a_kill(
    partial: Path, tmp_path: Path
) -> None:
    for name in ("final", ".final.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.txt").write_text("old")
    replace_folder(partial, tmp_path / "final")
    assert names(tmp_path) == ["final"]
    assert names(tmp_path / "final") == ["inner"]


def test_old_folder_is_not_removed_before_the_new_one_is_in_its_place(
    partial: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final = tmp_path / "final"
    final.mkdir()
    (final / "old.txt").write_text("old")
    move = os.replace

    def fail_at_the_last_move(source: Path, target: Path) -> None:
        if source == partial:
            raise OSError(28, "No space left on device")
        move(source, target)

    monkeypatch.setattr(os, "replace", fail_at_the_last_move)
    with pytest.raises(OSError, match="No space"):
        replace_folder(partial, final)
    assert (tmp_path / ".final.old" / "old.txt").read_text() == "old"
    assert (partial / "inner" / "new.txt").read_text() == "new"


@pytest.mark.parametrize("way", ["replaced", "exclusive"])
def test_processes_that_write_the_same_file_wait_for_each_other(way: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITERS, str(tmp_path / "file")]
    writers = [
        subprocess.Popen(
            [*command, letter, way],
            env={**os.environ, "PYTHONPATH": str(Path(atomic.__file__).parents[1])},
            stderr=subprocess.PIPE,
            text=True,
        )
        for letter in "ab"
    ]
    assert [(writer.communicate()[1], writer.returncode) for writer in writers] == [("", 0)] * 2
    assert names(tmp_path) == (["file"] if way == "replaced" else [])


def test_lock_that_a_killed_process_left_is_taken_and_cleared(tmp_path: Path) -> None:
    (tmp_path / ".bundle.lock").touch()
    with exclusive(tmp_path / "bundle"):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("moment", ["before the last move", "after it"])
def test_what_a_killed_replacement_left_is_cleared_and_a_whole_folder_stays(
    moment: str, tmp_path: Path
) -> None:
    final, old = tmp_path / "final", tmp_path / ".final.old"
    old.mkdir()
    (old / "old.txt").write_text("old")
    if moment == "after it":
        final.mkdir()
        (final / "new.txt").write_text("new")
    finish_replacing(final)
    assert names(tmp_path) == ["final"]
    assert names(final) == ["old.txt" if moment == "before the last move" else "new.txt"]


def test_partial_files_of_killed_processes_are_cleared_and_those_being_written_stay(
    tmp_path: Path,
) -> None:
    (tmp_path / ".stage.partial" / "inner").mkdir(parents=True)
    (tmp_path / ".stage.partial" / "inner" / ".killed.txt.partial").write_text("half")
    (tmp_path / ".stage.partial" / "inner" / "whole.txt").write_text("whole")
    with replaced(tmp_path / "a.txt") as aside:
        aside.write_text("new")
        clear_partial_files(tmp_path)
    assert names(tmp_path) == [".stage.partial", "a.txt"]
    assert names(tmp_path / ".stage.partial" / "inner") == ["whole.txt"]
