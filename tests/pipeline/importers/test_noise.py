"""Noise that generators of TensorFlow draw for themselves."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.importers.noise import NOTE
from pipeline.importers.teacher import load_teacher

Draw = Callable[[list[Any]], Any]
NORMAL: dict[str, Draw] = {
    "normal": tf.random.normal,
    "truncated": tf.random.truncated_normal,
    "in half floats": lambda shape: tf.cast(tf.random.normal(shape, dtype=tf.float16), tf.float32),
}


@pytest.mark.parametrize("draw", NORMAL.values(), ids=NORMAL)
def test_normal_noise_is_fixed_at_its_mean(draw: Draw, saved_module: Callable[..., Path]) -> None:
    def noisy(tensor: Any) -> Any:
        maps = tf.reshape(tensor, [-1, 8, 8, 1])
        shape = tf.shape(maps)
        return tf.tanh(maps + 0.5 * draw([shape[0], 8, 8, 1]))

    teacher = load_teacher(saved_module(noisy))
    latents = teacher.random_inputs(3)
    kernel = tf.random.stateless_normal([4, 64], [1, 2]).numpy()  # the module's
    without = np.tanh((latents @ kernel).reshape(-1, 8, 8, 1))
    np.testing.assert_allclose(teacher.model(latents), without, atol=1e-5)
    assert NOTE in teacher.notes
    assert teacher.is_opaque


def test_generator_without_noise_says_nothing_of_it(saved_module: Callable[..., Path]) -> None:
    teacher = load_teacher(saved_module(lambda tensor: tf.tanh(tf.reshape(tensor, [-1, 8, 8, 1]))))
    assert NOTE not in teacher.notes
