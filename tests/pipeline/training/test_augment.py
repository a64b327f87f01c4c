from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.training.augment import (
    AUGMENTATIONS,
    augment,
    check_names,
    mirrored,
    moved_together,
)

SIDE = 32
SEED = tf.constant([1, 2], tf.int64)
OTHER_SEED = tf.constant([1, 3], tf.int64)


@pytest.fixture
def noise() -> Any:
    return tf.random.stateless_uniform([64, SIDE, SIDE, 3], [5, 6], 0.5, 1.0)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_augmented_pictures_keep_shape_and_type(name: str, noise: Any) -> None:
    changed = augment(noise, [name], SEED)
    assert changed.shape == noise.shape
    assert changed.dtype == tf.float32
    assert not np.array_equal(changed, noise)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_same_seed_makes_the_same_change_and_another_seed_another(name: str, noise: Any) -> None:
    first = augment(noise, [name], SEED)
    np.testing.assert_array_equal(first, augment(noise, [name], SEED))
    assert not np.array_equal(first, augment(noise, [name], OTHER_SEED))


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_gradient_goes_through_to_the_pictures(name: str, noise: Any) -> None:
    with tf.GradientTape() as tape:
        tape.watch(noise)
        total = tf.reduce_sum(augment(noise, [name], SEED))
    gradient = tape.gradient(total, noise).numpy()
    assert np.isfinite(gradient).all()
    assert np.mean(gradient != 0) > 0.5


def test_no_names_change_nothing(noise: Any) -> None:
    assert augment(noise, [], SEED) is noise


def test_several_changes_come_one_after_the_other(noise: Any) -> None:
    both = augment(noise, ["cutout", "brightness"], SEED).numpy()
    assert not (both == 0).any()  # brightness came after the hole and lifted it
    assert (both < 0.5).any()


def test_shift_moves_each_picture_by_at_most_an_eighth_and_repeats_its_border() -> None:
    place = np.stack(np.meshgrid(*[np.arange(SIDE)] * 2, indexing="ij"), axis=-1)
    pictures = tf.constant(np.tile(place, [256, 1, 1, 1]), tf.float32)
    moved = augment(pictures, ["shift"], SEED).numpy()
    middle = SIDE // 2
    moves = (moved[:, middle, middle] - middle).astype(int)
    assert moves.min(axis=0).tolist() == [-4, -4]
    assert moves.max(axis=0).tolist() == [4, 4]
    assert len({tuple(move) for move in moves}) > 40
    for picture, move in zip(moved[:16], moves[:16], strict=True):
        np.testing.assert_array_equal(picture, np.clip(place + move, 0, SIDE - 1))


def test_cutout_sets_one_square_of_half_the_side_to_0(noise: Any) -> None:
    holes = (augment(noise, ["cutout"], SEED).numpy() == 0).all(axis=-1)
    for hole in holes:
        rows, columns = hole.any(axis=1), hole.any(axis=0)
        np.testing.assert_array_equal(hole, rows[:, None] & columns[None])
        for extent in (rows.sum(), columns.sum()):
            assert SIDE // 4 <= extent <= SIDE // 2
    assert len({hole.tobytes() for hole in holes}) > 32


def test_brightness_adds_one_number_to_all_pixels_of_a_picture(noise: Any) -> None:
    added = augment(noise, ["brightness"], SEED).numpy() - noise.numpy()
    first = added[:, :1, :1, :1]
    np.testing.assert_allclose(added, np.broadcast_to(first, added.shape), atol=1e-6)
    assert np.abs(first).max() <= 0.5
    assert first.min() < -0.3
    assert first.max() > 0.3


def test_unknown_augmentation_lists_those_there_are() -> None:
    with pytest.raises(PocketganError, match=r"train\.augment: .*'shfit'[\s\S]*shift, cutout"):
        check_names(["cutout", "shfit"])


@pytest.mark.parametrize("scale", [1, 2])
def test_pairs_are_moved_together_whatever_their_sizes_and_stay_pairs(scale: int) -> None:
    inputs = tf.random.stateless_uniform([16, 12, 12, 3], [5, 6])
    targets = tf.repeat(tf.repeat(inputs, scale, 1), scale, 2)
    moved, moved_targets = moved_together(inputs, targets, 3, SEED)
    assert not np.array_equal(moved, inputs)
    np.testing.assert_array_equal(tf.repeat(tf.repeat(moved, scale, 1), scale, 2), moved_targets)
    np.testing.assert_array_equal(moved_together(inputs, targets, 0, SEED)[0], inputs)


def test_half_of_the_pairs_are_mirrored_and_both_pictures_of_a_pair_alike() -> None:
    inputs = tf.random.stateless_uniform([64, 4, 4, 3], [5, 6])
    first, second = mirrored([inputs, 1 - inputs], SEED)
    np.testing.assert_allclose(first, 1 - second)
    turned = [np.array_equal(one, other[:, ::-1]) for one, other in zip(first, inputs, strict=True)]
    assert 16 < sum(turned) < 48


def test_mirror_turns_half_of_the_pictures_left_to_right_and_leaves_the_others(noise: Any) -> None:
    changed, original = augment(noise, ["mirror"], SEED).numpy(), noise.numpy()
    turned = (changed == original[:, :, ::-1]).all((1, 2, 3))
    same = (changed == original).all((1, 2, 3))
    assert (turned | same).all()
    assert 0.25 < turned.mean() < 0.75
