"""Picture files, one or two for each picture: decoded, cut, and kept until one of them changes."""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image

from deploy.errors import PocketganError
from deploy.machine import usable_memory
from pipeline.arrays import Images
from pipeline.atomic import replaced
from pipeline.data import picture
from pipeline.progress import track

WHOLE, TILES = CUTS = ("whole", "tiles")
ROUND_SIDE = 16
"""Networks halve pictures: a side that is a multiple of this suits all that are here."""
COPIES = 2
"""Of decoded pictures: one by one, and all as one array."""
LEAST_SIDE = 4
"""Pixels: a picture with a shorter side shows nothing that could be enlarged."""
COPIED = "are copies of others, and no copy of a test picture is trained on"
Members = Callable[[list[Image.Image]], list[Image.Image]]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a recipe asks of a source.

    ``test_fraction`` and ``seed`` divide what has no published division into train and test.
    """

    image_size: int
    """Height, and width unless that is another."""
    image_width: int | None = None
    channels: int
    folder: Path | None
    cache: Path
    """Folder for decoded pictures."""
    test_fraction: float
    seed: int
    inputs: Path | None = None
    degrade: str = ""
    cut: str = WHOLE
    coupled: str = ""
    size_is_fixed: bool = False
    """By a generator that is there already."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.image_size, self.image_width or self.image_size


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """What came out of a list of items, each of one file or of two that belong together."""

    pictures: Images
    """uint8 [N, members, height, width, channels], in the order of the items."""
    counts: npt.NDArray[np.int64]
    """[items] how many of ``pictures`` an item gave."""
    reasons: Texts
    """[items] why an item was skipped; empty where it was not."""
    changes: Texts
    """[items] what was done to its pixels, a line each."""
    enlarged: npt.NDArray[np.float64]
    """[items] how many times as high and wide it became; 1 or less where it was not enlarged."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """How many of the items were changed, a sentence for each kind of change."""
        numbers = Counter(change for text in self.changes for change in text.splitlines())
        enlarged = int((self.enlarged > 1).sum())
        if enlarged:
            most = self.enlarged.max()
            numbers[f"smaller than asked for: enlarged, the smallest {most:.1f} times"] = enlarged
        total = len(self.changes)
        return tuple(
            f"{change} ({number} of {total})" for change, number in sorted(numbers.items())
        )

    @cached_property
    def originals(self) -> npt.NDArray[np.int64]:
        """[items] number of the first item that gave just the same pictures; mostly its own."""
        numbers: list[int] = []
        first: dict[bytes, int] = {}
        for number, (count, end) in enumerate(
            zip(self.counts, np.cumsum(self.counts), strict=True)
        ):
            digest = hashlib.sha256(self.pictures[end - count : end].tobytes()).digest()
            numbers.append(first.setdefault(digest, number) if count else number)
        return np.array(numbers, np.int64)

    def copies(self, names: Iterable[str]) -> list[str]:
        """Name of each item whose pictures an earlier one gave, and of that one."""
        every = list(names)
        return [
            f"{every[number]} is {every[original]}"
            for number, original in enumerate(self.originals)
            if number != original
        ]

    def skipped(self, names: Iterable[str]) -> list[str]:
        """Name and reason of the items that were skipped, out of the names of all."""
        items = zip(names, self.reasons, strict=True)
        return [f"{name}: {reason}" for name, reason in items if reason]


def single(images: list[Image.Image]) -> list[Image.Image]:
    """The members of an item that is one picture."""
    return images


def read(items: Sequence[tuple[Path, ...]], members: Members, request: Request) -> Decoded:
    """The pictures of ``items``, decoded or from the cache, as the request wants them cut.

    ``members`` gets the images of an item's files and gives those that belong together, the one
    that decides the size first; it raises ValueError for an item that cannot be used.
    Raises PocketganError where a file cannot be read from the disk or the cache cannot be written,
    and where memory cannot hold them.
    """
    if request.cut == WHOLE:
        refuse_more_than_memory(len(items) * (1 if members is single else 2), request)
    else:
        _refuse_more_tiles_than_memory(items, request)
    path = request.cache / f"images-{_key(items, members, request)}.npz"
    try:
        with path.open("rb") as stream, np.load(stream) as stored:
            return Decoded(**stored)
    except Exception:  # no such file, or damaged in one of many ways: it is only a copy
        decoded = _decode(items, members, request)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as partial, partial.open("wb") as file:
            np.savez(file, **vars(decoded))
    except OSError as error:
        raise PocketganError(
            f"The decoded images cannot be stored in {request.cache}: {error.strerror}.",
            f"Make room for {decoded.pictures.nbytes:,} bytes, or give another folder for the"
            " cache.",
        ) from error
    return decoded


def refuse_more_than_memory(count: int, request: Request) -> None:
    """PocketganError where so many pictures of the request's size are more than memory holds."""
    height, width = request.size
    need = count * height * width * request.channels * COPIES
    memory = usable_memory()
    if memory is None or need <= memory:
        return
    side = math.floor(request.image_size * math.sqrt(memory / need))
    side -= side % ROUND_SIDE if side > ROUND_SIDE else 0
    fewer = f"Give about {max(1, math.floor(count * memory / need)):,} of them."
    smaller = f"Set data.image_size to {max(1, side)} or less" + (
        ", and data.image_width in proportion." if request.image_width else "."
    )
    raise PocketganError(
        f"{count:,} pictures of {width}×{height} pixels need {need / 1e9:.1f} GB of memory, and "
        f"this machine has {memory / 1e9:.1f} GB.",
        fewer if request.size_is_fixed else smaller,
    )


