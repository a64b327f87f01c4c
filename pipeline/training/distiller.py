"""Distiller: a student copies a teacher's pictures, pixel by pixel, before adversarial training.

A student that meets a trained discriminator at random weights is lost at once (the discriminator
is always right, so that its gradient teaches nothing); one that draws like its teacher is not. Mean
squared error only: with L1, or with other terms from the first step, students of digits fall to the
all-black picture, which is the median of every pixel (docs/decisions.md).
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.atomic import replaced
from pipeline.compression.spec import CompressedKernels, CompressionSpec
from pipeline.graphs import tf_graph
from pipeline.networks.pixels import PixelRange
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose, seed_pair
from pipeline.training.weights import MovingAverage

FINAL_SHARE = 0.1
RECALIBRATION_BATCHES = 50


class Distiller:
    """The training of one student on a teacher's pictures, in one call or in several.

    Adam, its rate falling to a tenth along half a cosine over ``steps`` (Hinton 2015, with the
    picture in the place of the soft label; Aguinaldo 2019, its MSE loss). With a ``spec`` the
    student has compressed kernels while it learns, and is to be evaluated in ``compressed``. With
    an ``average`` it is judged by a moving average of its weights, of that decay. With
    ``resume`` a training that was killed goes on, and ends in the same bytes.
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
        average: float = 0.0,
        spec: CompressionSpec = CompressionSpec(),  # noqa: B008 (frozen)
    ) -> None:
        self.student = student
        self.steps = steps
        self.scores: dict[int, float] = {}
        """Step → what the student was worth then, as its caller judged; checkpoints keep them."""
        self._checkpoint: Path | None = None
        self._seconds = self._saved = 0.0
        self._pairs = pairs.on_device(pixels)
        self._unit = (2 / (pixels[1] - pixels[0])) ** 2
        self._batch, self._seed = batch, seed
        self._spec = spec
        self._schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps, alpha=FINAL_SHARE)
        self._optimizer = tf_keras.optimizers.legacy.Adam(rate)
        self._optimizer._create_all_weights(student.trainable_variables)
        self._average = MovingAverage(student.trainable_variables, average) if average else None
        self._error = tf.Variable(float("nan"), trainable=False)

    @property
    def step(self) -> int:
        """How many updates the student has had."""
        # The optimizer's own count: it cannot part from the weights where a step is interrupted.
        return int(self._optimizer.iterations)

    @property
    def error(self) -> float:
        """Mean squared error of the last batch, in −1..1; NaN before the first."""
        return float(self._error)

    def resume(self, checkpoint: Path, seconds: float) -> None:
        """Go on from the checkpoint in this file, where there is one that fits.

        From now on one is written there at least every ``seconds`` of ``train``, after a step.
        """
        self._checkpoint, self._seconds, self._saved = checkpoint, seconds, time.monotonic()
        stored = _read(checkpoint)
        variables = self._variables()
        if [value.shape for value in stored[:-1]] != [tuple(one.shape) for one in variables]:
            return
        for variable, value in zip(variables, stored, strict=False):
            variable.assign(value)
        self.scores = {int(step): float(score) for step, score in stored[-1]}

    def save(self) -> None:
        """Write the checkpoint now; it appears whole or not at all."""
        assert self._checkpoint is not None
        scores = np.array([*self.scores.items()], np.float64).reshape(-1, 2)
        values = [variable.numpy() for variable in self._variables()]
        with replaced(self._checkpoint) as aside, aside.open("wb") as file:
            np.savez(file, *values, scores)
        self._saved = time.monotonic()

    def train(self, until: int, on_step: Callable[[], None] = lambda: None) -> None:
        """Train up to step ``until``; on KeyboardInterrupt the checkpoint is written first."""
        try:
            for step in range(self.step, min(until, self.steps)):
                self._update(tf.constant(step))
                on_step()
                if self._checkpoint and time.monotonic() - self._saved >= self._seconds:
                    self.save()
        except KeyboardInterrupt:
            if self._checkpoint:
                self.save()
            raise

    def _variables(self) -> list[Any]:
        shadows = self._average.shadows if self._average else []
        return [*self.student.variables, *self._optimizer.variables(), *shadows, self._error]

    def settle(self) -> None:
        """Give the student its averaged weights, and batch norm the statistics that they make.

        Call before the student is judged; a training that goes on goes on from there.
        """
        if self._average:
            self._average.adopt()
        for number in range(RECALIBRATION_BATCHES):
            self._infer(tf.constant(number))

    def compressed(self) -> CompressedKernels:
        """A context in which the student has the compressed kernels that it is trained for."""
        return CompressedKernels(self.student.trainable_variables, self._spec)

    @tf_graph
    def _update(self, step: Any) -> None:
        self._optimizer.learning_rate.assign(self._schedule(step))
        inputs, _, pictures = self._sample(Purpose.LATENT, step)
        variables = self.student.trainable_variables
        with tf.GradientTape() as tape, self.compressed():
            error = tf.reduce_mean(tf.square(self.student(inputs, training=True) - pictures))
            error *= self._unit
        self._optimizer.apply_gradients(
            zip(tape.gradient(error, variables), variables, strict=True)
        )
        if self._average:
            self._average.update(step)
        self._error.assign(error)

    @tf_graph
    def _infer(self, number: Any) -> Any:
        with self.compressed():
            return self.student(self._sample(Purpose.RECALIBRATE, number)[0], training=True)

    def _sample(self, purpose: Purpose, step: Any) -> tuple[Any, Any, Any]:
        return self._pairs.sample(seed_pair(self._seed, purpose, step), self._batch)


def _read(checkpoint: Path) -> list[np.ndarray]:
    """What ``save`` wrote, in order; empty where there is no file or a damaged one."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with checkpoint.open("rb") as file, np.load(file) as stored:
            return [stored[f"arr_{number}"] for number in range(len(stored.files))]
    except Exception:  # damage can surface as nearly any error of the archive reader
        return []
