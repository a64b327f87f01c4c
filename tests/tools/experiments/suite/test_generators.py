import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.training.randomness import Prior, Purpose, latents
from tools.experiments.suite.generators import (
    DOUBLINGS,
    FAMILIES,
    LATENT,
    MOST_CHANNELS,
    PIXELS,
    WIDTHS,
    Member,
    build,
    left_out,
    members,
)


def test_maps_double_to_half_the_picture_while_channels_halve():
    assert Member("resize_conv", 28, 32).maps == [(7, 64), (14, 32)]
    assert Member("resize_conv", 64, 16).maps == [(8, 64), (16, 32), (32, 16)]
    assert Member("resize_conv", 256, 64).maps[0] == (8, MOST_CHANNELS)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pixels", [28, 64])
def test_picture_has_its_size_and_is_neither_flat_nor_saturated(family, pixels):
    member = Member(family, pixels, 16)
    model = build(member, seed=1)
    pictures = model(latents(1, Purpose.FIXED, count=8, prior=Prior(LATENT))).numpy()
    assert pictures.shape == (8, pixels, pixels, member.channels)
    assert pictures.std(axis=0).mean() > 0.05  # they differ
    assert pictures.std(axis=(1, 2)).mean() > 0.05  # and show something
    assert np.mean(np.abs(pictures) > 0.98) < 0.2
    assert np.abs(pictures).max() <= 1


def test_convolutional_families_make_the_same_maps():
    member = {family: Member(family, 64, 16) for family in DOUBLINGS}
    shapes = {
        family: {layer.output_shape[1:] for layer in build(m, 0).layers if "relu" in layer.name}
        for family, m in member.items()
    }
    assert shapes["transposed_conv"] == shapes["resize_conv"] == shapes["depthwise"]
    moved = {
        layer.output_shape[1:]
        for layer in build(member["sub_pixel"], 0).layers
        if layer.name.endswith("_pixels")
    }
    assert moved - {(64, 64, 3)} == {(16, 16, 32), (32, 32, 16)}


def test_seed_decides_the_weights():
    first, same, other = (build(Member("dense", 28, 16), seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_members_too_big_are_left_out_with_the_reason():
    names = {member.name for member in members()}
    (reason,) = left_out()
    assert reason.startswith("dense-256-w64 would have 25 million weights")
    assert "dense-256-w64" not in names
    assert len(names) == len(FAMILIES) * len(PIXELS) * len(WIDTHS) - 1


@pytest.mark.parametrize(
    ("choice", "reason"),
    [
        ({"families": ["convnext"]}, "no family convnext"),
        ({"pixels": [32]}, "no number of pixels 32"),
        ({"widths": [7]}, "no width 7"),
        ({"families": ["dense"], "pixels": [256], "widths": [64]}, "25 million weights"),
    ],
)
def test_what_the_set_lacks_is_told(choice, reason):
    with pytest.raises(PocketganError, match=reason):
        members(**choice)
