import numpy as np
from PIL import Image

from pipeline.arrays import Images
from pipeline.data.fit import fit


def noise(*shape: int) -> Images:
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


def test_fit_leaves_what_fits_already() -> None:
    images = noise(3, 28, 28, 1)
    assert fit(images, 28, 1) is images


def test_fit_puts_28_pixels_amid_background_for_32() -> None:
    images = noise(3, 28, 28, 1)
    fitted = fit(images, 32, 1)
    assert fitted.shape == (3, 32, 32, 1)
    assert (fitted[:, 2:-2, 2:-2] == images).all()
    assert fitted.astype(int).sum() == images.astype(int).sum()


def test_fit_resizes_to_any_other_size_with_antialiasing() -> None:
    lines = np.zeros((2, 28, 28, 1), np.uint8)
    lines[:, :, ::2] = 254
    fitted = fit(lines, 7, 1)
    assert fitted.shape == (2, 7, 7, 1)
    assert np.abs(fitted[:, :, 1:-1].astype(int) - 127).max() < 4
    assert fit(lines, 64, 3).shape == (2, 64, 64, 3)


def test_fit_keeps_images_in_order_and_colours_apart() -> None:
    images = np.zeros((4, 28, 28, 3), np.uint8)
    images[np.arange(3), ..., np.arange(3)] = 200
    fitted = fit(images, 8, 3)
    assert fitted[:, 4, 4].tolist() == [[200, 0, 0], [0, 200, 0], [0, 0, 200], [0, 0, 0]]


def test_fit_repeats_grey_for_three_channels() -> None:
    images = noise(3, 28, 28, 1)
    fitted = fit(images, 28, 3)
    assert fitted.shape == (3, 28, 28, 3)
    assert (fitted == images).all()


def test_fit_greys_colour_exactly_as_pillow_does() -> None:
    images = noise(3, 28, 28, 3)
    expected = [np.asarray(Image.fromarray(image).convert("L")) for image in images]
    fitted = fit(images, 28, 1)
    assert fitted.dtype == np.uint8
    assert (fitted[..., 0] == expected).all()
