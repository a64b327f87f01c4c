import numpy as np
import pytest

from pipeline.metrics.trivial import mask_behind, trivial_baseline

RANDOM = np.random.default_rng(1)


def pictures(side: int, channels: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (3, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ("side", "channels", "shape", "name"),
    [
        (8, 3, (8, 8, 3), "the input as it is"),
        (8, 3, (16, 16, 3), "bicubic"),
        (8, 1, (8, 8, 3), "grey"),
        (8, 1, (16, 16, 3), "bicubic, grey"),
        (8, 3, (8, 8, 1), "its luma"),
        (8, 4, (8, 8, 3), "hole in its mean colour"),
        (8, 6, (8, 8, 3), "the input as it is"),
        (8, 6, (16, 16, 3), "bicubic"),
    ],
)
def test_baseline_has_the_shape_asked_for_and_says_what_it_is(
    side: int, channels: int, shape: tuple[int, int, int], name: str
) -> None:
    inputs = pictures(side, channels)
    baseline = trivial_baseline(inputs, shape, mask_behind(inputs, shape[2]))
    assert baseline.name == name
    assert baseline.pictures.shape == (3, *shape)
    assert baseline.pictures.dtype == np.uint8


def test_hole_is_filled_with_the_mean_of_what_is_around_it() -> None:
    inputs = np.full((2, 4, 4, 4), 40, np.uint8)
    inputs[..., 3] = 0
    inputs[0, 1:3, 1:3] = (200, 200, 200, 255)
    inputs[1, ..., 3] = 255
    filled = trivial_baseline(inputs, (4, 4, 3), 3).pictures
    assert (filled[0] == 40).all()
    assert (filled[1] == 128).all()
