"""Pictures out of a user's folder, for a generator that reads pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError, printable
from pipeline.arrays import Images
from pipeline.data import listing, reading
from pipeline.data.degrade import degrade
from pipeline.data.picture import is_grey, with_channels
from pipeline.importers.input_roles import InputKind, InputPart, InputRole, can_be, role_option
from pipeline.importers.missing import MissingFact
from pipeline.importers.teacher import Teacher

_GREY_OR_COLOUR = (1, 3)
_SEVERAL = (
    (InputKind.PICTURE, InputKind.MASK),
    (InputKind.PICTURE, InputKind.PICTURE),
    (InputKind.PICTURE, InputKind.MASK, InputKind.MASK),
    (InputKind.PICTURE, InputKind.PICTURE, InputKind.MASK),
)
"""What may lie in the channels of one input, the likeliest first."""
NO_COLOUR = (
    "all of them are grey, and the generator reads colour: what it does with colours its student "
    "does not learn, and no figure tells"
)
FEWEST_INPUTS = 48
"""So that the smallest of the parts has the six pictures that the metrics ask for."""
PARTS = (0.7, 0.85)
"""Where a generator's input pictures are parted: for its student, to judge by, held back."""
FEWEST_PHOTOS = 3
"""Where they are cut into tiles: all tiles of one are in the same part."""


@dataclass(frozen=True)
class InputPictures:
    """What a folder holds for a generator to read."""

    images: Images
    """uint8 [N, H, W, C], in the order of the files."""
    counts: npt.NDArray[np.int64]
    """[files] how many of them came out of each file; 0 of one that was skipped."""
    notes: tuple[str, ...]
    """What was skipped, and what was done to pixels."""

    def parted(self, seed: int) -> list[Images]:
        """Those for a student, to compare students by, and held back: all that come from one file
        are in the same part."""
        file_of = np.repeat(np.arange(len(self.counts)), self.counts)
        usable = np.random.default_rng(seed).permutation(np.unique(file_of))
        # Of few files at least one is in each part.
        last = len(usable) - 1
        second = min(round(PARTS[1] * len(usable)), last)
        bounds = [min(round(PARTS[0] * len(usable)), second - 1), second]
        return [self.images[np.isin(file_of, part)] for part in np.split(usable, bounds)]


def picture_channels(teacher: Teacher) -> int:
    """Channels of a picture out of a folder, 1 or 3; PocketganError where its channels are others.

    Masks, second pictures and classes behind it are made: ``with_further_parts``.
    """
    if facts := channel_facts(teacher):
        raise PocketganError(f"The generator: {facts[0].problem}.", f"Give {facts[0].option}.")
    return _pictures_read(teacher)[0].size


def channel_facts(teacher: Teacher) -> list[MissingFact]:
    """What is missing where pictures that it reads are neither grey nor colour.

    Raises PocketganError where nothing that can be said of their channels would do.
    """
    return [
        _channel_fact(part) for part in _pictures_read(teacher) if part.size not in _GREY_OR_COLOUR
    ]


def _pictures_read(teacher: Teacher) -> list[InputPart]:
    whole = InputPart(
        name="NAME",
        kind=InputKind.PICTURE,
        size=0 if teacher.latent else teacher.model.input_shape[-1],
    )
    return [part for part in teacher.parts or (whole,) if part.kind is InputKind.PICTURE]


def _channel_fact(part: InputPart) -> MissingFact:
    roles = [InputRole(kinds) for kinds in _SEVERAL if can_be(kinds, part.size)]
    problem = (
        f"its input '{printable(part.name)}' has {part.size} channels, and only grey and colour "
        "can be read from a folder"
    )
    if not roles:
        raise PocketganError(
            f"The generator: {problem}.", "Give one that reads pictures in grey or in colour."
        )
    latents = role_option(part.name, InputRole((InputKind.LATENT,)))
    return MissingFact(
        problem=f"{problem}: what lies in the others is not known (if it is latents: {latents})",
        option=role_option(part.name, roles[0]),
        guess={"inputs": {part.name: roles[0]}},
    )


