import base64
import io

import numpy as np
import pytest
from PIL import Image

from pipeline.report.page import difference_grid, sample_grid


def pixels(uri: str) -> np.ndarray:
    head, _, body = uri.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(body))).convert("RGBA"))


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_shows_every_picture_in_its_place(channels):
    images = np.random.default_rng(1).integers(0, 256, (5, 4, 6, channels), np.uint8)
    grid = pixels(sample_grid(images, columns=3))
    assert grid.shape == (4 + 2 + 4, 6 + 2 + 6 + 2 + 6, 4)
    fourth = grid[6:10, 0:6]
    assert (fourth[..., :3] == images[3]).all()
    assert (fourth[..., 3] == 255).all()


def test_gaps_and_empty_places_are_transparent():
    grid = pixels(sample_grid(np.full((3, 4, 4, 1), 255, np.uint8), columns=2))
    assert (grid[4:6, :, 3] == 0).all()
    assert (grid[6:, 6:, 3] == 0).all()


def test_difference_is_blue_where_darker_and_orange_where_brighter():
    baseline = np.full((3, 4, 4, 1), 100, np.uint8)
    images = np.stack([baseline[0] - 10, baseline[1], baseline[2] + 10])
    darker, same, brighter = (
        pixels(difference_grid(images, baseline, 3))[0, x] for x in (0, 6, 12)
    )
    assert darker[2] > darker[0]
    assert brighter[0] > brighter[2]
    assert same[3] < 40
    assert darker[3] == brighter[3] == 2 * 8 * 10


def test_difference_is_amplified_and_full_from_sixteen_levels_on():
    baseline = np.zeros((3, 2, 2, 1), np.uint8)
    images = baseline + np.array([4, 16, 200], np.uint8).reshape(3, 1, 1, 1)
    alphas = pixels(difference_grid(images, baseline, 3))[0, [0, 4, 8], 3]
    assert alphas[0] < alphas[1] == alphas[2]


def test_difference_shows_the_channel_that_changed_most():
    baseline = np.full((1, 2, 2, 3), 100, np.uint8)
    images = baseline.copy()
    images[..., 0] += 2
    images[..., 2] -= 12
    grid = pixels(difference_grid(images, baseline, 1))[0, 0]
    assert grid[2] > grid[0]


def test_same_pictures_give_the_same_bytes():
    images = np.random.default_rng(2).integers(0, 256, (4, 8, 8, 1), np.uint8)
    assert sample_grid(images) == sample_grid(images)
