from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.determinism import prepare


def outputs(seed: int, disturb: bool = False) -> list[Any]:
    if disturb:
        tf_keras.layers.Dense(7).build([None, 3])
        np.random.random(5)
    prepare(seed)
    layer = tf_keras.layers.Dense(3)
    layer.build([None, 3])
    return [layer.name, *layer.get_weights()[0].ravel()]


def test_network_depends_on_the_seed_and_on_nothing_that_ran_before() -> None:
    assert outputs(1) == outputs(1, disturb=True)
    assert outputs(1) != outputs(2)


def test_stage_can_be_prepared_after_tensorflow_has_worked() -> None:
    tf.constant(1.0) + 1.0
    prepare(1)
