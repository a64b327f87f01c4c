"""What a teacher reads: one input, out of which a generator's own inputs come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.importers.input_roles import InputKind, InputPart
from pipeline.networks.pixels import PixelRange


@dataclass(frozen=True, kw_only=True)
class InputAdapter:
    """What a teacher reads, and how the generator's own inputs come out of it."""

    shape: tuple[int, ...]
    """Of the one input, without the batch."""
    latent: int
    """0 where it reads pictures."""
    classes: int
    """Of a vector; 0 where it reads pictures."""
    parts: tuple[InputPart, ...]
    """In the order of the vector's entries, or of the picture's channels."""
    pixels: PixelRange | None
    """Black and white in the pictures that it reads, where that had to be known."""
    split: Callable[[Any], list[Any]]
    """The one input, as a tensor of tf_keras → tensors in the order of the generator's inputs."""
    notes: tuple[str, ...] = ()

    @property
    def has_marks(self) -> bool:
        """Whether 0 and 1 of masks or classes lie in its channels, as black and white."""
        return not self.latent and any(part.kind is not InputKind.PICTURE for part in self.parts)

    def random_inputs(self, count: int) -> np.ndarray:
        """Inputs to try the generator with, float32 [count, …]; pictures are black to white."""
        pixels = self.pixels or (0.0, 1.0)
        return random_inputs(
            count, self.latent, shape=self.shape, classes=self.classes, pixels=pixels
        )

    def source_inputs(self, inputs: np.ndarray) -> list[tf.Tensor]:
        """Values of the one input → values of the generator's own inputs."""
        port = tf_keras.Input(self.shape)
        outputs = tf_keras.Model(port, self.split(port))(inputs, training=False)
        return list(tf.nest.flatten(outputs))


def random_inputs(
    count: int,
    latent: int,
    *,
    shape: Sequence[int],
    classes: int = 0,
    pixels: tuple[float, float] = (0.0, 1.0),
    seed: int = 1,
) -> np.ndarray:
    """Inputs float32 [count, *shape]: the normal prior and any class, or noise within ``pixels``.

    Only good enough to see which operations run: pictures of noise are no pictures.
    """
    rng = np.random.default_rng(seed)
    if not latent:
        return rng.uniform(*pixels, (count, *shape)).astype(np.float32)
    latents = rng.normal(size=(count, latent)).astype(np.float32)
    if not classes:
        return latents
    one_hot = np.eye(classes, dtype=np.float32)[np.arange(count) % classes]
    return np.concatenate([latents, one_hot], axis=1)
