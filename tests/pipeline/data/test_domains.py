from pathlib import Path

import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import domains
from pipeline.data.reading import Request


def fill(folder: Path, count: int, grey: int) -> Path:
    for index in range(count):
        path = folder / ("even" if index % 2 else "odd") / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (12, 12), grey + index).save(path)
    return folder


def request(tmp_path: Path, folder: Path | None, inputs: Path | None) -> Request:
    return Request(
        image_size=8,
        channels=1,
        folder=folder,
        inputs=inputs,
        cache=tmp_path / "cache",
        test_fraction=0.2,
        seed=1,
    )


def test_domains_are_two_folders_that_need_not_be_of_one_size(tmp_path: Path) -> None:
    targets, inputs = fill(tmp_path / "a", 10, 5), fill(tmp_path / "b", 20, 15)
    (inputs / "odd" / "broken.png").touch()
    data = domains.load(request(tmp_path, targets, inputs))
    assert data.train_inputs is not None
    assert data.test_inputs is not None
    assert (len(data.train), len(data.test)) == (8, 2)
    assert (len(data.train_inputs), len(data.test_inputs)) == (16, 4)
    assert data.train.min() >= 5
    assert data.train.max() < 15
    assert data.test_inputs.min() >= 15
    assert (data.name, data.classes, data.train_labels) == ("a", (), None)
    assert not data.aligned
    assert data.notes[0] == "data.inputs: 1 of 21 images are broken or too small and were skipped"


def test_copies_of_a_test_picture_in_the_other_folder_are_not_trained_on(tmp_path: Path) -> None:
    targets, inputs = fill(tmp_path / "a", 10, 5), fill(tmp_path / "b", 20, 5)
    data = domains.load(request(tmp_path, targets, inputs))
    assert data.train_inputs is not None
    assert data.test_inputs is not None
    parts = (data.train, data.test, data.train_inputs, data.test_inputs)
    greys, test, read, test_read = (set(part[:, 0, 0, 0].tolist()) for part in parts)
    assert not greys & test_read
    assert not read & test
    dropped = 16 - len(data.train_inputs)
    assert dropped > 0
    note = f"data.inputs: {dropped} copies of test pictures of the other folder are left out"
    assert note in data.notes


def test_domains_refuse_one_folder_for_both(tmp_path: Path) -> None:
    folder = fill(tmp_path / "a", 4, 0)
    with pytest.raises(PocketganError, match="the folder of both domains"):
        domains.load(request(tmp_path, folder, folder / ".." / "a"))


@pytest.mark.parametrize("outer", ["folder", "inputs"])
def test_domains_refuse_a_folder_inside_of_the_other(tmp_path: Path, outer: str) -> None:
    folders = [fill(tmp_path / "a", 4, 0), fill(tmp_path / "a" / "deep" / "b", 4, 9)]
    with pytest.raises(PocketganError, match=r"deep/b lies in .*of both domains"):
        domains.load(request(tmp_path, *(folders if outer == "folder" else folders[::-1])))


@pytest.mark.parametrize("named", ["folder", "inputs"])
def test_domains_refuse_a_single_folder(tmp_path: Path, named: str) -> None:
    folder = fill(tmp_path / "a", 4, 0)
    one = (folder, None) if named == "folder" else (None, folder)
    with pytest.raises(PocketganError, match="needs two folders"):
        domains.load(request(tmp_path, *one))
