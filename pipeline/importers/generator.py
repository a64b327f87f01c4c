"""A teacher: a trained generator of any origin that can draw, and so can teach a student."""

from dataclasses import dataclass

import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.importers.loaded import SourceLayer
from pipeline.importers.opaque import Frozen
from pipeline.networks.pixels import PixelRange


@dataclass(frozen=True)
class Teacher:
    """A generator as everything else wants it, whatever it was before."""

    model: tf_keras.Model
    """For inference only. One input: latents float32 [N, latent + classes], the class one-hot at
    the end, or pictures float32 [N, H, W, C]. One output: pictures float32 [N, H', W', C']."""
    latent: int
    """0 for a generator that reads pictures."""
    classes: int
    """0 for an unconditional generator."""
    pixels: PixelRange
    """Black and white in what it draws."""
    input_pixels: PixelRange | None
    """Black and white in the pictures that it reads; None where it reads latents."""
    origin: str
    """Where it comes from, in words."""
    notes: tuple[str, ...] = ()
    """What was rewritten while loading, in words."""
    layers: tuple[SourceLayer, ...] = ()
    """The layers of the file, in order, and what became of each."""
    frozen: Frozen | None = None
    """The graph of an opaque teacher, of which nothing but its drawing is known; else None."""

    @property
    def is_opaque(self) -> bool:
        """Whether it is one layer that draws, and no graph of layers that could be slimmed."""
        return self.frozen is not None

    @property
    def folded(self) -> tf_keras.Model:
        """The model with its batch norm in its kernels, where it has layers."""
        return self.model if self.is_opaque else fold_batch_norm(self.model)
