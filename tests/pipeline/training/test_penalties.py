from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.penalties import DroppedWeights, gradient_penalty, r1_penalty, weight_penalty
from pipeline.training.randomness import seed_pair
from pipeline.training.settings import WeightSettings

SLOPE = tf.reshape(tf.constant([2.0, -1.0, 2.0, 0.0]), [2, 2, 1])  # of length 3


def linear(pictures: Any) -> Any:
    return tf.reduce_sum(pictures * SLOPE, axis=[1, 2, 3])[:, None]


def bowl(pictures: Any) -> Any:
    """Its slope is as long as the picture."""
    return 0.5 * tf.reduce_sum(tf.square(pictures), axis=[1, 2, 3])[:, None]


def pictures_of_length(length: float) -> Any:
    return tf.fill([6, 2, 2, 1], length / 2)


def test_r1_of_a_linear_discriminator_is_half_its_slope_squared() -> None:
    assert float(r1_penalty(linear, tf.random.stateless_normal([5, 2, 2, 1], [1, 2]))) == 4.5


def test_r1_is_the_mean_over_the_batch() -> None:
    batch = tf.concat([pictures_of_length(1.0), pictures_of_length(3.0)], axis=0)
    assert float(r1_penalty(bowl, batch)) == pytest.approx((0.5 + 4.5) / 2)


def test_gradient_penalty_of_a_linear_discriminator_is_known() -> None:
    real, fake = (tf.random.stateless_normal([5, 2, 2, 1], [1, part]) for part in (1, 2))
    assert float(gradient_penalty(linear, real, fake, [3, 4])) == pytest.approx(4.0)


def test_gradient_penalty_looks_between_the_real_and_the_drawn_pictures() -> None:
    seed = tf.constant([3, 4])
    ends = {
        length: float(gradient_penalty(bowl, *[pictures_of_length(length)] * 2, seed))
        for length in (1.0, 3.0)
    }
    assert ends == {1.0: pytest.approx(0.0, abs=1e-6), 3.0: pytest.approx(4.0)}
    between = gradient_penalty(bowl, pictures_of_length(1.0), pictures_of_length(3.0), seed)
    assert 0.1 < float(between) < 3.9


def test_weight_penalty_counts_kernels_and_spares_biases() -> None:
    variables = [tf.Variable([[1.0, -2.0]]), tf.Variable([50.0]), tf.Variable([[3.0]])]
    assert float(weight_penalty(variables, WeightSettings(l1=0.1))) == pytest.approx(0.6)
    assert float(weight_penalty(variables, WeightSettings(l2=0.01))) == pytest.approx(0.14)
    assert float(weight_penalty(variables, WeightSettings(l1=0.1, l2=0.01))) == pytest.approx(0.74)
    assert float(weight_penalty(variables, WeightSettings())) == 0


@pytest.fixture
def weights() -> list[Any]:
    """A kernel of 2s and a bias."""
    return [tf.Variable(tf.fill([100, 100], 2.0)), tf.Variable(tf.fill([100], 2.0))]


def test_dropped_weights_are_zero_for_that_share_and_keep_their_mean(weights: list[Any]) -> None:
    with DroppedWeights(weights, 0.25, seed_pair(1, 2, 3)):
        dropped, bias = (variable.numpy() for variable in weights)
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.02)
    np.testing.assert_allclose(dropped[dropped != 0], 2 / 0.75)
    assert dropped.mean() == pytest.approx(2.0, abs=0.05)
    assert (bias == 2).all()


def test_dropped_weights_come_back(weights: list[Any]) -> None:
    with DroppedWeights(weights, 0.5, seed_pair(1, 2, 3)):
        pass
    assert (weights[0].numpy() == 2).all()


def test_dropped_weights_come_back_after_an_error(weights: list[Any]) -> None:
    with pytest.raises(ZeroDivisionError), DroppedWeights(weights, 0.5, seed_pair(1, 2, 3)):
        raise ZeroDivisionError
    assert (weights[0].numpy() == 2).all()


def test_gradient_at_dropped_weights_is_masked_as_they_are(weights: list[Any]) -> None:
    with tf.GradientTape() as tape, DroppedWeights(weights, 0.5, seed_pair(1, 2, 3)) as dropped:
        inside = weights[0].numpy()
        loss = 3 * tf.reduce_sum(weights[0]) + tf.reduce_sum(weights[1])
    gradients = dropped.to_original(weights, tape.gradient(loss, weights))
    np.testing.assert_array_equal(gradients[0], 3 * inside / 2)  # W' = W·factor and W is 2
    np.testing.assert_array_equal(gradients[1], np.ones(100))


def test_other_weights_are_dropped_at_every_step_and_the_same_at_the_same_step(
    weights: list[Any],
) -> None:
    def zeros(step: int) -> Any:
        with DroppedWeights(weights, 0.5, seed_pair(1, 2, step)):
            return weights[0].numpy() == 0

    np.testing.assert_array_equal(zeros(1), zeros(1))
    assert np.mean(zeros(1) == zeros(2)) == pytest.approx(0.5, abs=0.05)


def test_two_kernels_of_one_shape_lose_different_weights() -> None:
    twins = [tf.Variable(tf.ones([50, 50])) for _ in range(2)]
    with DroppedWeights(twins, 0.5, seed_pair(1, 2, 3)):
        first, second = (kernel.numpy() for kernel in twins)
    assert np.mean(first == second) == pytest.approx(0.5, abs=0.1)


def test_nothing_is_dropped_where_the_share_is_0(weights: list[Any]) -> None:
    with DroppedWeights(weights, 0.0, seed_pair(1, 2, 3)) as dropped:
        assert (weights[0].numpy() == 2).all()
    gradients = [tf.ones([100, 100]), tf.ones([100])]
    assert dropped.to_original(weights, gradients) == gradients
