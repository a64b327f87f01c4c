"""What a gallery page is made of, read out of finished runs and drawn by their files."""

import gzip
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import numpy as np

from deploy.bundle.drawing import GeneratorRun, draw, latents, stored_pictures, to_pixels
from deploy.bundle.schema import Latent, Picture, Pixels
from deploy.errors import PocketganError
from deploy.jobs import weigh
from deploy.web.gallery import Gallery, GalleryContents, GalleryFile, Gate, Table
from pipeline.artifacts import find_variants
from pipeline.bundle_contents import Provenance, provenance_of, reads_of
from pipeline.finished_run import FinishedRun
from pipeline.pictures_read import example_inputs
from pipeline.report.run.columns import BY_NAME, columns_of
from pipeline.report.run.schema import Report
from pipeline.tflite.read import read_model
from pipeline.variants import BASELINE, SHIPPED

GOLDEN = 8
EXAMPLES = 8
"""Pictures to read that the page shows; the first are golden, too."""
UNASKED = (SHIPPED, "student-float32", BASELINE)
"""Variants that a page holds unless others are named."""
MOST_UNASKED = 3_000_000
"""Bytes, zipped, of a file in float32 that nobody named: a page is to be sent by mail."""
KEY_COLUMNS = ("bytes", "bytes_gzip", "zeros", "frechet", "psnr", "psnr_truth", "macs", "p50_ms")


class _Source(NamedTuple):
    """A file before it has drawn."""

    run: FinishedRun
    variant: str
    content: bytes
    provenance: Provenance
    reads: Latent | Picture


def gallery_of(runs: Sequence[FinishedRun], variants: Sequence[str] = ()) -> GalleryContents:
    """The page of one run, or of several whose files read the same.

    Of each run it holds those of ``variants`` that are there; of none named the shipped file and
    what it may be compared with.

    Raises PocketganError where a run has none of ``variants``, a file does not run or is not of
    this project, or files read different things.
    """
    sources = [source for run in runs for source in _sources(run, variants)]
    sources.sort(key=lambda source: len(source.content))
    _refuse_different(sources)
    examples = _examples(sources[0])
    answers = [_draw(source, examples) for source in sources]
    pairs = list(zip(sources, answers, strict=True))
    variant_names = [source.variant for source in sources]
    report = runs[0].report
    document = Gallery(
        title=" + ".join(run.folder.resolve().name for run in runs),
        pocketgan=version("pocketgan"),
        runtime=answers[0].runtime,
        files=tuple(_file(*pair, several=len(runs) > 1) for pair in pairs),
        shipped=variant_names.index(SHIPPED) if SHIPPED in variant_names else 0,
        reference=_reference(variant_names),
        golden=len(answers[0].inputs),
        table=_table(report) if report else None,
        gates=tuple(Gate(text=gate.text, passed=gate.passed) for gate in report.gates)
        if report
        else (),
        warnings=tuple(lack for run in runs for lack in run.unfinished),
    )
    return GalleryContents(
        document=document,
        files=tuple(source.content for source in sources),
        golden_inputs=tuple(answer.inputs for answer in answers),
        golden_pixels=tuple(
            to_pixels(answer.outputs, answer.output, _pixels(source, answer))
            for source, answer in pairs
        ),
        examples=examples,
    )


def _reference(variants: Sequence[str]) -> int | None:
    """Number of the file in float32 that others are compared with: what all began with, if there."""
    for name in (BASELINE, "student-float32"):
        if name in variants:
            return variants.index(name)
    return None


def _sources(run: FinishedRun, variants: Sequence[str]) -> list[_Source]:
    files = find_variants(run.stage("convert"))
    if variants:
        chosen = [name for name in variants if name in files] or [variants[0]]
    else:
        chosen = [
            SHIPPED,
            *(name for name in UNASKED[1:] if name in files and _is_light(files[name])),
        ]
    return [_source(run, name) for name in chosen]


