"""What a gallery page is made of, read out of finished runs and drawn by their files."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.bundle.drawing import GeneratorRun, draw, latents, to_pixels
from deploy.bundle.schema import Latent, Pixels
from deploy.errors import PocketganError
from deploy.jobs import weigh
from deploy.web.gallery import (
    Gallery,
    GalleryContents,
    GalleryFile,
    Gate,
    ReadsLatents,
    ReadsPictures,
    Table,
)
from pipeline.artifacts import find_variants, read_samples
from pipeline.finished_run import FinishedRun
from pipeline.plans import RECIPE
from pipeline.report.run.columns import BY_NAME, columns_of
from pipeline.report.run.schema import Report
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE
from pipeline.variants import BASELINE, SHIPPED

GOLDEN = 8
EXAMPLES = 8
"""Pictures to read that the page shows; the first are golden, too."""
KEY_COLUMNS = (
    *("bytes", "bytes_gzip", "zeros", "frechet", "psnr", "psnr_truth", "macs", "p50_ms"),
    "p90_ms",
)


class _Provenance(BaseModel):
    """What a file says of itself, as far as a page needs it."""

    model_config = ConfigDict(frozen=True)

    pixels: tuple[float, float]
    input_pixels: tuple[float, float] | None = None
    latent: int = 0
    classes: int = 0
    inputs: tuple[dict[str, object], ...] = ()
    """What the channels are, where there is more than a picture, such as a mask."""


class _Source(NamedTuple):
    """A file before it has drawn."""

    run: FinishedRun
    variant: str
    content: bytes
    provenance: _Provenance


def gallery_of(runs: Sequence[FinishedRun], variants: Sequence[str]) -> GalleryContents:
    """The page of one run, or of several whose files read the same.

    Raises PocketganError where a run has none of ``variants``, a file does not run or is not of
    this project, or files read different things.
    """
    sources = [source for run in runs for source in _sources(run, variants)]
    sources.sort(key=lambda source: len(source.content))
    reads = _reads(sources[0])
    _refuse_different(sources)
    examples = _examples(sources[0].run) if isinstance(reads, ReadsPictures) else None
    answers = [_draw(source, reads, examples) for source in sources]
    pairs = list(zip(sources, answers, strict=True))
    variant_names = [source.variant for source in sources]
    report = runs[0].report
    document = Gallery(
        title=" + ".join(run.folder.resolve().name for run in runs),
        pocketgan=version("pocketgan"),
        runtime=answers[0].runtime,
        reads=reads,
        files=tuple(_file(*pair, several=len(runs) > 1) for pair in pairs),
        shipped=variant_names.index(SHIPPED) if SHIPPED in variant_names else 0,
        reference=variant_names.index(BASELINE) if BASELINE in variant_names else None,
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


def _sources(run: FinishedRun, variants: Sequence[str]) -> list[_Source]:
    files = find_variants(run.stage("convert"))
    chosen = [name for name in variants if name in files] or [run.variant(variants[0]).stem]
    return [_source(run, name) for name in chosen]


def _source(run: FinishedRun, variant: str) -> _Source:
    path = run.variant(variant)
    content = path.read_bytes()
    try:
        stored = read_model(content).metadata.get(PROVENANCE) or b""
        provenance = _Provenance.model_validate_json(stored)
    except ValidationError as error:
        raise PocketganError(
            f"{path} does not say where it comes from.", "Convert it with `pocketgan convert`."
        ) from error
    if provenance.inputs:
        raise PocketganError(
            f"{path} reads a picture with a mask, and a gallery cannot draw a mask yet.",
            "Name a run whose generator reads latents or pictures alone.",
        )
    return _Source(run, variant, content, provenance)


def _reads(source: _Source) -> ReadsLatents | ReadsPictures:
    """Without a report nobody knows what the classes are called, nor what a code means."""
    run, provenance = source.run, source.provenance
    if provenance.input_pixels is not None:
        low, high = provenance.input_pixels
        return ReadsPictures(low=low, high=high, margin=None)
    names = run.report.dataset.classes if run.report else ()
    if run.has_discrete_code:
        names = tuple(f"code {number}" for number in range(provenance.classes))
    elif len(names) != provenance.classes:
        names = tuple(map(str, range(provenance.classes)))
    latent = Latent(length=provenance.latent, classes=provenance.classes, class_names=names)
    return ReadsLatents(latent=latent)


def _refuse_different(sources: Sequence[_Source]) -> None:
    """All files of a page are fed with the same inputs, so they must read and draw alike."""
    first = sources[0]
    for source in sources[1:]:
        mine, others = (
            (it.provenance.latent, it.provenance.classes, it.provenance.input_pixels, _shapes(it))
            for it in (first, source)
        )
        if mine != others:
            raise PocketganError(
                f"{first.run.folder} and {source.run.folder} read or draw different things.",
                "Make a page of each, or name runs that compress the same generator.",
            )


def _shapes(source: _Source) -> list[tuple[int, ...]]:
    graph = read_model(source.content).subgraphs[0]
    return [tensor.shape for tensor in (*graph.inputs, *graph.outputs)]


def _examples(run: FinishedRun) -> np.ndarray:
    """Pictures of the test split, as the stage evaluate kept them."""
    try:
        return read_samples(run.stage("evaluate"))["input"][:EXAMPLES]
    except (OSError, KeyError, ValueError) as error:
        raise PocketganError(
            f"{run.folder} has no pictures for its page to read: the stage evaluate left none.",
            f"Make it again with `pocketgan run {run.folder / RECIPE}`.",
        ) from error


def _draw(
    source: _Source, reads: ReadsLatents | ReadsPictures, examples: np.ndarray | None
) -> GeneratorRun:
    """What the golden inputs become here."""
    if isinstance(reads, ReadsPictures):
        assert examples is not None
        values = reads.low + examples[:GOLDEN].astype(np.float64) / 255 * (reads.high - reads.low)
        return draw(source.content, values.astype(np.float32))
    classes = max(1, reads.latent.classes)
    seeds = range(GOLDEN)
    return draw(source.content, latents(reads.latent, seeds, [seed % classes for seed in seeds]))


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
