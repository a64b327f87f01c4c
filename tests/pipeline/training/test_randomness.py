import numpy as np
import pytest

from pipeline.training.randomness import Purpose, draw_latents, latents, seed_pair


def test_latents_of_one_seed_are_the_same_and_of_another_not() -> None:
    first = latents(1, Purpose.EVALUATION, 8, 5, 0)
    np.testing.assert_array_equal(first, latents(1, Purpose.EVALUATION, 8, 5, 0))
    assert not np.array_equal(first, latents(2, Purpose.EVALUATION, 8, 5, 0))
    assert first.dtype == np.float32


def test_no_two_purposes_share_their_numbers_even_across_seeds() -> None:
    drawn = {latents(seed, purpose, 1, 4, 0).tobytes() for seed in range(3) for purpose in Purpose}
    assert len(drawn) == 3 * len(Purpose)


def test_latents_are_normal() -> None:
    drawn = latents(1, Purpose.CALIBRATION, 4000, 5, 0)
    assert drawn.mean() == pytest.approx(0, abs=0.03)
    assert drawn.std() == pytest.approx(1, abs=0.03)


def test_conditional_latents_end_with_the_class_that_is_returned() -> None:
    drawn, one_hot = draw_latents(seed_pair(1, Purpose.LATENT, 7), 300, 5, 3)
    assert drawn.shape == [300, 8]
    np.testing.assert_array_equal(drawn[:, 5:], one_hot)
    np.testing.assert_array_equal(np.sum(one_hot, axis=1), np.ones(300))
    assert (np.sum(one_hot, axis=0) > 60).all()


def test_calibration_and_evaluation_latents_differ() -> None:
    shared = [latents(1, purpose, 4, 6, 0) for purpose in (Purpose.CALIBRATION, Purpose.EVALUATION)]
    assert not np.isin(shared[0], shared[1]).any()
