"""What a bundle is made of, read out of a finished run and off the file itself."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.bundle import schema
from deploy.bundle.make import BundleContents
from deploy.bundle.texts import Baseline, CardFacts
from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.data.sources import SOURCES
from pipeline.finished_run import FinishedRun
from pipeline.how_made import steps
from pipeline.plans import RECIPE
from pipeline.report.run import schema as reports
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, read_metadata
from pipeline.variants import BASELINE

NO_SPEED = "Left out with `--no-speed`, so that the same recipe gives the same bytes."


class Provenance(BaseModel):
    """What a file of this project says of itself."""

    model_config = ConfigDict(frozen=True)

    recipe: str
    recipe_sha256: str
    seed: int
    latent: int
    classes: int
    prior: str
    pixels: tuple[float, float]
    pocketgan: dict[str, str]


def contents_of(run: FinishedRun, variant: str, *, speed: bool) -> BundleContents:
    """All that a bundle of one variant needs; measurements only with ``speed``.

    Raises PocketganError where the run has no such variant, or its file is not of this project.
    """
    path = run.variant(variant)
    content = path.read_bytes()
    _refuse_pictures(content, path)
    provenance = _provenance(content, str(path))
    report = run.report.variant(variant) if run.report else None
    return BundleContents(
        content=content,
        name=provenance.recipe,
        variant=variant,
        latent=schema.Latent(
            length=provenance.latent,
            classes=provenance.classes,
            class_names=_class_names(run, provenance.classes),
        ),
        pixels=provenance.pixels,
        quality=_quality(run, report),
        measurements=_measurements(report) if speed else (),
        origin=_origin(run, provenance),
        data=_data(run),
        card=_card(run, variant, report, speed=speed),
    )


def _refuse_pictures(content: bytes, path: Path) -> None:
    """A bundle's code makes latents from seeds; there are none where pictures are read."""
    (source, *_) = read_model(content).subgraphs[0].inputs
    if len(source.shape) == 4:
        raise PocketganError(
            f"{path} reads pictures, and a bundle can only hold a generator that reads latents.",
            "Give the file itself to the app: it tells its pixels' range in its metadata.",
        )


def _provenance(content: bytes, where: str) -> Provenance:
    stored = read_metadata(content, PROVENANCE)
    try:
        return Provenance.model_validate_json(stored or b"")
    except ValidationError as error:
        raise PocketganError(
            f"{where} does not say where it comes from.", "Convert it with `pocketgan convert`."
        ) from error


def _class_names(run: FinishedRun, count: int) -> tuple[str, ...]:
    """Without a report nobody knows what the classes are called."""
    names = run.report.dataset.classes if run.report else ()
    numbers = tuple(str(number) for number in range(count))
    return names if len(names) == count else numbers


def _quality(run: FinishedRun, variant: reports.VariantReport | None) -> schema.BundleQuality:
    if run.report is None or variant is None:
        return schema.BundleQuality()
    shared = schema.BundleQuality.model_fields.keys() & reports.ReportedQuality.model_fields.keys()
    return schema.BundleQuality(
        **{name: getattr(variant.quality, name) for name in sorted(shared)},
        frechet_floor=run.report.floor.frechet,
        judge_sha256=run.report.judge.sha256,
        judge_accuracy=run.report.judge.accuracy,
    )


def _measurements(variant: reports.VariantReport | None) -> tuple[Measurement, ...]:
    """Figures only: what was drawn, and the time of each run, would make model.json heavy.

    A bundle is given away: whose board and which phone it was stays here.
    """
    left_out: dict[str, None] = dict.fromkeys(("outputs", "samples_ns", "histogram", "profile"))
    return tuple(
        it.model_copy(update={**left_out, "target": _target_name(it.target)})
        for it in (variant.measurements if variant else ())
    )


def _target_name(target: str) -> str:
    """``ssh`` of ssh:user@host, ``android`` of android:SERIAL; other names as they are."""
    kind = target.split(":")[0]
    return kind if kind in ("ssh", "android") else target


def _origin(run: FinishedRun, provenance: Provenance) -> schema.Origin:
    first = next(iter(run.records.values()), None)
    if first is None:
        raise PocketganError(
            f"{run.folder}: no stage of this run is complete: {run.unfinished[0]}.",
            f"Make it again with `pocketgan run {run.folder / RECIPE}`.",
        )
    return schema.Origin(
        pocketgan=provenance.pocketgan.get("pocketgan", version("pocketgan")),
        versions={**first.versions, **provenance.pocketgan},
        recipe=provenance.recipe,
        seed=provenance.seed,
        recipe_sha256=provenance.recipe_sha256,
        teacher_sha256=hashlib.sha256(run.variant(BASELINE).read_bytes()).hexdigest(),
        gates_failed=tuple(gate.text for gate in run.report.failed_gates) if run.report else (),
        unfinished=run.unfinished,
    )


def _data(run: FinishedRun) -> schema.Data:
    source = run.source
    return schema.Data(
        name=run.report.dataset.name if run.report else source,
        sha256=run.report.dataset.sha256 if run.report else None,
        licence=SOURCES[source].licence if source in SOURCES else f"of '{source}': not known.",
    )


def _card(
    run: FinishedRun, name: str, variant: reports.VariantReport | None, *, speed: bool
) -> CardFacts:
    sentences = steps(run, name)
    if run.report is None or variant is None:
        return CardFacts(steps=sentences, no_speed="" if speed else NO_SPEED)
    dense = run.report.variant(BASELINE) if name != BASELINE else None
    return CardFacts(
        steps=sentences,
        baseline=Baseline(dense.bytes, dense.bytes_gzip, _quality(run, dense)) if dense else None,
        parameters=variant.parameters,
        macs=variant.macs,
        zeros=variant.zeros,
        float_ops=variant.float_ops,
        no_speed="" if speed else NO_SPEED,
    )