def _is_light(path: Path) -> bool:
    return len(gzip.compress(path.read_bytes(), 6)) <= MOST_UNASKED


def _source(run: FinishedRun, variant: str) -> _Source:
    path = run.variant(variant)
    content = path.read_bytes()
    provenance = provenance_of(path, content)
    reads = reads_of(run, content, provenance)
    return _Source(run, variant, content, provenance, reads)


def _refuse_different(sources: Sequence[_Source]) -> None:
    """All files of a page are fed with the same inputs, so they must read and draw alike."""
    first, *others = sources
    for source in others:
        if _interface(source) != _interface(first):
            raise PocketganError(
                f"{first.run.folder} and {source.run.folder} read or draw different things.",
                "Make a page of each, or name runs that compress the same generator.",
            )


def _examples(source: _Source) -> np.ndarray | None:
    if isinstance(source.reads, Latent):
        return None
    pictures = example_inputs(source.run, source.reads)
    # Those that show something: plain sky and black edges tell little.
    return pictures[np.argsort(-pictures.std(axis=(1, 2, 3)), kind="stable")[:EXAMPLES]]


def _interface(source: _Source) -> tuple[object, ...]:
    graph = read_model(source.content).subgraphs[0]
    shapes = [tensor.shape for tensor in (*graph.inputs, *graph.outputs)]
    if isinstance(source.reads, Picture):
        return source.reads.channels, source.reads.mask, shapes
    return source.reads.length, source.reads.class_names, shapes


def _draw(source: _Source, examples: np.ndarray | None) -> GeneratorRun:
    """What the golden inputs become here."""
    reads = source.reads
    if isinstance(reads, Latent):
        classes = max(1, reads.classes)
        inputs = latents(reads, range(GOLDEN), [seed % classes for seed in range(GOLDEN)])
        return draw(source.content, inputs)
    assert examples is not None
    tensor = draw(source.content, examples[:0].astype(np.float32)).input
    return draw(source.content, stored_pictures(examples[:GOLDEN], reads, tensor))


def _pixels(source: _Source, answer: GeneratorRun) -> Pixels:
    low, high = source.provenance.pixels
    channels = answer.output.shape[-1]
    if len(answer.output.shape) != 4 or channels not in (1, 3):
        raise PocketganError(
            f"{source.run.variant(source.variant)} draws {list(answer.output.shape)}, "
            "and a page shows grey or colour.",
            "Name another variant with --variants.",
        )
    return Pixels(low=low, high=high, channels="grey" if channels == 1 else "rgb")


def _file(source: _Source, answer: GeneratorRun, *, several: bool) -> GalleryFile:
    low, high = source.provenance.pixels
    weight = weigh(source.content)
    return GalleryFile(
        label=f"{source.run.folder.resolve().name} {source.variant}" if several else source.variant,
        variant=source.variant,
        sha256=str(weight["sha256"]),
        bytes=int(weight["bytes"]),
        bytes_gzip=int(weight["bytes_gzip"]),
        input=answer.input,
        output=answer.output,
        reads=source.reads,
        low=low,
        high=high,
        quality=_quality(source),
    )


def _quality(source: _Source) -> str:
    """The first figure of quality that the report has of a file, in words."""
    variant = source.run.report.variant(source.variant) if source.run.report else None
    if variant is None:
        return ""
    columns = (BY_NAME[name] for name in ("psnr_truth", "frechet", "psnr"))
    figures = (column for column in columns if column.read(variant).value is not None)
    return next((f"{column.label} {column.text(variant)}" for column in figures), "")


def _table(report: Report) -> Table:
    columns = [column for column in columns_of(report) if column.name in KEY_COLUMNS]
    return Table(
        columns=("file", *(column.label for column in columns)),
        rows=tuple(
            (variant.name, *(column.text(variant) for column in columns))
            for variant in report.variants
        ),
    )
