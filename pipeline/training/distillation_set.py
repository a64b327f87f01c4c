"""Stored pictures of a teacher: a student learns from them without running the teacher again.

A teacher is many times the work of its student, so that running it once for each picture saves most
of a distillation's time.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Tensor
from pipeline.networks.pixels import PixelRange


@dataclass(frozen=True)
class DistillationSet:
    """Pairs of what a generator reads and the picture that the teacher made of it."""

    inputs: np.ndarray
    """float32 [N, latent + classes], or the pictures that it reads: float32 [N, H, W, C]."""
    pictures: np.ndarray
    """uint8 [N, H, W, C]."""
    classes: int = 0
    """So many last entries of each input are a one-hot class."""

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.pictures):
            raise ValueError(f"{len(self.inputs)} inputs for {len(self.pictures)} pictures")

    def __len__(self) -> int:
        return len(self.inputs)

    def on_device(self, pixels: PixelRange) -> "DistillationTensors":
        """The pairs as tensors; sampled pictures are in the student's range ``pixels``."""
        import tensorflow as tf  # here, since reading a run's files does without

        return DistillationTensors(
            tf.constant(self.inputs), tf.constant(self.pictures), self.classes, pixels
        )


@dataclass(frozen=True)
class DistillationTensors:
    """DistillationSet in TensorFlow's memory."""

    inputs: Tensor
    pictures: Tensor
    classes: int
    pixels: PixelRange

    def sample(self, seed: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """``count`` pairs with replacement: inputs, one-hot classes [count, classes], pictures.

        ``seed``: int64 [2] of a stateless operation.
        """
        import tensorflow as tf

        chosen = tf.random.stateless_uniform(
            [count], seed, maxval=self.inputs.shape[0], dtype=tf.int32
        )
        inputs = tf.gather(self.inputs, chosen)
        low, high = self.pixels
        pictures = tf.cast(tf.gather(self.pictures, chosen), tf.float32)
        classes = inputs[:, -self.classes :] if self.classes else tf.zeros([count, 0])
        return inputs, classes, pictures * ((high - low) / 255) + low
