"""What a bundle is made of, read out of a finished run and off the file itself."""

import hashlib
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from deploy.bundle import schema
from deploy.bundle.card import Baseline, Story
from deploy.bundle.make import Order
from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.data.sources import SOURCES
from pipeline.finished_run import FinishedRun
from pipeline.how_made import steps
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


def order(run: FinishedRun, variant: str, *, speed: bool) -> Order:
    """All that a bundle of one variant needs; measurements only with ``speed``.

    Raises PocketganError where the run has no such variant, or its file is not of this project.
    """
    path = run.variant(variant)
    content = path.read_bytes()
    _refuse_pictures(content, path)
    told = _provenance(content, str(path))
    found = run.report.variant(variant) if run.report else None
    return Order(
        content=content,
        name=told.recipe,
        variant=variant,
        latent=schema.Latent(
            length=told.latent, classes=told.classes, class_names=_class_names(run, told)
        ),
        pixels=told.pixels,
        quality=_quality(run, found),
        measurements=_measurements(found) if speed else (),
        made=_made(run, told),
        data=_data(run),
        story=_story(run, variant, found, speed),
    )


def _refuse_pictures(content: bytes, path: Path) -> None:
    """A bundle's code makes latents from seeds; there are none where pictures are read."""
    (port, *_) = read_model(content).subgraphs[0].inputs
    if len(port.shape) == 4:
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


def _class_names(run: FinishedRun, told: Provenance) -> tuple[str, ...]:
    """Without a report nobody knows what the classes are called."""
    known = run.report.dataset.classes if run.report else ()
    numbers = tuple(str(number) for number in range(told.classes))
    return known if len(known) == told.classes else numbers


def _quality(run: FinishedRun, variant: reports.VariantReport | None) -> schema.Quality:
    if run.report is None or variant is None:
        return schema.Quality()
    shared = schema.Quality.model_fields.keys() & reports.ReportedQuality.model_fields.keys()
    return schema.Quality(
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
        it.model_copy(update={**left_out, "target": _place(it.target)})
        for it in (variant.measurements if variant else ())
    )


def _place(target: str) -> str:
    """``ssh`` of ssh:user@host, ``android`` of android:SERIAL; other names as they are."""
    kind = target.split(":")[0]
    return kind if kind in ("ssh", "android") else target


def _made(run: FinishedRun, told: Provenance) -> schema.Made:
    first, *_ = run.records.values()
    return schema.Made(
        pocketgan=told.pocketgan.get("pocketgan", version("pocketgan")),
        versions={**first.versions, **told.pocketgan},
        recipe=told.recipe,
        seed=told.seed,
        recipe_sha256=told.recipe_sha256,
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


def _story(
    run: FinishedRun, name: str, variant: reports.VariantReport | None, speed: bool
) -> Story:
    told = steps(run, name)
    if run.report is None or variant is None:
        return Story(steps=told, no_speed="" if speed else NO_SPEED)
    dense = run.report.variant(BASELINE) if name != BASELINE else None
    return Story(
        steps=told,
        baseline=Baseline(dense.bytes, dense.bytes_gzip, _quality(run, dense)) if dense else None,
        parameters=variant.parameters,
        macs=variant.macs,
        zeros=variant.zeros,
        float_ops=variant.float_ops,
        no_speed="" if speed else NO_SPEED,
    )
