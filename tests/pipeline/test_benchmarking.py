from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan
from pipeline.atomic import locked
from pipeline.benchmarking import RESULT, Question, benchmark, find, is_model, latents


def touch(folder: Path, *names: str) -> list[str]:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return [str(folder / name) for name in names]


def test_file_is_called_by_its_stem(tmp_path: Path) -> None:
    (names,) = touch(tmp_path, "gen.tflite")
    assert find([names]) == {"gen": tmp_path / "gen.tflite"}


def test_folder_gives_its_files_in_the_order_of_every_table(tmp_path: Path) -> None:
    touch(tmp_path, "int8.tflite", "other.tflite", "float32.tflite", "notes.txt")
    assert list(find([str(tmp_path)])) == ["float32", "int8", "other"]


def test_equal_stems_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    names = touch(tmp_path, "a/x/int8.tflite", "b/x/int8.tflite")
    assert list(find(names)) == ["a/x/int8", "b/x/int8"]


def test_file_named_twice_is_one_file(tmp_path: Path) -> None:
    (names,) = touch(tmp_path, "gen.tflite")
    assert len(find([names, names, str(tmp_path)])) == 1


def test_stems_that_only_the_suffix_tells_apart_keep_their_paths(tmp_path: Path) -> None:
    names = touch(tmp_path, "gen.tflite", "gen.lite")
    assert set(find(names)) == set(names)


@pytest.mark.parametrize(("name", "word"), [("none.tflite", "no such file"), ("", "holds no")])
def test_nothing_to_measure_is_an_error(name: str, word: str, tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=word):
        find([str(tmp_path / name)])


def test_folder_that_is_called_like_a_file_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "gen.tflite")
    (tmp_path / "folder.tflite").mkdir()
    assert list(find([str(tmp_path)])) == ["gen"]


def test_model_is_known_by_how_it_begins(tmp_path: Path) -> None:
    model, text = tmp_path / "model.lite", tmp_path / "text.lite"
    model.write_bytes(b"\x1c\0\0\0TFL3 and more")
    text.write_text("name: digits")
    assert [is_model(path) for path in (model, text, tmp_path, tmp_path / "gone")] == [
        *(True, False, False, False)
    ]


@pytest.mark.parametrize("values", [[[np.nan, 1.0]], [[np.inf, 1.0]], [1.0], [[1]]])
def test_latents_that_cannot_be_fed_are_refused(values: object, tmp_path: Path) -> None:
    path = tmp_path / "latents.npy"
    np.save(path, np.array(values))
    with pytest.raises(PocketganError, match="latents must be"):
        latents(path)


def test_two_do_not_write_one_answer(tmp_path: Path) -> None:
    (name,) = touch(tmp_path, "gen.tflite")
    files = find([name])
    nothing = Question(files=files, targets=[], plan=MeasuringPlan(), baseline="gen")
    folder = tmp_path / "answer"
    folder.mkdir()
    with locked(folder / f".{RESULT}.lock"), pytest.raises(PocketganError) as error:
        benchmark(nothing, folder)
    assert error.value.problem == f"{folder}: another pocketgan measures into this folder."
    assert "--out" in error.value.remedy
    benchmark(nothing, folder)
    assert {path.name for path in folder.iterdir()} <= {RESULT}
