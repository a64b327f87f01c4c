"""What a bundle is made of, read out of a finished run and off the file itself."""

import hashlib
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.bundle import schema
from deploy.bundle.make import BundleContents
from deploy.bundle.texts import Baseline, CardFacts, WithoutNetwork, render_text
from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.artifacts import find_variants, read_bits, read_directions
from pipeline.data.sources import SOURCES, TEACHER
from pipeline.finished_run import FinishedRun
from pipeline.importers.input_roles import InputKind
from pipeline.pictures_read import example_inputs, picture_read, with_size
from pipeline.plans import FROM_TEACHER, command_for
from pipeline.report.run import schema as reports
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE
from pipeline.variants import BASELINE

NAMELESS = ("ssh", "android", "browser:phone:webgpu", "browser:phone")
"""Kinds of target whose names tell whose they are."""
NO_SPEED = "Left out with `--no-speed`, so that the same recipe gives the same bytes."


class Provenance(BaseModel):
    """What a file of this project says of itself."""

    model_config = ConfigDict(frozen=True)

    recipe: str
    recipe_sha256: str
    seed: int
    latent: int = 0
    classes: int = 0
    input_pixels: tuple[float, float] | None = None
    """Black and white in the pictures that it reads; None where it reads latents."""
    inputs: tuple[dict[str, Any], ...] = ()
    """The parts of what it reads, where they are more than a picture."""
    pixels: tuple[float, float]
    pocketgan: dict[str, str]


def contents_of(
    run: FinishedRun, variant: str, *, speed: bool, size: str | None = None
) -> BundleContents:
    """All that a bundle of one variant needs; measurements only with ``speed``.

    ``size``, as 480x320, takes its file for pictures of that size, which the run did not measure.
    Raises PocketganError where the run has no such file, it is not of this project, or it reads
    what no bundle can hold.
    """
    path = _file(run, variant, size)
    content = path.read_bytes()
    provenance = provenance_of(path, content)
    report = run.report.variant(variant) if run.report and not size else None
    reads = reads_of(run, content, provenance)
    examples: dict[str, Any] = {}
    if isinstance(reads, schema.PictureInput):
        height, width = read_model(content).subgraphs[0].inputs[0].shape[1:3]
        examples = {"examples": with_size(example_inputs(run, reads), reads, (height, width))}
    return BundleContents(
        content=content,
        name=provenance.recipe,
        variant=variant,
        reads=reads,
        **examples,
        pixels=provenance.pixels,
        quality=_quality(run, report),
        measurements=_measurements(report) if speed and report else (),
        origin=_origin(run, provenance),
        data=_data(run),
        card=_card(
            run,
            variant,
            steps=how_made(run, variant, reads_pictures=isinstance(reads, schema.PictureInput)),
            report=report,
            no_speed=_why_no_speed(speed=speed, size=size),
        ),
    )


def _file(run: FinishedRun, variant: str, size: str | None) -> Path:
    own = run.variant(variant)
    if size is None:
        return own
    if provenance_of(own, own.read_bytes()).input_pixels is None:
        raise PocketganError(
            f"{run.folder} reads no pictures, and --size is of pictures that are read.",
            "Leave --size out.",
        )
    return run.other_size(variant, size)


def provenance_of(path: Path, content: bytes) -> Provenance:
    """What a file says of itself; PocketganError where it says nothing."""
    try:
        return Provenance.model_validate_json(read_model(content).metadata.get(PROVENANCE) or b"")
    except ValidationError as error:
        raise PocketganError(
            f"{path} does not say where it comes from.", "Convert it with `pocketgan convert`."
        ) from error


def reads_of(
    run: FinishedRun, content: bytes, provenance: Provenance
) -> schema.Latent | schema.PictureInput:
    """What a file of a run reads; PocketganError where no code of ours could feed it."""
    if provenance.input_pixels is None:
        return _latent(run, provenance)
    return picture_of(content, provenance)


def picture_of(content: bytes, provenance: Provenance) -> schema.PictureInput:
    """What a file that reads pictures says of them; PocketganError where it reads none, or more
    than our code could feed it."""
    if provenance.input_pixels is None:
        raise PocketganError("the file does not say what range of pixels it reads.")
    parts = tuple(InputKind(part["kind"]) for part in provenance.inputs)
    return picture_read(content, provenance.input_pixels, parts)


def _latent(run: FinishedRun, provenance: Provenance) -> schema.Latent:
    """Without a report nobody knows what the classes are called, nor what a code means."""
    count = provenance.classes
    names = run.report.dataset.classes if run.report else ()
    if run.has_discrete_code:
        names = tuple(f"code {number}" for number in range(count))
    elif len(names) != count:
        names = tuple(map(str, range(count)))
    return schema.Latent(
        length=provenance.latent,
        classes=count,
        class_names=names,
        directions=tuple(_directions(run, provenance.latent)),
    )


def _directions(run: FinishedRun, length: int) -> Iterator[schema.Direction]:
    """The codes that were learnt, then the directions that stage evaluate looked for."""
    for number in range(run.continuous_codes):
        yield schema.Direction(name=f"code {number}", vector=_unit(number, length))
    stored = read_directions(run.stage("evaluate"))
    for direction in stored[0].directions if stored else ():
        yield schema.Direction(name=direction.name, vector=direction.vector)


def _unit(place: int, length: int) -> tuple[float, ...]:
    return tuple(float(number == place) for number in range(length))


