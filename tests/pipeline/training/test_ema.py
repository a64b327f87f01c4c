import pytest
import tensorflow as tf

from pipeline.training.ema import MovingAverage


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
