"""Teachers: loaded from wherever they come, saved, and read again."""

from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.importers import pictures
from pipeline.importers.build import build, try_out
from pipeline.importers.formats import RECIPE, Kind, kind_of
from pipeline.importers.generator import Teacher
from pipeline.importers.input_adapter import entry
from pipeline.importers.loaded import Live
from pipeline.importers.open import open_generator
from pipeline.importers.store import read_saved_teacher, save_teacher
from pipeline.networks.pixels import PixelRange
from pipeline.recipe import load_recipe

__all__ = ["Teacher", "load_teacher", "read_saved_teacher", "save_teacher"]


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
