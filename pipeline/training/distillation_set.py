"""Stored pairs: what a generator reads, and the picture that it should draw of it.

Pictures of a teacher, so that a student learns without running it again (a teacher is many times
the work of its student); or the truth, where pictures come in pairs.
"""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.arrays import Tensor, luma
from pipeline.networks.pixels import PixelRange


@dataclass(frozen=True)
class DistillationSet:
    """Pairs of what a generator reads and the picture that is to be drawn of it."""

    inputs: np.ndarray
    """Latents float32 [N, latent + classes], or pictures uint8 [N, h, w, c]."""
    pictures: np.ndarray
    """uint8 [N, H, W, C]."""
    classes: int = 0
    """So many last entries of each input are a one-hot class."""
    input_pixels: PixelRange | None = None
    """Black and white in the pictures that the generator reads; None where it reads latents."""

    def __post_init__(self) -> None:
        if len(self.inputs) != len(self.pictures):
            raise ValueError(f"{len(self.inputs)} inputs for {len(self.pictures)} pictures")

    def __len__(self) -> int:
        return len(self.inputs)

    def first(self, count: int | None) -> "DistillationSet":
        """The first ``count`` pairs, or as many as there are; None for all."""
        return replace(self, inputs=self.inputs[:count], pictures=self.pictures[:count])

    def at_least_two(self, others: "DistillationSet") -> "DistillationSet":
        """These pairs; of a single one it and the first of ``others``, which are read alike."""
        if len(self) > 1:
            return self
        pictures = np.concatenate([self.pictures, others.pictures[:1]])
        return replace(
            self, inputs=np.concatenate([self.inputs, others.inputs[:1]]), pictures=pictures
        )

    def readable(self, rows: slice = slice(None)) -> np.ndarray:
        """The inputs as the generator reads them: float32 [N, …]."""
        inputs = self.inputs[rows]
        if self.input_pixels is None:
            return inputs
        low, high = self.input_pixels
        return inputs.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)

    def on_device(self, pixels: PixelRange) -> "DistillationTensors":
        """The pairs as tensors; sampled pictures are in the student's range ``pixels``."""
        import tensorflow as tf  # here, since reading a run's files does without

        return DistillationTensors(
            inputs=tf.constant(self.inputs),
            pictures=tf.constant(self.pictures),
            classes=self.classes,
            pixels=pixels,
            input_pixels=self.input_pixels,
        )


@dataclass(frozen=True, kw_only=True)
class DistillationTensors:
    """DistillationSet in TensorFlow's memory."""

    inputs: Tensor
    pictures: Tensor
    classes: int
    pixels: PixelRange
    input_pixels: PixelRange | None

    def sample(self, seed: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
        """``count`` pairs with replacement: inputs, one-hot classes [count, classes], pictures.

        ``seed``: int64 [2] of a stateless operation.
        """
        import tensorflow as tf

        chosen = tf.random.stateless_uniform(
            [count], seed, maxval=self.inputs.shape[0], dtype=tf.int32
        )
        inputs = tf.gather(self.inputs, chosen)
        pictures = from_uint8(tf.gather(self.pictures, chosen), self.pixels)
        classes = inputs[:, -self.classes :] if self.classes else tf.zeros([count, 0])
        if self.input_pixels is not None:
            inputs = from_uint8(inputs, self.input_pixels)
        return inputs, classes, pictures


def from_uint8(pictures: Tensor, pixels: PixelRange) -> Tensor:
    """Pictures uint8 as float32 in a generator's range."""
    import tensorflow as tf

    low, high = pixels
    return tf.cast(pictures, tf.float32) * ((high - low) / 255) + low


def pictures_like(inputs: np.ndarray, pictures: np.ndarray) -> np.ndarray:
    """Inputs uint8 [N, h, w, 1 or 3] in the size and channels of pictures, to be shown."""
    repeats = [
        large // small for large, small in zip(pictures.shape[1:3], inputs.shape[1:3], strict=True)
    ]
    large = inputs.repeat(repeats[0], axis=1).repeat(repeats[1], axis=2)
    channels: int = pictures.shape[-1]
    if large.shape[-1] == channels:
        return large
    return luma(large) if channels == 1 else large.repeat(channels, axis=-1)
