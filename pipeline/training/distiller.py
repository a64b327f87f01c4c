"""Distiller: a student copies a teacher's pictures, pixel by pixel, before it plays any game.

A student that meets a trained discriminator at random weights is lost at once (the discriminator
is always right, so that its gradient teaches nothing); one that draws like its teacher is not. Mean
squared error only: with L1, or with other terms from the first step, students of digits fall to the
all-black picture, which is the median of every pixel (docs/decisions.md).
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf
import tf_keras

from pipeline.compression.spec import CompressedKernels, CompressionSpec
from pipeline.networks.pixels import PixelRange
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose, seed_pair

FINAL_SHARE = 0.1
SETTLING = 50
"""Batches in which batch norm's statistics settle on the weights of the end."""


class Distiller:
    """The training of one student on lessons; ``go_on`` may be called again and again.

    Adam, its rate falling to a tenth along half a cosine over ``steps`` (Hinton 2015, with the
    picture in the place of the soft label; Aguinaldo 2019, section 3.1). With a ``spec`` the
    student draws with coarse kernels while it learns, and is to be looked at in ``as_drawn``.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        lessons: DistillationSet,
        pixels: PixelRange,
        *,
        steps: int,
        rate: float,
        batch: int,
        seed: int,
        spec: CompressionSpec = CompressionSpec(),  # noqa: B008 (frozen)
    ) -> None:
        self.student = student
        self.steps = steps
        self.done = 0
        self._deck = lessons.on_device(pixels)
        self._batch, self._seed = batch, seed
        self._spec = spec
        self._schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_SHARE)
        self._adam = tf_keras.optimizers.legacy.Adam(rate)
        self._adam._create_all_weights(student.trainable_variables)

    def go_on(self, until: int, on_step: Callable[[], None] = lambda: None) -> float:
        """Train up to step ``until``; gives the last batch's mean squared error."""
        error = float("nan")
        for step in range(self.done, min(until, self.steps)):
            error = self._step(tf.constant(step))
            on_step()
        self.done = max(self.done, min(until, self.steps))
        return float(error)

    def settle(self) -> None:
        """Let batch norm's statistics settle; call before the student is looked at."""
        for number in range(SETTLING):
            self._settle(tf.constant(number))

    def as_drawn(self) -> CompressedKernels:
        """A context in which the student has the coarse kernels that it is trained for."""
        return CompressedKernels(self.student.trainable_variables, self._spec)

    @tf.function
    def _step(self, step: Any) -> Any:
        self._adam.learning_rate.assign(self._schedule(step))
        inputs, _, pictures = self._draw(Purpose.LATENT, step)
        variables = self.student.trainable_variables
        with tf.GradientTape() as tape, self.as_drawn():
            error = tf.reduce_mean(tf.square(self.student(inputs, training=True) - pictures))
        self._adam.apply_gradients(zip(tape.gradient(error, variables), variables, strict=True))
        return error

    @tf.function
    def _settle(self, number: Any) -> Any:
        with self.as_drawn():
            return self.student(self._draw(Purpose.RECALIBRATE, number)[0], training=True)

    def _draw(self, purpose: Purpose, moment: Any) -> tuple[Any, Any, Any]:
        return self._deck.draw(seed_pair(self._seed, purpose, moment), self._batch)
