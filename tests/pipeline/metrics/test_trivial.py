import numpy as np
import pytest

from pipeline.metrics.trivial import MOST_EXAMPLES, mask_behind, trivial_baseline

RANDOM = np.random.default_rng(1)


def pictures(side: int, channels: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (3, side, side, channels), dtype=np.uint8)


@pytest.mark.parametrize(
    ("side", "parts", "shape", "name"),
    [
        (8, (3,), (8, 8, 3), "the input as it is"),
        (8, (3,), (16, 16, 3), "bicubic"),
        (8, (1,), (8, 8, 3), "grey"),
        (8, (1,), (16, 16, 3), "bicubic, grey"),
        (8, (3,), (8, 8, 1), "its luma"),
        (8, (3, 1), (8, 8, 3), "hole in its mean colour"),
        (8, (3, 3), (8, 8, 3), "the input as it is"),
        (8, (3, 3), (16, 16, 3), "bicubic"),
        (8, (3, 3), (8, 8, 1), "its luma"),
        (8, (1, 1, 1), (8, 8, 1), "the input as it is"),
    ],
)
def test_baseline_has_the_shape_asked_for_and_says_what_it_is(
    side: int, parts: tuple[int, ...], shape: tuple[int, int, int], name: str
) -> None:
    inputs = pictures(side, sum(parts))
    mask = mask_behind(inputs, shape[2]) if parts == (3, 1) else None
    baseline = trivial_baseline(inputs, shape, visible=parts[0], mask=mask)
    assert baseline.name == name
    assert baseline.pictures.shape == (3, *shape)
    assert baseline.pictures.dtype == np.uint8


@pytest.mark.parametrize("further", [1, 3])
def test_grey_of_colours_is_their_luma_whatever_lies_behind_them(further: int) -> None:
    inputs = pictures(8, 3 + further)
    mask = 3 if further == 1 else None
    inputs[..., 3:] = 0
    alone = trivial_baseline(inputs[..., :3], (8, 8, 1), visible=3)
    assert (
        trivial_baseline(inputs, (8, 8, 1), visible=3, mask=mask).pictures == alone.pictures
    ).all()


def test_hole_is_filled_with_the_mean_of_what_is_around_it() -> None:
    inputs = np.full((2, 4, 4, 4), 40, np.uint8)
    inputs[..., 3] = 0
    inputs[0, 1:3, 1:3] = (200, 200, 200, 255)
    inputs[1, ..., 3] = 255
    filled = trivial_baseline(inputs, (4, 4, 3), visible=3, mask=3).pictures
    assert (filled[0] == 40).all()
    assert (filled[1] == 128).all()


def turned(colours: np.ndarray) -> np.ndarray:
    """Other colours of the same shapes, as a map becomes a photo: dimmed, red and blue swapped."""
    return np.rint(colours[..., ::-1] / 2 + 20).astype(np.uint8)


def test_colours_alone_are_mapped_where_that_brings_the_pictures_nearer() -> None:
    inputs, new = pictures(8, 3), pictures(8, 3)
    baseline = trivial_baseline(new, (8, 8, 3), visible=3, examples=(inputs, turned(inputs)))
    assert baseline.name == "the input as it is, recoloured"
    difference = baseline.pictures.astype(int) - turned(new)
    assert np.abs(difference).max() <= 1
    assert baseline.pictures.dtype == np.uint8


def test_grey_may_get_the_colour_that_all_pictures_share() -> None:
    inputs = pictures(8, 1)
    sepia = np.concatenate([inputs, inputs // 2, inputs // 4], axis=-1)
    baseline = trivial_baseline(inputs, (8, 8, 3), visible=1, examples=(inputs, sepia))
    assert baseline.name == "grey, recoloured"
    assert np.abs(baseline.pictures.astype(int) - sepia).max() <= 1


def test_baseline_stays_plain_where_colours_gain_less_than_a_decibel() -> None:
    inputs = pictures(8, 3)
    near = np.clip(inputs + RANDOM.normal(0, 20, inputs.shape) + 4, 0, 255).astype(np.uint8)
    baseline = trivial_baseline(inputs, (8, 8, 3), visible=3, examples=(inputs, near))
    assert baseline.name == "the input as it is"
    assert (baseline.pictures == inputs).all()


def test_colours_are_learnt_from_all_parts_of_the_examples() -> None:
    few, many = (RANDOM.integers(0, 256, (n, 2, 2, 3), np.uint8) for n in (MOST_EXAMPLES, 2000))
    examples = np.concatenate([few, many]), np.concatenate([few, turned(many)])
    assert trivial_baseline(many, (2, 2, 3), visible=3, examples=examples).name.endswith(
        "recoloured"
    )
