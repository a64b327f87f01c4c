import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.data import pairs
from pipeline.data.dataset import Dataset
from pipeline.data.reading import Request

Load = Callable[..., Dataset]


def write(path: Path, grey: int, size: tuple[int, int] = (12, 12)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, grey).save(path)
    return path


def fill(root: Path, count: int = 10) -> None:
    """Pairs: the input is one step brighter than its target."""
    for index in range(count):
        write(root / "targets" / f"{index}.png", 10 * index)
        write(root / "inputs" / f"{index}.bmp", 10 * index + 1)


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(**changes: Any) -> Dataset:
        settings: dict[str, Any] = {
            "folder": tmp_path / "targets",
            "inputs": tmp_path / "inputs",
            "image_size": 8,
            "channels": 1,
            "cache": tmp_path / "cache",
            "test_fraction": 0.2,
            "seed": 1,
        }
        return pairs.load(Request(**(settings | changes)))

    return load


def inputs_of(data: Dataset) -> tuple[Images, Images]:
    assert data.train_inputs is not None
    assert data.test_inputs is not None
    return data.train_inputs, data.test_inputs


def test_pairs_have_equal_names_in_two_folders(tmp_path: Path, load: Load) -> None:
    fill(tmp_path)
    data = load()
    train_inputs, test_inputs = inputs_of(data)
    assert data.train.shape == train_inputs.shape == (8, 8, 8, 1)
    assert data.test.shape == test_inputs.shape == (2, 8, 8, 1)
    assert (train_inputs == data.train + 1).all()
    assert (test_inputs == data.test + 1).all()
    assert (data.name, data.classes, data.train_labels, data.notes) == ("targets", (), None, ())


def test_pairs_lie_below_folders_of_equal_names(tmp_path: Path, load: Load) -> None:
    for index, name in enumerate(("a/x.png", "b/x.png")):
        write(tmp_path / "targets" / name, 10 * index)
        write(tmp_path / "inputs" / name, 10 * index + 1)
    data = load()
    assert (inputs_of(data)[0] == data.train + 1).all()


def test_pairs_lie_side_by_side_with_the_input_on_the_left(tmp_path: Path, load: Load) -> None:
    (tmp_path / "targets").mkdir()
    for index in range(4):
        image = Image.new("L", (24, 12), 10 * index)
        image.paste(10 * index + 1, (0, 0, 12, 12))
        image.save(tmp_path / "targets" / f"{index}.png")
    write(tmp_path / "targets" / "square.png", 0)
    data = load(inputs=None)
    assert data.train.shape == (3, 8, 8, 1)
    assert (inputs_of(data)[0] == data.train + 1).all()
    assert data.notes == (
        "1 of 5 pairs cannot be used and were skipped: "
        "square.png: 12×12 pixels are not twice as wide as high",
    )


def test_pairs_without_a_partner_are_counted_and_the_first_listed(
    tmp_path: Path, load: Load
) -> None:
    fill(tmp_path, 2)
    for index in range(7):
        write(tmp_path / "targets" / f"alone{index}.png", 0)
    write(tmp_path / "inputs" / "left.png", 0)
    write(tmp_path / "inputs" / "0.png", 0)
    assert load().notes == (
        "1 files of data.inputs have the name of another one and were skipped: 0.png",
        "7 pictures of data.folder have no partner in data.inputs: "
        "alone0.png; alone1.png; alone2.png; alone3.png; alone4.png and 2 more",
        "1 pictures of data.inputs have no partner in data.folder: left.png",
    )


@pytest.mark.parametrize(
    ("target", "source"),
    [((12, 12), (12, 13)), ((24, 12), (12, 12)), ((40, 30), (30, 40)), ((101, 67), (50, 31))],
)
def test_pairs_of_other_proportions_are_skipped_and_listed(
    tmp_path: Path, load: Load, target: tuple[int, int], source: tuple[int, int]
) -> None:
    fill(tmp_path, 3)
    write(tmp_path / "targets" / "1.png", 0, target)
    write(tmp_path / "inputs" / "1.bmp", 0, source)
    data = load()
    (note,) = data.notes
    sizes = f"{target[0]}×{target[1]} pixels, but {source[0]}×{source[1]} in the folder of inputs"
    assert note == f"1 of 3 pairs cannot be used and were skipped: 1.png: {sizes}"
    assert len(data.train) + len(data.test) == 2


@pytest.mark.parametrize("size", [(24, 24), (6, 6), (101, 101)])
def test_pairs_may_be_one_the_other_scaled(
    tmp_path: Path, load: Load, size: tuple[int, int]
) -> None:
    fill(tmp_path, 3)
    write(tmp_path / "inputs" / "1.bmp", 11, size)
    data = load()
    enlarged = ("smaller than asked for: enlarged, the smallest 1.3 times (1 of 3)",)
    assert data.notes == (enlarged if size == (6, 6) else ())
    assert (inputs_of(data)[0] == data.train + 1).all()


def test_pairs_take_the_rounded_sizes_of_a_picture_scaled_down(tmp_path: Path, load: Load) -> None:
    fill(tmp_path, 2)
    write(tmp_path / "targets" / "1.png", 99, (101, 67))
    write(tmp_path / "inputs" / "1.bmp", 1, (50, 33))
    assert load().notes == ()


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_partners_may_write_their_accents_in_one_character_or_in_two(
    forms: tuple[str, str], tmp_path: Path, load: Load
) -> None:
    for number in range(3):
        for folder, form in zip(("targets", "inputs"), forms, strict=True):
            write(tmp_path / folder / unicodedata.normalize(form, f"é{number}.png"), number)
    data = load()
    assert len(data.train) + len(data.test) == 3
    assert data.notes == ()


