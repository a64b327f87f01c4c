import numpy as np
import pytest

from pipeline.arrays import Images
from pipeline.data.degrade import DEGRADATIONS, LEAST_HIDDEN, MOST_HIDDEN, degrade


def pictures(count: int = 6, size: int = 32, channels: int = 3) -> Images:
    shape = (count, size, size, channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_degradations_are_those_that_the_recipe_names() -> None:
    assert list(DEGRADATIONS) == ["grey", "mask", "half", "quarter", "blur", "noise", "jpeg"]
    assert all(each.describe and "\n" not in each.describe for each in DEGRADATIONS.values())


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_inputs_depend_on_seed_and_number_alone(name: str) -> None:
    images = pictures()
    inputs = degrade(images, name, (7, 0))
    assert inputs.dtype == np.uint8
    assert (degrade(images, name, (7, 0)) == inputs).all()
    assert (degrade(images[:3], name, (7, 0)) == inputs[:3]).all()
    random = name in ("mask", "noise")
    assert (degrade(images, name, (7, 1)) != inputs).any() == random


@pytest.mark.parametrize("name", [name for name in DEGRADATIONS if name != "grey"])
def test_grey_pictures_can_be_degraded(name: str) -> None:
    channels = degrade(pictures(channels=1), name, (1,)).shape[-1]
    assert channels == (2 if name == "mask" else 1)


def test_grey_is_the_luma() -> None:
    image = np.zeros((1, 2, 2, 3), np.uint8)
    image[..., 1] = 255
    inputs = degrade(image, "grey", (1,))
    assert inputs.shape == (1, 2, 2, 1)
    assert (inputs == 150).all()


def test_mask_hides_what_its_last_channel_says() -> None:
    images = pictures(40)
    inputs = degrade(images, "mask", (1,))
    hidden = inputs[..., 3] == 255
    assert (hidden | (inputs[..., 3] == 0)).all()
    assert (inputs[..., :3][hidden] == 128).all()
    assert (inputs[..., :3][~hidden] == images[~hidden]).all()


@pytest.mark.parametrize("size", [2, 5, 28, 64])
def test_mask_never_hides_nothing_or_nearly_all(size: int) -> None:
    hidden = degrade(pictures(60, size), "mask", (3,))[..., 3] > 0
    shares = hidden.mean(axis=(1, 2))
    assert shares.min() >= LEAST_HIDDEN
    assert shares.max() <= MOST_HIDDEN


@pytest.mark.parametrize(("name", "size"), [("half", 16), ("quarter", 8)])
def test_smaller_inputs_are_antialiased(name: str, size: int) -> None:
    lines = np.zeros((1, 32, 32, 3), np.uint8)
    lines[:, :, ::2] = 255
    inputs = degrade(lines, name, (1,))
    assert inputs.shape == (1, size, size, 3)
    inner = inputs[:, :, 2:-2].astype(int)
    assert np.abs(inner - 127.5).max() < 20  # plain picking of pixels gives 0 or 255


def test_blur_spreads_a_point_and_leaves_a_plain_picture_as_it_is() -> None:
    point = np.zeros((1, 31, 31, 1), np.uint8)
    point[0, 15, 15] = 255
    inputs = degrade(point, "blur", (1,))[0, ..., 0].astype(int)
    assert inputs[15, 15] == inputs.max()
    assert abs(inputs.max() - 255 / (2 * np.pi * 1.6**2)) < 1  # the density of the Gaussian
    plain = np.full((1, 8, 8, 3), 77, np.uint8)
    assert (degrade(plain, "blur", (1,)) == plain).all()


def test_noise_has_its_standard_deviation() -> None:
    plain = np.full((4, 64, 64, 3), 128, np.uint8)
    difference = degrade(plain, "noise", (1,)).astype(int) - 128
    assert abs(difference.std() - 25) < 0.5
    assert abs(difference.mean()) < 0.5


def test_jpeg_changes_details_and_keeps_the_picture() -> None:
    ramp = np.tile(np.arange(0, 256, 8, dtype=np.uint8), (1, 32, 1)).reshape(1, 32, 32, 1)
    inputs = degrade(np.repeat(ramp, 3, axis=-1), "jpeg", (1,))
    assert inputs.shape == (1, 32, 32, 3)
    assert 0 < np.abs(inputs.astype(int) - ramp).mean() < 8
