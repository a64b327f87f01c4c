"""A first look at a folder of pictures: what decides how a GAN for them is set up."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import picture
from pipeline.data.folder import labels_of
from pipeline.data.listing import find
from pipeline.data.reading import LEAST_SIDE

SAMPLE = 200
"""So many files are opened, evenly spread over the folder."""
SMALL = 64
"""Pixels of the side to which a picture is shrunk to see whether it is grey."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What a folder of pictures holds."""

    count: int
    """Files with the ending of a picture, without those of the sample that a training skips."""
    side: int
    """Median of the shorter sides in pixels."""
    grey: bool
    """Whether none of those looked at has a colour."""
    classes: tuple[int, ...]
    """How many pictures lie in each sub-folder, where all lie directly in one of several."""


def survey(folder: Path) -> Survey:
    """Open a sample of a folder's pictures.

    Raises PocketganError where there is no folder, no picture in it, none that can be read, or
    most show nothing.
    """
    files = find(folder)
    chosen = np.unique(np.linspace(0, len(files) - 1, SAMPLE).round().astype(int))
    looks = [look for number in chosen if (look := _look(files[number])) is not None]
    if not looks:
        raise PocketganError(
            f"{folder}: none of {len(chosen)} pictures out of {len(files)} can be read.",
            "Open one in an image viewer; save it as PNG or JPEG.",
        )
    _, labels = labels_of(folder, files)
    sides, colours = zip(*looks, strict=True)
    side = round(float(np.median(sides)))
    if side < LEAST_SIDE:
        raise PocketganError(
            f"{folder}: most pictures have a side of {side} pixels or less: fewer than "
            f"{LEAST_SIDE} show nothing.",
            "Give a folder of larger pictures.",
        )
    usable = sum(each >= LEAST_SIDE for each in sides)
    return Survey(
        count=len(files) - len(chosen) + usable,
        side=side,
        grey=not any(colours),
        classes=() if labels is None else tuple(np.bincount(labels).tolist()),
    )


def _look(file: Path) -> tuple[int, bool] | None:
    """Shorter side and whether there is colour; None where the file cannot be read as a picture."""
    try:
        with Image.open(file) as image:
            side = min(image.size)
        small = picture.read(file.read_bytes(), 3, draft=SMALL).image
        small.thumbnail((SMALL, SMALL))
    except Exception:  # Pillow's plugins raise nearly anything for a broken file
        return None
    return side, not picture.is_grey(picture.as_array(small))