def test_copies_of_a_test_pair_are_not_trained_on(tmp_path: Path, load: Load) -> None:
    fill(tmp_path, 6)
    for folder, ending in (("targets", "png"), ("inputs", "bmp")):
        for number in range(6):
            file = tmp_path / folder / f"{number}.{ending}"
            shutil.copy(file, file.with_stem(f"copy-{number}"))
    shutil.copy(tmp_path / "inputs" / "5.bmp", tmp_path / "inputs" / "other.bmp")
    write(tmp_path / "targets" / "other.png", 200)
    data = load()
    train_inputs, test_inputs = inputs_of(data)
    train, test = (
        {pair.tobytes() for pair in np.stack(part, axis=1)}
        for part in ((data.train, train_inputs), (data.test, test_inputs))
    )
    assert not train & test
    assert len(train | test) == 7
    assert data.notes[0].startswith("6 are copies of others")


def test_tiles_too_large_for_every_pair_are_told_to_be_smaller(tmp_path: Path, load: Load) -> None:
    fill(tmp_path)
    with pytest.raises(PocketganError) as caught:
        load(cut="tiles", image_size=13)
    assert "0 usable pairs" in caught.value.problem
    assert caught.value.remedy == "Lower data.image_size, or let data.cut be whole."


def test_pairs_are_cut_into_tiles_that_match(tmp_path: Path, load: Load) -> None:
    random = np.random.default_rng(0)
    for index in range(3):
        pixels = random.integers(0, 200, (20, 27), dtype=np.uint8)
        for folder, add in (("targets", 0), ("inputs", 1)):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(pixels + np.uint8(add)).save(tmp_path / folder / f"{index}.png")
    data = load(cut="tiles")
    train_inputs, test_inputs = inputs_of(data)
    assert data.train.shape == (12, 8, 8, 1)
    assert data.test.shape == (6, 8, 8, 1)
    assert (train_inputs == data.train + 1).all()
    assert (test_inputs == data.test + 1).all()


def test_pairs_smaller_than_a_tile_are_refused(tmp_path: Path, load: Load) -> None:
    fill(tmp_path)
    with pytest.raises(PocketganError, match="12×12 pixels are less than a tile of 64×64"):
        load(cut="tiles", image_size=64)


def test_pairs_say_what_was_done_to_their_pixels(tmp_path: Path, load: Load) -> None:
    fill(tmp_path, 6)
    targets, first = tmp_path / "targets", Image.new("RGB", (12, 12))
    Image.new("RGBA", (12, 12), (0, 0, 0, 9)).save(targets / "0.png")
    Image.fromarray(np.full((12, 12), 40000, np.uint16)).save(targets / "1.png")
    (targets / "2.png").unlink()
    Image.new("CMYK", (12, 12)).save(targets / "2.tif")
    (targets / "3.png").unlink()
    first.save(targets / "3.gif", save_all=True, append_images=[Image.new("RGB", (12, 12), "red")])
    Image.new("RGBA", (12, 12), (0, 0, 0, 9)).save(targets / "4.png")
    data = load()
    assert data.notes == (
        "16 bits a channel: scaled to 8 (1 of 6)",
        "CMYK: converted to RGB without a colour profile (1 of 6)",
        "several frames: the first was read (1 of 6)",
        "transparent: laid on white (2 of 6)",
    )
    assert load().notes == data.notes  # from the cache


def test_pairs_that_are_broken_are_listed(tmp_path: Path, load: Load) -> None:
    fill(tmp_path, 3)
    (tmp_path / "inputs" / "2.bmp").write_text("no")
    assert load().notes == (
        "1 of 3 pairs cannot be used and were skipped: 2.png: not an image that Pillow knows",
    )


def test_pairs_are_the_same_from_the_cache_and_read_again_when_an_input_changes(
    tmp_path: Path, load: Load
) -> None:
    fill(tmp_path)
    first = load()
    assert load().sha256 == first.sha256
    write(tmp_path / "inputs" / "3.bmp", 200, (24, 24))
    assert load().sha256 != first.sha256


@pytest.mark.parametrize("count", [0, 1])
def test_pairs_refuse_fewer_than_two(tmp_path: Path, load: Load, count: int) -> None:
    fill(tmp_path, count)
    write(tmp_path / "targets" / "a.png", 0)
    write(tmp_path / "inputs" / "b.png", 0)
    with pytest.raises(PocketganError, match=f"{count} usable pairs .* have no partner") as caught:
        load()
    assert "some hundreds" in caught.value.remedy


def test_pairs_refuse_one_folder_for_both(tmp_path: Path, load: Load) -> None:
    fill(tmp_path)
    with pytest.raises(PocketganError, match="named as the folder of targets and of inputs"):
        load(inputs=tmp_path / "inputs" / ".." / "targets")


def test_pairs_refuse_what_is_no_folder(tmp_path: Path, load: Load) -> None:
    fill(tmp_path)
    with pytest.raises(PocketganError, match="missing does not exist"):
        load(inputs=tmp_path / "missing")
    with pytest.raises(PocketganError, match="was given no folder"):
        load(folder=None)
