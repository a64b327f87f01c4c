"""Putting a page together, in memory: its files draw, and what they drew goes beside them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from deploy.bundle.drawing import GeneratorRun, draw, latents, stored_pictures, to_pixels, wire
from deploy.bundle.schema import Latent, PictureInput, Pixels
from deploy.errors import PocketganError
from deploy.jobs import weigh
from deploy.web.gallery import FigureTable, Gallery, GalleryFile, GateLine
from deploy.web.page import render

GOLDEN = 8
EXAMPLES = 8
"""Pictures to read that a page brings along; the first of them are golden, too."""
MOST_GOLDEN_BYTES = 1 << 20
"""Of what a file draws: of large pictures there are fewer."""


@dataclass(frozen=True, kw_only=True)
class PageFile:
    """One .tflite, and what the file itself cannot tell."""

    content: bytes
    label: str
    variant: str
    reads: Latent | PictureInput
    pixels: tuple[float, float]
    """What it draws for black and for white."""
    quality: str = ""
    """A figure of its quality, in words."""


@dataclass(frozen=True, kw_only=True)
class PageContents:
    """What a page shows."""

    title: str
    pocketgan: str
    files: tuple[PageFile, ...]
    """Smallest first; all read and draw alike."""
    shipped: int = 0
    """Number of the file that draws first."""
    reference: int | None = None
    """Number of the file in float32 that others are compared with."""
    examples: np.ndarray = field(default_factory=lambda: np.zeros((0, 1, 1, 1), np.uint8))
    """Of generators that read pictures, such ones: uint8 [N, h, w, c]."""
    table: FigureTable | None = None
    gates: tuple[GateLine, ...] = ()
    warnings: tuple[str, ...] = ()


def make(contents: PageContents) -> tuple[Gallery, bytes]:
    """The page's document and the page; equal contents give equal bytes.

    Raises PocketganError where a file does not run, or files read or draw different things.
    """
    examples = contents.examples[_most_varied(contents.examples)]
    runs = [_golden(file, examples) for file in contents.files]
    _refuse_different(contents, runs)
    document = Gallery(
        title=contents.title,
        pocketgan=contents.pocketgan,
        runtime=runs[0].runtime,
        files=tuple(_describe(*each) for each in zip(contents.files, runs, strict=True)),
        shipped=contents.shipped,
        reference=contents.reference,
        golden=len(runs[0].inputs),
        table=contents.table,
        gates=contents.gates,
        warnings=contents.warnings,
    )
    return document, render("page", document, dict(_blobs(contents, runs, examples)))


def _most_varied(examples: np.ndarray) -> np.ndarray:
    """Numbers of the pictures that show something: plain sky and black edges tell little."""
    spread = examples.std(axis=(1, 2, 3))
    return np.argsort(-spread, kind="stable")[:EXAMPLES]


def _golden(file: PageFile, examples: np.ndarray) -> GeneratorRun:
    """What the golden inputs become here."""
    if isinstance(file.reads, Latent):
        labels = [seed % max(1, file.reads.classes) for seed in range(GOLDEN)]
        return draw(file.content, latents(file.reads, range(GOLDEN), labels))
    if not len(examples):
        raise PocketganError("a page of a generator that reads pictures needs some to read.")
    nothing = draw(file.content, examples[:0].astype(np.float32))
    count = min(GOLDEN, max(1, MOST_GOLDEN_BYTES // math.prod(nothing.output.shape)))
    return draw(file.content, stored_pictures(examples[:count], file.reads, nothing.input))


def _refuse_different(contents: PageContents, runs: list[GeneratorRun]) -> None:
    """All files of a page are fed with the same inputs."""
    first, *others = (_interface(*each) for each in zip(contents.files, runs, strict=True))
    for file, other in zip(contents.files[1:], others, strict=True):
        if other != first:
            raise PocketganError(
                f"{contents.files[0].label} and {file.label} read or draw different things.",
                "Make a page of each, or name runs that compress the same generator.",
            )


def _interface(file: PageFile, run: GeneratorRun) -> tuple[object, ...]:
    shapes = (run.input.shape, run.output.shape)
    if isinstance(file.reads, Latent):
        return (*shapes, file.reads.length, file.reads.class_names)
    return (*shapes, file.reads.channels, file.reads.mask)


def _describe(file: PageFile, run: GeneratorRun) -> GalleryFile:
    weight = weigh(file.content)
    return GalleryFile(
        label=file.label,
        variant=file.variant,
        sha256=str(weight["sha256"]),
        bytes=int(weight["bytes"]),
        bytes_gzip=int(weight["bytes_gzip"]),
        input=run.input,
        output=run.output,
        reads=file.reads,
        low=file.pixels[0],
        high=file.pixels[1],
        quality=file.quality,
    )


def _blobs(
    contents: PageContents, runs: list[GeneratorRun], examples: np.ndarray
) -> Iterator[tuple[str, bytes]]:
    """Name → bytes."""
    for number, (file, run) in enumerate(zip(contents.files, runs, strict=True)):
        yield f"file-{number}", file.content
        yield f"golden-inputs-{number}", wire(run.inputs)
        yield (
            f"golden-pixels-{number}",
            wire(to_pixels(run.outputs, run.output, _pixels(file, run))),
        )
    if len(examples):
        yield "examples", wire(np.ascontiguousarray(examples))


def _pixels(file: PageFile, run: GeneratorRun) -> Pixels:
    channels = run.output.shape[-1]
    if len(run.output.shape) != 4 or channels not in (1, 3):
        raise PocketganError(
            f"{file.label} draws {list(run.output.shape)}, and a page shows grey or colour.",
            "Name another variant with --variants.",
        )
    low, high = file.pixels
    return Pixels(low=low, high=high, channels="grey" if channels == 1 else "rgb")
