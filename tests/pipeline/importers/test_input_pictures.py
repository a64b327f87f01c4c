import shutil
from pathlib import Path

import numpy as np
import pytest
import tf_keras
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data.reading import TILES, WHOLE
from pipeline.importers.input_pictures import (
    FEWEST_INPUTS,
    NO_COLOUR,
    read_input_pictures,
    with_further_parts,
)
from pipeline.importers.input_roles import InputKind, InputPart, can_be, read_role
from pipeline.importers.teacher import Teacher

SIZE, RED = 8, (255, 0, 0)


def reader(*shape: int) -> Teacher:
    pictures = tf_keras.Input(shape)
    return Teacher(
        model=tf_keras.Model(pictures, tf_keras.layers.Conv2D(3, 1)(pictures)),
        latent=0,
        classes=0,
        pixels=(0.0, 1.0),
        input_pixels=(0.0, 1.0),
        origin="a test",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As many pictures as are needed, every one in another grey."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(FEWEST_INPUTS):
        Image.new("RGB", (2 * SIZE, SIZE), (number,) * 3).save(folder / f"{number:02}.png")
    return folder


def refusal(folder: Path, *, cut: str = WHOLE, shape: tuple[int, ...] = (SIZE, SIZE, 3)) -> str:
    with pytest.raises(PocketganError) as caught:
        read_input_pictures(folder, reader(*shape), cut=cut, cache=folder.parent / "cache")
    return str(caught.value)


@pytest.mark.parametrize(("cut", "each"), [(WHOLE, 1), (TILES, 2)])
def test_pictures_are_read_as_the_generator_reads_them(
    cut: str, each: int, folder: Path, tmp_path: Path
) -> None:
    pictures = read_input_pictures(folder, reader(SIZE, SIZE, 1), cut=cut, cache=tmp_path)
    assert pictures.images.shape == (each * FEWEST_INPUTS, SIZE, SIZE, 1)
    assert pictures.counts.tolist() == [each] * FEWEST_INPUTS
    assert pictures.images[:, 0, 0, 0].tolist() == list(np.repeat(range(FEWEST_INPUTS), each))
    assert pictures.notes == ()


def test_what_was_skipped_is_named_and_what_was_enlarged_is_counted(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "broken.png").touch()
    Image.new("RGB", (4, 40), RED).save(folder / "small.png")
    pictures = read_input_pictures(folder, reader(SIZE, SIZE, 3), cut=WHOLE, cache=tmp_path)
    assert pictures.notes == (
        f"1 of {FEWEST_INPUTS + 2} files in {folder} were skipped: broken.png: not an image that "
        "Pillow knows",
        f"{folder}: smaller than asked for: enlarged, the smallest 2.0 times "
        f"(1 of {FEWEST_INPUTS + 2})",
    )


def test_too_few_usable_pictures_are_refused_with_what_is_wrong_with_others(folder: Path) -> None:
    Image.new("RGB", (300, 1)).save(folder / "00.png")
    message = refusal(folder)
    assert f"holds {FEWEST_INPUTS - 1} pictures that can be used" in message
    assert (
        f"With --cut tiles, which cuts many out of each, 3 or more of at least {SIZE}×" in message
    )
    assert "00.png: 300×1 pixels: fewer than 4 on a side show nothing" in message


def test_photos_smaller_than_a_tile_are_refused_with_the_size_that_is_needed(folder: Path) -> None:
    message = refusal(folder, cut=TILES, shape=(16, 16, 3))
    assert "holds 0 pictures that can be used" in message
    assert "Give 3 or more of at least 16×16 pixels" in message


def test_copies_of_a_picture_are_left_out_by_name(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "03.png", folder / "copy.png")
    pictures = read_input_pictures(folder, reader(SIZE, SIZE, 1), cut=TILES, cache=tmp_path)
    assert len(pictures.images) == 2 * FEWEST_INPUTS
    assert pictures.counts.tolist() == [2] * FEWEST_INPUTS + [0]
    assert pictures.notes == (
        f"1 of {FEWEST_INPUTS + 1} files in {folder} are copies of others and were left out: "
        "copy.png is 03.png",
    )


def test_copies_do_not_make_enough_pictures(folder: Path) -> None:
    shutil.copy(folder / "03.png", folder / "00.png")
    assert f"holds {FEWEST_INPUTS - 1} pictures that can be used" in refusal(folder)


def test_grey_pictures_for_a_generator_that_reads_colour_are_no_secret(
    folder: Path, tmp_path: Path
) -> None:
    grey = read_input_pictures(folder, reader(SIZE, SIZE, 3), cut=WHOLE, cache=tmp_path)
    assert grey.notes == (f"{folder}: {NO_COLOUR}",)
    Image.new("RGB", (SIZE, SIZE), RED).save(folder / "red.png")
    colour = read_input_pictures(folder, reader(SIZE, SIZE, 3), cut=WHOLE, cache=tmp_path)
    assert colour.notes == ()


def test_pictures_that_memory_cannot_hold_are_to_be_fewer_as_the_generator_has_its_size(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.data.reading.usable_memory", lambda: 1000)
    words = refusal(folder)
    assert "GB of memory" in words
    assert "Give about " in words
    assert "image_size" not in words


def test_pictures_that_are_all_the_same_are_refused(folder: Path) -> None:
    for file in folder.iterdir():
        Image.new("RGBA", (SIZE, SIZE), (*RED, 0)).save(file)
    assert "are all the same" in refusal(folder)


@pytest.mark.parametrize(
    ("channels", "role"),
    [
        (2, "picture+mask"),
        (4, "picture+mask"),
        (5, "picture+mask+mask"),
        (6, "picture+picture"),
        (7, "picture+picture+mask"),
    ],
)
def test_channels_that_no_folder_holds_are_refused_with_a_role_that_they_can_have(
    channels: int, role: str, folder: Path
) -> None:
    message = refusal(folder, shape=(SIZE, SIZE, channels))
    assert "only grey and colour can be read from a folder" in message
    assert f"Give --input NAME={role}." in message
    assert can_be(read_role(f"NAME={role}")[1].kinds, channels)


def test_channels_that_can_be_nothing_are_refused_without_naming_a_role(folder: Path) -> None:
    message = refusal(folder, shape=(SIZE, SIZE, 11))
    assert "11 channels" in message
    assert "--input" not in message


@pytest.mark.parametrize("cut", [WHOLE, TILES])
def test_oblong_pictures_are_read_as_oblong_ones(cut: str, folder: Path, tmp_path: Path) -> None:
    pictures = read_input_pictures(folder, reader(4, SIZE, 3), cut=cut, cache=tmp_path)
    assert pictures.images.shape[1:] == (4, SIZE, 3)
    assert set(pictures.counts) == {1 if cut == WHOLE else 4}


def part(kind: InputKind, size: int) -> InputPart:
    return InputPart(name=kind, kind=kind, size=size)


def test_mask_hides_what_is_grey_and_every_second_picture_is_another_one() -> None:
    pictures = np.repeat(np.arange(1, 9, dtype=np.uint8), SIZE * SIZE * 3).reshape(8, SIZE, SIZE, 3)
    kinds = (
        (InputKind.PICTURE, 3),
        (InputKind.PICTURE, 1),
        (InputKind.MASK, 1),
        (InputKind.CLASS, 5),
    )
    whole = with_further_parts(pictures, [part(*each) for each in kinds], seed=1)
    assert whole.shape == (8, SIZE, SIZE, 10)
    first, second, mask, planes = np.split(whole, [3, 4, 5], axis=-1)
    hidden = mask[..., 0] == 255
    assert set(np.unique(mask)) == {0, 255}
    assert (first[hidden] == 128).all()
    assert (first[~hidden] == pictures[~hidden]).all()
    assert (second[:, 0, 0, 0] != pictures[:, 0, 0, 0]).all()
    assert sorted(second[:, 0, 0, 0]) == sorted(pictures[:, 0, 0, 0])
    assert (planes.sum(-1) == 255).all()
    assert (planes == planes[:, :1, :1]).all()
    again = with_further_parts(pictures, [part(*each) for each in kinds], seed=1)
    assert (again == whole).all()
