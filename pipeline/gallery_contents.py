"""What a gallery page shows, read out of finished runs."""

import gzip
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from deploy.bundle.schema import PictureInput
from deploy.errors import PocketganError
from deploy.web.gallery import FigureTable, GateLine
from deploy.web.make import PageContents, PageFile
from pipeline.artifacts import find_variants
from pipeline.bundle_contents import provenance_of, reads_of
from pipeline.finished_run import FinishedRun
from pipeline.pictures_read import example_inputs
from pipeline.plans import command_for
from pipeline.report.run.columns import BY_NAME, columns_of
from pipeline.report.run.gates import cannot_fail
from pipeline.report.run.schema import Report
from pipeline.variants import BASELINE, SHIPPED

FLOATS = ("student-float32", BASELINE)
"""Variants that a page shows beside the shipped one unless others are named."""
MOST_UNASKED = 3_000_000
"""Bytes, zipped, of a file in float32 that nobody named: a page is to be sent by mail."""
SPEED = "p50_ms"
KEY_COLUMNS = ("bytes", "bytes_gzip", "zeros", "frechet", "psnr", "psnr_truth", "macs", SPEED)


def gallery_of(
    runs: Sequence[FinishedRun], variants: Sequence[str] = (), *, speed: bool = True
) -> PageContents:
    """The page of one run, or of several whose files read the same.

    Of each run it holds those of ``variants`` that are there; where none is named the shipped file
    and what it may be compared with. What was timed stands in it only with ``speed``. Raises
    PocketganError where a run has none of them, or a file is not of this project.
    """
    files = _distinct(
        _file(run, name, several=len(runs) > 1) for run in runs for name in _chosen(run, variants)
    )
    names = [file.variant for file in files]
    report, reads = runs[0].report, files[0].reads
    examples = {}
    if isinstance(reads, PictureInput):
        examples = {"examples": example_inputs(runs[0], reads)}
    return PageContents(
        title=_title(runs),
        pocketgan=version("pocketgan"),
        files=files,
        shipped=names.index(SHIPPED) if SHIPPED in names else 0,
        reference=next((names.index(name) for name in FLOATS[::-1] if name in names), None),
        **examples,
        table=_table(report, speed=speed) if report else None,
        gates=_gates(report) if report else (),
        warnings=tuple(lack for run in runs for lack in run.unfinished),
    )


def _distinct(files: Iterable[PageFile]) -> tuple[PageFile, ...]:
    """Smallest first; runs that share a file share its place, too."""
    by_content: dict[bytes, PageFile] = {}
    for file in files:
        by_content.setdefault(file.content, file)
    return tuple(sorted(by_content.values(), key=lambda file: len(file.content)))


def _title(runs: Sequence[FinishedRun]) -> str:
    first, *others = (run.folder.resolve().name for run in runs)
    return f"{first} and {len(others)} more" if others else first


def _chosen(run: FinishedRun, variants: Sequence[str]) -> list[str]:
    files = find_variants(run.stage("convert"))
    if variants:
        return [name for name in variants if name in files] or [variants[0]]
    if SHIPPED not in files:
        raise PocketganError(
            f"{run.folder} has no file '{SHIPPED}'.",
            f"Name some that it has: --variants {','.join(files)}."
            if files
            else f"Finish the run first: {command_for(run.folder)}",
        )
    return [SHIPPED, *(name for name in FLOATS if name in files and _is_light(files[name]))]


def _is_light(path: Path) -> bool:
    return len(gzip.compress(path.read_bytes(), 6)) <= MOST_UNASKED


def _file(run: FinishedRun, variant: str, *, several: bool) -> PageFile:
    path = run.variant(variant)
    content = path.read_bytes()
    provenance = provenance_of(path, content)
    return PageFile(
        content=content,
        label=f"{run.folder.resolve().name} {variant}" if several else variant,
        variant=variant,
        reads=reads_of(run, content, provenance),
        pixels=provenance.pixels,
        quality=_quality(run, variant),
    )


def _quality(run: FinishedRun, name: str) -> str:
    """The first figure of quality that the report has of a file, in words."""
    variant = run.report.variant(name) if run.report else None
    if variant is None:
        return ""
    columns = (BY_NAME[name] for name in ("psnr_truth", "frechet", "psnr"))
    figures = (column for column in columns if column.read(variant).value is not None)
    texts = (f"{column.title} {column.text(variant)} {column.unit}".strip() for column in figures)
    return next(texts, "")


def _table(report: Report, *, speed: bool) -> FigureTable:
    names = [name for name in KEY_COLUMNS if speed or name != SPEED]
    columns = [column for column in columns_of(report) if column.name in names]
    rows = [(v.name, *(column.text(v) for column in columns)) for v in report.variants]
    if trivial := report.trivial:
        texts = (column.text_of_pictures(trivial.quality) for column in columns)
        rows.append((trivial.name, *texts))
    return FigureTable(columns=("file", *(column.label for column in columns)), rows=tuple(rows))


def _gates(report: Report) -> tuple[GateLine, ...]:
    remarks = [cannot_fail(gate.text, report) for gate in report.gates]
    return tuple(
        GateLine(text=f"{gate.text} ({remark})" if remark else gate.text, passed=gate.passed)
        for gate, remark in zip(report.gates, remarks, strict=True)
    )
