"""Pictures out of a user's folder, for a generator that reads pictures."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.data import reading
from pipeline.importers.teacher import Teacher

FEWEST_INPUTS = 48
"""So that the smallest of the parts has the six pictures that the metrics ask for."""
FEWEST_PHOTOS = 3
"""Where they are cut into tiles: all tiles of one are in the same part."""


@dataclass(frozen=True)
class InputPictures:
    """What a folder holds for a generator to read."""

    images: Images
    """uint8 [N, H, H, C], in the order of the files."""
    counts: npt.NDArray[np.int64]
    """[files] how many of them came out of each file; 0 of one that was skipped."""
    notes: tuple[str, ...]
    """What was skipped, and what was done to pixels."""


def read_input_pictures(folder: Path, teacher: Teacher, *, cut: str, cache: Path) -> InputPictures:
    """The pictures of ``folder`` as ``teacher`` reads them; decoded ones are kept in ``cache``.

    ``cut``: "whole", or "tiles" where each file gives many. Raises PocketganError where there are
    too few, where all are the same, and where the teacher reads none that a folder could hold.
    """
    height, width, channels = teacher.model.input_shape[1:]
    if height != width or channels not in (1, 3):
        raise PocketganError(
            f"the generator reads pictures of {height}×{width} in {channels} channels.",
            "Only square ones in grey or colour can be read from a folder.",
        )
    request = reading.Request(
        image_size=height,
        channels=channels,
        folder=folder,
        cache=cache,
        test_fraction=0.5,
        seed=0,
        cut=cut,
    )
    files = reading.find(folder)
    decoded = reading.read([(file,) for file in files], reading.single, request)
    skipped = decoded.skipped(reading.name(file, folder) for file in files)
    notes = reading.listed(skipped, f"of {len(files)} files in {folder} were skipped")
    usable = int((decoded.counts > 0).sum())
    least, size = FEWEST_INPUTS, ""
    if cut == reading.TILES:
        least, size = FEWEST_PHOTOS, f" of at least {height}×{width} pixels"
    if usable < least:
        raise PocketganError(
            ". ".join([f"{folder} holds {usable} pictures that can be used", *notes]) + ".",
            f"Give {least} or more{size}: some to learn from, some to judge by.",
        )
    images = decoded.pictures[:, 0]
    if (images == images[0]).all():
        raise PocketganError(
            f"{folder}: its pictures, as the generator reads them, are all the same.",
            "Give pictures that differ: transparent ones are laid on white.",
        )
    treatments = [f"{folder}: {treatment}" for treatment in decoded.treatments]
    return InputPictures(images, decoded.counts, (*notes, *treatments))
