import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.randomness import (
    Prior,
    Purpose,
    StepSeeds,
    draw_latents,
    latents,
    seed_pair,
    split_seed,
)


def test_latents_of_one_seed_are_the_same_and_of_another_not() -> None:
    first = latents(1, Purpose.EVALUATION, count=8, prior=Prior(5))
    np.testing.assert_array_equal(first, latents(1, Purpose.EVALUATION, count=8, prior=Prior(5)))
    assert not np.array_equal(first, latents(2, Purpose.EVALUATION, count=8, prior=Prior(5)))
    assert first.dtype == np.float32


def test_no_two_purposes_share_their_numbers_even_across_seeds() -> None:
    distinct = {
        latents(seed, purpose, count=1, prior=Prior(4)).tobytes()
        for seed in range(3)
        for purpose in Purpose
    }
    assert len(distinct) == 3 * len(Purpose)


def test_latents_are_normal() -> None:
    inputs = latents(1, Purpose.CALIBRATION, count=4000, prior=Prior(5))
    assert inputs.mean() == pytest.approx(0, abs=0.03)
    assert inputs.std() == pytest.approx(1, abs=0.03)


def test_conditional_latents_end_with_the_class_that_is_returned() -> None:
    inputs, one_hot = draw_latents(seed_pair(1, Purpose.LATENT, 7), 300, Prior.even(5, 3))
    assert inputs.shape == [300, 8]
    np.testing.assert_array_equal(inputs[:, 5:], one_hot)
    np.testing.assert_array_equal(np.sum(one_hot, axis=1), np.ones(300))
    assert (np.sum(one_hot, axis=0) > 60).all()


def test_classes_are_drawn_by_their_weights() -> None:
    _, one_hot = draw_latents(seed_pair(1, Purpose.LATENT, 7), 4000, Prior(5, (10, 0, 70, 20)))
    shares = np.mean(one_hot, axis=0)
    assert shares[1] == 0
    np.testing.assert_allclose(shares, [0.1, 0, 0.7, 0.2], atol=0.03)


def test_classes_of_equal_weight_are_drawn_as_in_the_first_version() -> None:
    seed = seed_pair(1, Purpose.LATENT, 7)
    first = tf.random.stateless_uniform([300], split_seed(seed, 1), maxval=3, dtype=tf.int32)
    for weights in ((1, 1, 1), (500, 500, 500)):
        _, one_hot = draw_latents(seed, 300, Prior(5, weights))
        np.testing.assert_array_equal(np.argmax(one_hot, axis=1), first)


def test_calibration_and_evaluation_latents_differ() -> None:
    shared = [
        latents(1, purpose, count=4, prior=Prior(6))
        for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION)
    ]
    assert not np.isin(shared[0], shared[1]).any()


def test_no_two_steps_or_sub_steps_share_a_stream() -> None:
    pairs = [
        tuple(StepSeeds(1, step, sub_step)(purpose).numpy())
        for purpose in (Purpose.LATENT, Purpose.BATCH)
        for step in range(4)
        for sub_step in range(100)
    ]
    splits = [
        tuple(split_seed(StepSeeds(1, step)(Purpose.LATENT), number).numpy())
        for step in range(4)
        for number in range(100)
    ]
    assert len({*pairs, *splits}) == len(pairs) + len(splits)


def test_sub_step_0_has_the_streams_of_the_first_version() -> None:
    """Whoever trained with one critic step gets the same files."""
    assert StepSeeds(3, 5)(Purpose.BATCH).numpy().tolist() == [3 * 64 + Purpose.BATCH, 5 * 64]


def test_every_purpose_has_room_between_two_seeds() -> None:
    assert max(Purpose) < seed_pair(1, 0, 0).numpy()[0] - seed_pair(0, 0, 0).numpy()[0]
