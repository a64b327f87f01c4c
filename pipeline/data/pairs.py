"""Pairs of pictures, one that is read and one that is drawn from it.

They lie in two folders under equal names, or side by side in one file, as pix2pix's sets do.
"""

import unicodedata
from pathlib import Path

import numpy as np
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data.dataset import Dataset, divide
from pipeline.data.listing import find, listed, name, text, unread
from pipeline.data.picture import TOO_SMALL
from pipeline.data.reading import COPIED, Decoded, Request, read


def load(request: Request) -> Dataset:
    """Pictures of the request's ``folder``, each with the one of ``inputs`` that it is drawn from.

    Partners have the same path below their folder, short of the ending. Without ``inputs``, every
    file of ``folder`` holds its input on the left half and its target on the right. Both become
    uint8 [N, image_size, image_size, channels], cut alike. All that a file gives is on one side of
    the division into train and test. What has no partner, or one of other proportions, is skipped,
    counted and listed in the notes.
    Raises PocketganError where a folder is missing or fewer than two pairs are usable, and where a
    file cannot be read from the disk or the cache cannot be written.
    """
    targets = request.folder
    if targets is None:
        raise PocketganError(
            "The data source 'pairs' was given no folder.",
            "Name the folder of the pictures to draw, and in data.inputs that of those to read.",
        )
    items: list[tuple[Path, ...]]
    problems: list[str]
    if request.inputs is None:
        items, problems = [(path,) for path in find(targets)], unread(targets)
    else:
        items, problems = _matched(targets, request.inputs)
    decoded = read(items, partners if request.inputs else halves, request)
    names = [name(item[0], targets) for item in items]
    skipped = decoded.skipped(names)
    problems += listed(skipped, f"of {len(items)} pairs cannot be used and were skipped")
    problems += listed(decoded.copies(names), COPIED)
    return _dataset(targets, decoded, request, (*problems, *decoded.treatments))


def partners(images: list[Image.Image]) -> list[Image.Image]:
    """Target and input of two files; ValueError unless one is the other scaled as a whole."""
    small, large = sorted((image.size for image in images), key=lambda size: size[0] * size[1])
    scale = large[0] / small[0]
    # Where the small one's sides were rounded, they differ by less than a pixel of it.
    if abs(large[1] - scale * small[1]) >= scale:
        (width, height), (input_width, input_height) = (image.size for image in images)
        raise ValueError(
            f"{width}×{height} pixels, but {input_width}×{input_height} in the folder of inputs"
        )
    return images


def halves(images: list[Image.Image]) -> list[Image.Image]:
    """Target and input of one file: its right and its left half; ValueError unless both square."""
    (image,) = images
    width, height = image.size
    if width != 2 * height:
        raise ValueError(f"{width}×{height} pixels are not twice as wide as high")
    return [image.crop((height, 0, width, height)), image.crop((0, 0, height, height))]


def _matched(targets: Path, inputs: Path) -> tuple[list[tuple[Path, ...]], list[str]]:
    """(target, input) of equal names, and notes on what has no partner."""
    if targets.resolve() == inputs.resolve():
        raise PocketganError(
            f"{targets} is named as the folder of targets and of inputs.",
            "Name two folders, or leave data.inputs out: pictures then lie side by side in a file.",
        )
    notes: list[str] = []
    by_name = []
    for key, folder in (("data.folder", targets), ("data.inputs", inputs)):
        files: dict[Path, Path] = {}
        repeated = []
        for path in find(folder):
            if files.setdefault(_stem(path, folder), path) != path:
                repeated.append(name(path, folder))
        notes += listed(repeated, f"files of {key} have the name of another one and were skipped")
        notes += [f"{key}: {note}" for note in unread(folder)]
        by_name.append(files)
    first, second = by_name
    alone = [name(path, targets) for stem, path in first.items() if stem not in second]
    notes += listed(alone, "pictures of data.folder have no partner in data.inputs")
    alone = [name(path, inputs) for stem, path in second.items() if stem not in first]
    notes += listed(alone, "pictures of data.inputs have no partner in data.folder")
    return [(first[stem], second[stem]) for stem in first if stem in second], notes


def _stem(path: Path, folder: Path) -> Path:
    """The path below ``folder`` without its ending. A letter with an accent is one or two
    characters, as the system has it that wrote the file: both look, and count, the same."""
    return Path(unicodedata.normalize("NFC", str(path.relative_to(folder).with_suffix(""))))


def _dataset(targets: Path, decoded: Decoded, request: Request, notes: tuple[str, ...]) -> Dataset:
    used = decoded.counts > 0
    originals = decoded.originals[used]
    usable = len(np.unique(originals))
    if usable < 2:
        raise PocketganError(
            ". ".join([f"{targets} has {usable} usable pairs of pictures", *notes]) + ".",
            "Lower data.image_size, or let data.cut be whole."
            if any(TOO_SMALL in note for note in notes)
            else "Give more, for a good training some hundreds: folders whose files have equal "
            "names and proportions, or pictures side by side in a file twice as wide as high.",
        )
    train, test = divide(
        decoded.counts[used],
        None,
        test_fraction=request.test_fraction,
        seed=request.seed,
        originals=originals,
    )
    pictures, inputs = decoded.pictures[:, 0], decoded.pictures[:, 1]
    return Dataset(
        name=text(targets.resolve().name),
        train=pictures[train],
        test=pictures[test],
        train_labels=None,
        test_labels=None,
        classes=(),
        train_inputs=inputs[train],
        test_inputs=inputs[test],
        notes=notes,
    )
