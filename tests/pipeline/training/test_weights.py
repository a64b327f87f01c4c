from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.randomness import seed_pair
from pipeline.training.settings import WeightSettings
from pipeline.training.weights import DroppedWeights, MovingAverage, weight_penalty


@pytest.mark.parametrize(
    ("step", "decay", "expected"),
    [
        (0, 0.9, 9.0),  # decay 1/10
        (8, 0.9, 5.0),  # decay 9/18
        (10_000, 0.9, 1.0),  # its own decay
        (8, 0.25, 7.5),  # its own decay, already
    ],
)
def test_decay_grows_to_its_setting(step: int, decay: float, expected: float) -> None:
    variable = tf.Variable([0.0])
    average = MovingAverage([variable], decay)
    variable.assign([10.0])
    average.update(step)
    assert float(average.shadows[0][0]) == pytest.approx(expected, rel=1e-5)
    assert float(variable[0]) == 10.0


def test_average_starts_at_the_variables() -> None:
    average = MovingAverage([tf.Variable([3.0]), tf.Variable([4.0])], 0.5)
    assert [float(shadow[0]) for shadow in average.shadows] == [3.0, 4.0]


def test_applied_averages_are_taken_off_again() -> None:
    variable = tf.Variable([1.0])
    average = MovingAverage([variable], 0.5)
    variable.assign([7.0])
    with average.applied():
        assert float(variable[0]) == 1.0
    assert float(variable[0]) == 7.0
    with pytest.raises(ZeroDivisionError), average.applied():
        raise ZeroDivisionError
    assert float(variable[0]) == 7.0


def test_adopted_averages_stay() -> None:
    variable = tf.Variable([1.0])
    average = MovingAverage([variable], 0.5)
    variable.assign([7.0])
    average.adopt()
    assert float(variable[0]) == 1.0


def test_weight_penalty_counts_kernels_and_spares_biases() -> None:
    variables = [tf.Variable([[1.0, -2.0]]), tf.Variable([50.0]), tf.Variable([[3.0]])]
    assert float(weight_penalty(variables, WeightSettings(l1=0.1))) == pytest.approx(0.6)
    assert float(weight_penalty(variables, WeightSettings(l2=0.01))) == pytest.approx(0.14)
    assert float(weight_penalty(variables, WeightSettings(l1=0.1, l2=0.01))) == pytest.approx(0.74)
    assert float(weight_penalty(variables, WeightSettings())) == 0


def test_orthogonal_outputs_are_not_penalized_and_others_by_their_products() -> None:
    penalty = WeightSettings(orthogonal=0.5)
    alike = tf.Variable([[1.0, 2.0], [3.0, 4.0]])  # 1·2 + 3·4 = 14, twice
    assert float(weight_penalty([alike], penalty)) == pytest.approx(0.5 * 2 * 14**2)
    assert float(weight_penalty([tf.Variable([[1.0, -6.0], [2.0, 3.0]])], penalty)) == 0
    convolution = tf.Variable(np.ones([3, 3, 2, 4], np.float32))
    assert float(weight_penalty([convolution], penalty)) == pytest.approx(0.5 * 12 * 18**2)


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
    gradients = dropped.to_original(weights, tape.gradient(loss, weights), WeightSettings())
    np.testing.assert_array_equal(gradients[0], 3 * inside / 2)  # W' = W·factor and W is 2
    np.testing.assert_array_equal(gradients[1], np.ones(100))


def test_penalty_of_the_weights_pulls_at_all_of_them_whichever_are_dropped(
    weights: list[Any],
) -> None:
    settings = WeightSettings(l2=0.5)
    with tf.GradientTape() as tape:
        with DroppedWeights(weights, 0.5, seed_pair(1, 2, 3)) as dropped:
            loss = 3.0 * tf.reduce_sum(weights[0])
        loss += weight_penalty(weights, settings)
    of_loss = tape.gradient(loss, weights, unconnected_gradients="zero")
    gradient, _ = dropped.to_original(weights, of_loss, settings)
    pull = 2 * 0.5 * weights[0].numpy()
    assert set(np.unique((gradient - pull).numpy().round(4))) == {0.0, 6.0}


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
    assert dropped.to_original(weights, gradients, WeightSettings(l2=1.0)) == gradients