def _refuse_more_tiles_than_memory(items: Sequence[tuple[Path, ...]], request: Request) -> None:
    """PocketganError where the pixels of all photos are more than memory holds."""
    pixels = sum(picture.pixel_count(path) for item in items for path in item)
    need = COPIES * request.channels * pixels
    memory = usable_memory()
    if memory is None or need <= memory:
        return
    raise PocketganError(
        f"The tiles of {len(items):,} photos need {need / 1e9:.1f} GB of memory, and this machine "
        f"has {memory / 1e9:.1f} GB.",
        f"Give about {max(1, math.floor(len(items) * memory / need)):,} of them.",
    )


def _key(items: Iterable[tuple[Path, ...]], members: Members, request: Request) -> str:
    """A hash of all that decides the decoded pixels, short of reading the files."""
    listing = [
        (str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns)
        for item in items
        for path in item
    ]
    width = [] if request.image_width is None else [request.image_width]
    form = [request.image_size, *width, request.channels, request.cut, members.__name__]
    decides = json.dumps([listing, form, PIL.__version__])
    return hashlib.sha256(decides.encode()).hexdigest()[:32]


def _decode(items: Sequence[tuple[Path, ...]], members: Members, request: Request) -> Decoded:
    size, channels = request.size, request.channels
    # Twice the target loses nothing seen; partners are compared, and tiles cut, at full size.
    draft = 2 * max(size) if members is single and request.cut == WHOLE else None
    pictures, counts, reasons, changes, enlarged = [], [], [], [], []
    for item in track(items, "Reading images"):
        contents = [_content(path) for path in item]
        cut, reason, treatment, factor = [], "", set(), 1.0
        try:
            files = [picture.read(content, channels, draft=draft) for content in contents]
            images = members([file.image for file in files])
            _refuse_tiny(images, request)
            cut, factor = _cut(images, request), _enlargement(images, request)
            treatment = {change for file in files for change in file.changes}
        except Exception as error:  # Pillow's plugins raise nearly anything for a broken file
            reason = _reason(error)
        pictures += cut
        counts.append(len(cut))
        reasons.append(reason)
        changes.append("\n".join(sorted(treatment)))
        enlarged.append(factor)
    count = 1 if members is single else 2
    return Decoded(
        pictures=np.array(pictures, np.uint8).reshape(-1, count, *size, channels),
        counts=np.array(counts, np.int64),
        reasons=np.array(reasons, np.str_),
        changes=np.array(changes, np.str_),
        enlarged=np.array(enlarged, np.float64),
    )


def _refuse_tiny(images: list[Image.Image], request: Request) -> None:
    """ValueError for a picture of hardly any pixels."""
    least = min(LEAST_SIDE, *request.size)
    for image in images:
        if min(image.size) < least:
            raise ValueError(
                f"{image.width}×{image.height} pixels: fewer than {least} on a side show nothing"
            )


def _enlargement(images: list[Image.Image], request: Request) -> float:
    """How many times as high and wide the smallest of the pictures becomes."""
    height, width = request.size if request.cut == WHOLE else images[0].size[::-1]
    return max(max(height / image.height, width / image.width) for image in images)


def _cut(images: list[Image.Image], request: Request) -> list[Images]:
    """Pictures [members, height, width, channels]: one, or as many as there are tiles."""
    if request.cut == WHOLE:
        return [np.stack([picture.cropped(image, request.size) for image in images])]
    first, *others = images
    alike = [first, *(image.resize(first.size, picture.FILTER) for image in others)]
    return list(np.stack([picture.tiles(image, request.size) for image in alike], axis=1))


def _content(path: Path) -> bytes:
    """The bytes of a file. One that the system withholds is not broken: no cache shall say so."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise PocketganError(
            f"{path} cannot be read: {error.strerror}.",
            "Make it readable, or move it out of the folder.",
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, PIL.UnidentifiedImageError):
        return "not an image that Pillow knows"
    return " ".join(str(error).split()) or type(error).__name__
