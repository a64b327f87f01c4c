"""Distiller: a student copies a teacher's pictures, pixel by pixel, before adversarial training.

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
RECALIBRATION_BATCHES = 50


class Distiller:
    """The training of one student on a teacher's pictures, in one call or in several.

    Adam, its rate falling to a tenth along half a cosine over ``steps`` (Hinton 2015, with the
    picture in the place of the soft label; Aguinaldo 2019, its MSE loss). With a ``spec`` the
    student has compressed kernels while it learns, and is to be evaluated in ``compressed``.
    """

    def __init__(
        self,
        student: tf_keras.Model,
        pairs: DistillationSet,
        *,
        pixels: PixelRange,
        steps: int,
        rate: float,
        batch: int,
        seed: int,
        spec: CompressionSpec = CompressionSpec(),  # noqa: B008 (frozen)
    ) -> None:
        self.student = student
        self.steps = steps
        self.step = 0
        self._pairs = pairs.on_device(pixels)
        self._unit = (2 / (pixels[1] - pixels[0])) ** 2
        self._batch, self._seed = batch, seed
        self._spec = spec
        self._schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_SHARE)
        self._optimizer = tf_keras.optimizers.legacy.Adam(rate)
        self._optimizer._create_all_weights(student.trainable_variables)

    def train(self, until: int, on_step: Callable[[], None] = lambda: None) -> float:
        """Train up to step ``until``; gives the last batch's squared error, in −1..1, or NaN."""
        error = float("nan")
        for step in range(self.step, min(until, self.steps)):
            error = self._update(tf.constant(step))
            on_step()
        self.step = max(self.step, min(until, self.steps))
        return float(error)

    def recalibrate(self) -> None:
        """Let batch norm's statistics settle on the weights; call before the student is judged."""
        for number in range(RECALIBRATION_BATCHES):
            self._infer(tf.constant(number))

    def compressed(self) -> CompressedKernels:
        """A context in which the student has the compressed kernels that it is trained for."""
        return CompressedKernels(self.student.trainable_variables, self._spec)

    @tf.function
    def _update(self, step: Any) -> Any:
        self._optimizer.learning_rate.assign(self._schedule(step))
        inputs, _, pictures = self._sample(Purpose.LATENT, step)
        variables = self.student.trainable_variables
        with tf.GradientTape() as tape, self.compressed():
            error = tf.reduce_mean(tf.square(self.student(inputs, training=True) - pictures))
            error *= self._unit
        self._optimizer.apply_gradients(
            zip(tape.gradient(error, variables), variables, strict=True)
        )
        return error

    @tf.function
    def _infer(self, number: Any) -> Any:
        with self.compressed():
            return self.student(self._sample(Purpose.RECALIBRATE, number)[0], training=True)

    def _sample(self, purpose: Purpose, step: Any) -> tuple[Any, Any, Any]:
        return self._pairs.sample(seed_pair(self._seed, purpose, step), self._batch)
