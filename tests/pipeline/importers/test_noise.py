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


def in_loop(maps: Any) -> Any:
    def turn(number: Any, maps: Any) -> Any:
        return number + 1, maps + tf.random.normal(tf.shape(maps))

    free = tf.TensorShape([None, 8, 8, 1])
    start = [tf.constant(0), maps]
    return tf.while_loop(lambda i, _: i < 3, turn, start, [tf.TensorShape([]), free])[1]


def in_loop_of_fixed_shape(maps: Any) -> Any:
    return tf.map_fn(lambda one: one + tf.random.normal([8, 8, 1]), maps)


def in_branch(maps: Any) -> Any:
    return tf.cond(
        tf.reduce_sum(maps) > -1e9, lambda: maps + tf.random.normal([8, 8, 1]), lambda: maps
    )


def beside_noise_of_a_seed(maps: Any) -> Any:
    fixed = tf.random.stateless_normal([8, 8, 1], [1, 2])
    return maps + tf.random.normal(tf.shape(maps)) + fixed - fixed


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


@pytest.mark.parametrize(
    "noisy", [in_loop, in_loop_of_fixed_shape, in_branch, beside_noise_of_a_seed]
)
def test_noise_is_fixed_wherever_it_is_drawn(
    noisy: Callable[[Any], Any], saved_module: Callable[..., Path]
) -> None:
    path = saved_module(lambda tensor: tf.tanh(noisy(tf.reshape(tensor, [-1, 8, 8, 1]))))
    teacher = load_teacher(path, pixels=(-1, 1))
    latents = teacher.random_inputs(3)
    kernel = tf.random.stateless_normal([4, 64], [1, 2]).numpy()  # the module's
    without = np.tanh((latents @ kernel).reshape(-1, 8, 8, 1))
    np.testing.assert_allclose(teacher.model(latents), without, atol=1e-5)


def divided_by_its_norm(maps: Any) -> Any:
    noise = tf.random.normal([8, 8, 1])
    return maps + noise / tf.norm(noise)


def beside_uniform_noise(maps: Any) -> Any:
    return maps + tf.random.normal([8, 8, 1]) + tf.random.uniform([8, 8, 1])


@pytest.mark.parametrize("noisy", [divided_by_its_norm, beside_uniform_noise])
def test_noise_without_a_mean_that_draws_is_refused_as_what_it_is(
    noisy: Callable[[Any], Any], saved_module: Callable[..., Path], refused: Callable[..., str]
) -> None:
    path = saved_module(lambda tensor: tf.tanh(noisy(tf.reshape(tensor, [-1, 8, 8, 1]))))
    assert "another picture from the same input each time" in refused(load_teacher, path)


def test_generator_without_noise_says_nothing_of_it(saved_module: Callable[..., Path]) -> None:
    teacher = load_teacher(saved_module(lambda tensor: tf.tanh(tf.reshape(tensor, [-1, 8, 8, 1]))))
    assert NOTE not in teacher.notes
