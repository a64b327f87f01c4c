"""How files read pictures: their signature, their tiles, and pictures to show them with."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from deploy.bundle import schema
from deploy.errors import PocketganError
from pipeline.artifacts import HELD_BACK
from pipeline.finished_run import FinishedRun, open_run
from pipeline.importers.input_roles import InputKind
from pipeline.pictures_read import example_inputs, picture_read, tiles_of, with_size
from pipeline.plans import FROM_TEACHER
from pipeline.tflite.convert import to_float32

layers = tf_keras.layers


def _file(*network: tf_keras.layers.Layer, shape: tuple[int, int, int] = (32, 48, 3)) -> bytes:
    return to_float32(tf_keras.Sequential([layers.Input(shape), *network]), 1)


def _same(channels: int = 3, kernel: int = 3, **more: int) -> tf_keras.layers.Layer:
    return layers.Conv2D(channels, kernel, padding="same", **more)


def test_tiles_overlap_as_far_as_the_file_looks() -> None:
    tiles = schema.Tiles(scale=1, multiple=1, margin=4, seamless=True)
    assert tiles_of(_file(_same(), _same(kernel=7))) == tiles


def test_tiles_of_halved_maps_start_at_whole_pixels_of_them() -> None:
    up = layers.UpSampling2D(4, interpolation="nearest")
    tiles = tiles_of(_file(_same(kernel=5, strides=4), up))
    assert tiles is not None
    assert (tiles.seamless, tiles.multiple) == (True, 4)
    assert tiles.overlap % 4 == 0


@pytest.mark.parametrize("case", ["looks at nearly all", "looks at all", "cannot be followed"])
def test_other_tiles_are_blended(case: str) -> None:
    network = {
        "looks at nearly all": [_same(kernel=27)],  # 26 of 32
        "looks at all": [_same(kernel=65)],
        "cannot be followed": [layers.Conv2D(3, 3), layers.Cropping2D(1), layers.ZeroPadding2D(2)],
    }[case]
    tiles = schema.Tiles(scale=1, multiple=1, margin=8, seamless=False)
    assert tiles_of(_file(*network)) == tiles


def test_no_tiles_where_the_picture_is_no_whole_number_of_times_as_large() -> None:
    assert tiles_of(_file(layers.Conv2D(3, 3))) is None
    assert tiles_of(_file(_same(strides=2))) is None


@pytest.mark.parametrize(
    ("depth", "parts", "channels", "mask"),
    [
        (3, (), "rgb", False),
        (1, (), "grey", False),
        (4, (), "rgb", True),
        (2, (), "grey", True),
        (4, (InputKind.PICTURE, InputKind.MASK), "rgb", True),
        (3, (InputKind.PICTURE,), "rgb", False),
    ],
)
def test_channels_are_a_picture_and_perhaps_its_mask(
    depth: int, parts: tuple[InputKind, ...], channels: str, mask: bool
) -> None:
    picture = picture_read(_file(_same(), shape=(32, 48, depth)), (0.0, 1.0), parts)
    assert (picture.low, picture.high) == (0, 1)
    assert (picture.channels, picture.mask) == (channels, mask)
    assert picture.hidden == (128 if mask else None)
    assert picture.depth == depth


@pytest.mark.parametrize(
    ("depth", "parts", "answer"),
    [
        (6, (), "6 channels"),
        (6, (InputKind.PICTURE, InputKind.PICTURE), "picture and picture"),
        (4, (InputKind.PICTURE, InputKind.CLASS), "picture and class"),
        (4, (InputKind.MASK, InputKind.PICTURE), "mask and picture"),
    ],
)
def test_other_channels_are_refused(depth: int, parts: tuple[InputKind, ...], answer: str) -> None:
    with pytest.raises(PocketganError, match=f"the generator reads {answer}; a bundle's code can"):
        picture_read(_file(_same(), shape=(32, 48, depth)), (0.0, 1.0), parts)


# ---------------------------------------------------------------------- pictures to show


MASKED = schema.PictureInput(low=-1, high=1, channels="grey", mask=True, hidden=128, tiles=None)
PLAIN = schema.PictureInput(low=-1, high=1, channels="grey", tiles=None)
PICTURES = np.array([[[[128], [3]], [[128], [129]]]], np.uint8)


@pytest.fixture
def run(tiny_copy: Path) -> FinishedRun:
    """A finished run whose evaluation shows PICTURES as its inputs."""
    run = open_run("tiny", tiny_copy)
    np.savez(run.stage("evaluate") / "samples.npz", input=PICTURES)
    return run


def test_pictures_are_those_of_the_evaluation(run: FinishedRun) -> None:
    assert example_inputs(run, PLAIN).tolist() == PICTURES.tolist()


def test_a_mask_that_was_not_kept_is_where_the_picture_was_painted(run: FinishedRun) -> None:
    answer = example_inputs(run, MASKED)
    assert answer[..., :1].tolist() == PICTURES.tolist()
    assert answer[0, ..., 1].tolist() == [[255, 0], [255, 0]]


def test_masks_of_a_teachers_pictures_are_those_held_back(run: FinishedRun) -> None:
    taught = replace(run, plan=FROM_TEACHER)
    folder = taught.stage("teacher")
    folder.mkdir()
    masks = np.concatenate([PICTURES, PICTURES], axis=-1)
    np.savez(folder / HELD_BACK, inputs=masks, pictures=PICTURES)
    (folder / "teacher.json").write_text('{"classes": 0, "input_pixels": [-1, 1]}')
    records = {**taught.records, "evaluate": taught.records["train"]}
    assert example_inputs(replace(taught, records=records), MASKED).tolist() == masks.tolist()


def test_without_an_evaluation_there_is_nothing_to_show(run: FinishedRun) -> None:
    records = {name: record for name, record in run.records.items() if name != "evaluate"}
    with pytest.raises(PocketganError, match="stage evaluate has not run") as raised:
        example_inputs(replace(run, records=records), PLAIN)
    assert f"pocketgan run {run.folder / 'recipe.yaml'}" in str(raised.value)


def test_pictures_for_another_size_are_grey_exactly_where_their_masks_hide_them() -> None:
    picture = schema.PictureInput(low=-1, high=1, channels="rgb", mask=True, hidden=128, tiles=None)
    inputs = np.zeros((2, 16, 16, 4), np.uint8)
    inputs[:, 4:9, 4:9] = (128, 128, 128, 255)
    enlarged = with_size(inputs, picture, (24, 40))
    assert enlarged.shape == (2, 24, 40, 4)
    hidden = enlarged[..., 3] == 255
    assert hidden.any()
    assert set(np.unique(enlarged[..., 3])) == {0, 255}
    assert (enlarged[hidden][:, :3] == 128).all()
    assert with_size(inputs, picture, (16, 16)) is inputs