def with_further_parts(pictures: Images, parts: Sequence[InputPart], seed: int) -> Images:
    """Pictures uint8 [N, H, W, 1 or 3] with what ``parts`` names behind them: [N, H, W, C].

    A mask of strokes and boxes, 255 where the picture is painted grey; as a second picture another
    one of these; a class as a plane of 255 among planes of 0.
    """
    random = np.random.default_rng(seed)
    channels = [pictures]
    for number, part in enumerate(parts[1:], start=1):
        if part.kind is InputKind.MASK:
            masked = degrade(pictures, "mask", (seed, number))
            channels[0] = masked[..., :-1]
            channels.append(masked[..., -1:])
        elif part.kind is InputKind.CLASS:
            one_hot = np.eye(part.size, dtype=np.uint8)[
                random.integers(part.size, size=len(pictures))
            ]
            planes = np.broadcast_to(255 * one_hot[:, None, None], (*pictures.shape[:3], part.size))
            channels.append(planes)
        else:
            order = random.permutation(len(pictures))
            others = np.empty_like(pictures)
            others[order] = pictures[np.roll(order, 1)]
            channels.append(with_channels(others, part.size))
    return np.concatenate(channels, axis=-1) if len(channels) > 1 else pictures


def read_input_pictures(folder: Path, teacher: Teacher, *, cut: str, cache: Path) -> InputPictures:
    """The pictures of ``folder`` as ``teacher`` reads them; decoded ones are kept in ``cache``.

    ``cut``: "whole", or "tiles" where each file gives many. Copies of a file are left out: it would
    be learned from and judged by. Raises PocketganError where there are too few, where all are the
    same, and where the teacher reads none that a folder could hold.
    """
    height, width, _ = teacher.model.input_shape[1:]
    request = reading.Request(
        image_size=height,
        image_width=None if width == height else width,
        channels=picture_channels(teacher),
        folder=folder,
        cache=cache,
        test_fraction=0.5,
        seed=0,
        cut=cut,
        size_is_fixed=True,
    )
    files = listing.find(folder)
    decoded = reading.read([(file,) for file in files], reading.single, request)
    images, is_copy = decoded.pictures[:, 0], decoded.originals != np.arange(len(files))
    if len(images) and (images == images[0]).all():
        raise PocketganError(
            f"{folder}: its pictures, as the generator reads them, are all the same.",
            "Give pictures that differ: transparent ones are laid on white.",
        )
    notes = _notes(folder, files, decoded)
    counts = np.where(is_copy, 0, decoded.counts)
    _refuse_too_few(int((counts > 0).sum()), request, notes)
    if request.channels > 1 and is_grey(images):
        notes.append(f"{folder}: {NO_COLOUR}")
    treatments = [f"{folder}: {treatment}" for treatment in decoded.treatments]
    images = images[~np.repeat(is_copy, decoded.counts)]
    return InputPictures(images, counts, (*notes, *treatments))


def _notes(folder: Path, files: Sequence[Path], decoded: reading.Decoded) -> list[str]:
    """What is left out of the files, by name."""
    names = [listing.name(file, folder) for file in files]
    of = f"of {len(files)} files in {folder}"
    return [
        *listing.listed(decoded.skipped(names), f"{of} were skipped"),
        *listing.listed(decoded.copies(names), f"{of} are copies of others and were left out"),
        *(f"{folder}: {note}" for note in listing.unread(folder)),
    ]


def _refuse_too_few(usable: int, request: reading.Request, notes: Sequence[str]) -> None:
    height, width = request.size
    tiles = request.cut == reading.TILES
    if usable >= (FEWEST_PHOTOS if tiles else FEWEST_INPUTS):
        return
    large = f"{FEWEST_PHOTOS} or more of at least {width}×{height} pixels"
    raise PocketganError(
        ". ".join([f"{request.folder} holds {usable} pictures that can be used", *notes]) + ".",
        f"Give {large if tiles else f'{FEWEST_INPUTS} or more'}: some to learn from, some to "
        "judge by."
        + ("" if tiles else f" With --cut tiles, which cuts many out of each, {large} will do."),
    )
