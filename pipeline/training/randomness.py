"""Random numbers that depend on nothing but the recipe's seed, the step and what they are for.

No generator carries state from step to step, so a resumed training sees the very numbers that an
uninterrupted one would have seen.
"""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
import tensorflow as tf


class Purpose(IntEnum):
    """Streams of random numbers that must not repeat one another."""

    LATENT = 1
    BATCH = 2
    DISCRIMINATOR_DROP = 3
    GENERATOR_DROP = 4
    AUGMENT_REAL = 5
    AUGMENT_FAKE = 6
    INTERPOLATE = 7
    CLASS = 8
    FIXED = 9
    RECALIBRATE = 10
    CALIBRATION = 11
    EVALUATION = 12
    CONTROL = 13
    DISTILLATION = 14
    REFERENCE = 15
    SEARCH = 16
    DIRECTIONS = 17


_STREAMS = 64
"""More than there are purposes, and the distance between two steps: both part of the bytes that a
seed stands for."""


@dataclass(frozen=True)
class StepSeeds:
    """The seeds of one update: ``seeds(purpose)`` is that of a stateless operation, int64 [2].

    ``step`` may be a tensor. Sub-steps number the updates within a step: the generator's is 0.
    """

    seed: int
    step: Any
    sub_step: int = 0

    def __call__(self, purpose: Purpose) -> Any:
        """Differs for any two of seed, purpose, step and sub-step."""
        pair = seed_pair(self.seed, purpose, self.step * _STREAMS)
        # Negative, since ``split_seed`` is called with numbers from 0 on.
        return split_seed(pair, -self.sub_step) if self.sub_step else pair


def seed_pair(seed: int, purpose: int, step: Any) -> Any:
    """The int64 [2] seed of TensorFlow's stateless operations; ``step`` may be a tensor."""
    return tf.stack([tf.constant(seed * _STREAMS + purpose, tf.int64), tf.cast(step, tf.int64)])


def split_seed(pair: Any, part: int) -> Any:
    """A further independent seed out of one pair."""
    return tf.random.experimental.stateless_fold_in(pair, part)


@dataclass(frozen=True)
class Prior:
    """What the inputs of a generator are drawn from: normal numbers, and perhaps a class."""

    latent: int
    """How many normal numbers."""
    class_weights: tuple[int, ...] = ()
    """How often each class is drawn beside the others; empty where none can be asked for."""

    @property
    def classes(self) -> int:
        return len(self.class_weights)

    @classmethod
    def even(cls, latent: int, classes: int) -> "Prior":
        """All classes alike."""
        return cls(latent, (1,) * classes)


def draw_latents(seed: Any, count: int, prior: Prior) -> tuple[Any, Any]:
    """Inputs float32 [count, latent + classes] and their one-hot classes [count, classes].

    For a conditional generator the one-hot class is the end of its input vector.
    """
    normal = tf.random.stateless_normal([count, prior.latent], split_seed(seed, 0))
    if not prior.classes:
        return normal, tf.zeros([count, 0])
    # Each class holds so many of the numbers drawn from. In lowest terms, so that equal weights,
    # whatever they are, give the same bytes.
    ends = np.cumsum(prior.class_weights) // math.gcd(*prior.class_weights)
    numbers = tf.random.stateless_uniform(
        [count], split_seed(seed, 1), maxval=int(ends[-1]), dtype=tf.int32
    )
    labels = tf.searchsorted(tf.constant(ends, tf.int32), numbers, side="right")
    one_hot = tf.one_hot(labels, prior.classes)
    return tf.concat([normal, one_hot], axis=1), one_hot


def latents(seed: int, purpose: Purpose, *, count: int, prior: Prior) -> np.ndarray:
    """Inputs as an array: float32 [count, latent + classes], for calibration or evaluation."""
    inputs, _ = draw_latents(seed_pair(seed, purpose, 0), count, prior)
    return np.asarray(inputs)
