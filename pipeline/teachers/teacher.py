"""A teacher: a trained generator of any origin that can draw, and so can teach a student."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.pixels import PixelRange
from pipeline.recipe_file import load as load_recipe
from pipeline.teachers import pictures
from pipeline.teachers.build import build, try_out
from pipeline.teachers.entry import entry
from pipeline.teachers.kind import RECIPE, Kind, kind_of
from pipeline.teachers.live import Live, SourceLayer
from pipeline.teachers.opaque import Frozen
from pipeline.teachers.open import open_generator


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


def load_teacher(
    path: Path,
    *,
    classes: int | None = None,
    pixels: PixelRange | None = None,
    input_pixels: PixelRange | None = None,
    allow_unsafe: bool = False,
    custom: Path | None = None,
) -> Teacher:
    """A generator from a run's folder, a .keras or HDF5 file of Keras 2 or 3, or a SavedModel.

    Layers of Keras 3 become those of tf_keras, and the outputs are compared; where a layer has no
    twin, the forward function as a whole becomes an opaque layer. ``classes`` is the number of
    classes at the end of the latent vector, ``pixels`` and ``input_pixels`` are black and white
    where the model does not say. ``custom`` is a Python file of the user's that defines layers;
    it is run. With ``allow_unsafe`` so is code within the model.

    Raises PocketganError, with a remedy, for whatever is no generator of pictures, and for files
    that would run code.
    """
    live = open_generator(path, custom, allow_unsafe)
    _refuse_nan(path, live)
    known = _classes_of_run(path, live) if classes is None else classes
    way_in = entry(str(path), live.ports, known)
    try_out(path, live, way_in)
    built = build(path, live, way_in)
    read = None
    if not way_in.latent:
        read = pictures.wanted_range(str(path), built.input_pixels, input_pixels, "input")
    return Teacher(
        model=built.model,
        latent=way_in.latent,
        classes=way_in.classes,
        pixels=pictures.wanted_range(str(path), built.pixels, pixels, "output"),
        input_pixels=read,
        origin=live.origin,
        notes=tuple(filter(None, (way_in.note, *built.notes))),
        layers=built.layers,
        frozen=built.frozen,
    )


def _classes_of_run(path: Path, live: Live) -> int | None:
    """What a run's recipe says: the network is told the class, or it is not."""
    if kind_of(path) is not Kind.RUN:
        return None
    recipe = load_recipe(str(path / RECIPE))
    return int(live.ports[0].shape[0] or 0) - int(recipe.generator.latent)


def _refuse_nan(path: Path, live: Live) -> None:
    broken = [name for name, values in live.weights if not _finite(values)]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise PocketganError(
            f"{path}: weights of '{broken[0]}'{more} are not finite (NaN or infinity).",
            "Its training broke down: give an earlier checkpoint.",
        )


def _finite(values: np.ndarray) -> bool:
    return values.dtype.kind not in "fc" or bool(np.isfinite(values).all())