def _quality(
    run: FinishedRun, variant: reports.VariantReport | reports.TrivialReport | None
) -> schema.BundleQuality:
    if run.report is None or variant is None:
        return schema.BundleQuality()
    shared = schema.BundleQuality.model_fields.keys() & reports.ReportedQuality.model_fields.keys()
    return schema.BundleQuality(
        **{name: getattr(variant.quality, name) for name in sorted(shared)},
        frechet_floor=run.report.floor.frechet,
        judge_sha256=run.report.judge.sha256,
        judge_accuracy=run.report.judge.accuracy,
    )


def _measurements(variant: reports.VariantReport) -> tuple[Measurement, ...]:
    """Figures only: what was drawn, and the time of each run, would make model.json heavy.

    A bundle is given away: whose board (ssh:user@host), which phone (android:SERIAL) and at what
    address (browser:phone:ADDRESS) it was stays here.
    """
    left_out: dict[str, None] = dict.fromkeys(("outputs", "samples_ns", "histogram", "profile"))
    figures = []
    for it in variant.measurements:
        kind = next(
            (kind for kind in NAMELESS if f"{it.target}:".startswith(f"{kind}:")), it.target
        )
        figures.append(it.model_copy(update={**left_out, "target": kind}))
    return tuple(figures)


def _origin(run: FinishedRun, provenance: Provenance) -> schema.Origin:
    first = next(iter(run.records.values()), None)
    if first is None:
        raise PocketganError(
            f"{run.folder}: no stage of this run is complete: {run.unfinished[0]}.",
            f"Make it again: {command_for(run.folder)}",
        )
    return schema.Origin(
        pocketgan=provenance.pocketgan.get("pocketgan", version("pocketgan")),
        versions={**first.versions, **provenance.pocketgan},
        recipe=provenance.recipe,
        seed=provenance.seed,
        recipe_sha256=provenance.recipe_sha256,
        teacher_sha256=_teacher_sha256(run),
        gates_failed=tuple(gate.text for gate in run.report.failed_gates) if run.report else (),
        unfinished=run.unfinished,
    )


def _teacher_sha256(run: FinishedRun) -> str:
    """Of the baseline's file; of the teacher itself, where TFLite has no form of it."""
    if BASELINE not in find_variants(run.stage("convert")) and "teacher" in run.records:
        return str(run.records["teacher"].settings["teacher"]["sha256"])
    return hashlib.sha256(run.variant(BASELINE).read_bytes()).hexdigest()


def _data(run: FinishedRun) -> schema.Data:
    source = run.source
    return schema.Data(
        name=run.report.dataset.name if run.report else source,
        sha256=run.report.dataset.sha256 if run.report else None,
        licence=SOURCES[source].licence if source in SOURCES else f"of '{source}': not known.",
    )


def _card(
    run: FinishedRun,
    name: str,
    *,
    steps: tuple[str, ...],
    report: reports.VariantReport | None,
    no_speed: str,
) -> CardFacts:
    dense = run.report.variant(BASELINE) if run.report and report and name != BASELINE else None
    trivial = run.report.trivial if run.report and report else None
    figures = ("parameters", "macs", "zeros", "float_ops") if report else ()
    return CardFacts(
        steps=steps,
        real_pictures=run.source != TEACHER,
        baseline=Baseline(dense.bytes, dense.bytes_gzip, _quality(run, dense)) if dense else None,
        trivial=WithoutNetwork(trivial.name, _quality(run, trivial)) if trivial else None,
        **{figure: getattr(report, figure) for figure in figures},
        no_speed=no_speed,
    )


def _why_no_speed(*, speed: bool, size: str | None) -> str:
    if not speed:
        return NO_SPEED
    return f"Not measured: the run measured its own size, and not {size}." if size else ""


# ---------------------------------------------------------------------- how it was made


_TRAINED = {
    "pruned-float32": ("train", "prune"),
    "int8-qat": ("train", "quantize"),
    "int8": ("train", "prune", "quantize"),
}
"""Variants that are more than a conversion of the trained generator."""

_COMPRESSED = {
    "student-float32": ("teacher", "search", "student"),
    "int8": ("teacher", "search", "student", "quantize"),
}
"""Variants that are more than a conversion of the generator that was given."""

_CONVERTED = {
    "float32": "Written as .tflite in float32.",
    "float16": "Written as .tflite with weights in float16.",
    "dynamic-range": "Written as .tflite with weights in int8, computed in float32.",
    "int8-ptq": "Rounded to int8 after the training (post-training quantization).",
    "pruned-float32": "Written as .tflite in float32.",
    "student-float32": "Written as .tflite in float32.",
    "int8-qat": "Written as .tflite, all int8: no operation computes in float.",
    "int8": "Written as .tflite, all int8: no operation computes in float.",
    "int16x8": "Rounded to int8 weights and int16 activations after the training.",
}


def how_made(run: FinishedRun, variant: str, *, reads_pictures: bool = False) -> tuple[str, ...]:
    """The sentences of the stages that this variant went through, in order."""
    if run.plan is FROM_TEACHER:
        stages = _COMPRESSED.get(variant, ("teacher",))
    else:
        stages = _TRAINED.get(variant, ("train",))
    template = Path(__file__).with_name("how_made.j2")
    sentences = (
        render_text(
            template,
            stage=stage,
            variant=variant,
            settings=run.records[stage].settings,
            metrics=run.records[stage].metrics,
            bits=read_bits(run.stage(stage), variant).values() if stage == "quantize" else (),
            has_student="student" in stages,
            reads_pictures=reads_pictures,
            real_pictures=run.source != TEACHER,
            conversion=_CONVERTED[variant],
        )
        for stage in (*stages, "convert")
        if stage in run.records
    )
    return tuple(sentence.strip().replace("\n", " ") for sentence in sentences)
