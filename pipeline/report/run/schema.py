"""The schema of ``report.json``: what a run made and how good, big and fast each file is.

A figure that could not be measured is ``None`` and its reason stands in ``absent`` under the
figure's name. There are no placeholder zeros.
"""

import json
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal

from pydantic import (
    AfterValidator,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from deploy.errors import PocketganError
from deploy.jobs import FrozenModel, Measurement, NotNegative, Sha256, Share, Size
from pipeline.metrics.directions import Sameness

SCHEMA: Literal["pocketgan.report"] = "pocketgan.report"
VERSION: Literal[2] = 2
_SOMETIMES = ("search", "trivial", "teacher", "latents")
"""Left out of the file where there are none."""
LEAST_LEARNED = 0.1
"""Of what chance leaves a judge to learn."""


def _relative(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError("must be relative to the report and stay inside the run's folder")
    return path


RelativePath = Annotated[str, Field(min_length=1), AfterValidator(_relative)]


class Figures(FrozenModel):
    """A part some of whose figures may be absent, each with its reason."""

    LATER: ClassVar[frozenset[str]] = frozenset()
    """Figures that older versions did not know: these may be absent without a reason."""
    absent: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _absent_figures_have_reasons(self) -> "Figures":
        missing = {name for name in type(self).model_fields if getattr(self, name) is None}
        if unexplained := sorted(missing - self.absent.keys() - self.LATER):
            raise ValueError(f"absent without a reason in 'absent': {', '.join(unexplained)}")
        if unknown := sorted(self.absent.keys() - missing):
            raise ValueError(f"'absent' explains figures that are not absent: {', '.join(unknown)}")
        return self


class DatasetReport(FrozenModel):
    name: str
    sha256: Sha256
    train: Size
    test: Size
    shape: tuple[Size, Size, Size]
    """Height, width, channels."""
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unpaired: bool = False
    """Whether the pictures that are read have nothing to do with those to be drawn."""


class JudgeReport(FrozenModel):
    """The network whose features the quality figures use."""

    sha256: Sha256
    name: str = "a small network trained on these pictures"  # older reports name none
    accuracy: Share | None
    """On the test split, for ``task``; None of a network that was not trained on this data."""
    task: str
    chance: Share | None = None
    """Accuracy without a look at the pictures; None where ``accuracy`` is, and in older reports."""

    @property
    def learned_nothing(self) -> bool:
        """Whether it tells hardly more than chance does, so that its features say little."""
        if self.accuracy is None or self.chance is None:
            return False
        return self.accuracy - self.chance < LEAST_LEARNED * (1 - self.chance)


class ReportedQuality(Figures):
    """What the judge says of ``samples`` images, and how close they are to float32's."""

    LATER = frozenset(
        {"sliced_wasserstein", "psnr_truth", "ssim_truth", "psnr_hole", "colourfulness"}
    )

    frechet: NotNegative | None
    kid: float | None
    kid_std: NotNegative | None
    sliced_wasserstein: NotNegative | None = None
    """Of the judge's features, along random directions."""
    precision: Share | None
    recall: Share | None
    density: NotNegative | None
    coverage: Share | None
    modes: Size | None
    """Classes that were drawn at all."""
    class_kl: NotNegative | None
    """KL(classes drawn || classes of the real images), in nats."""
    class_histogram: tuple[Share, ...] | None
    """Share of the samples the judge gives each class, in the order of the dataset's."""
    psnr: float | None
    """dB against float32 on the same latents."""
    ssim: Annotated[float, Field(ge=-1, le=1)] | None
    psnr_truth: float | None = None
    """dB against what a translation should have become."""
    ssim_truth: Annotated[float, Field(ge=-1, le=1)] | None = None
    psnr_hole: float | None = None
    """dB likewise, where a mask hid what was there."""
    colourfulness: NotNegative | None = None
    """Mean of the pictures (Hasler & Süsstrunk 2003); grey is 0."""
    samples: Size
    seed: int


class TrivialReport(FrozenModel):
    """What can be made of a translator's inputs without any network, measured like the variants."""

    name: str
    quality: ReportedQuality


class QatSteps(FrozenModel):
    """Share of pixels within one and two int8 steps, fake-quant model against its file."""

    within_1: Share
    within_2: Share
    within_bound: Share | None = None
    """Within two steps of what the last kernel gives, which tanh stretches; None in old reports."""


class KernelReport(FrozenModel):
    layer: str
    op: str
    shape: tuple[Size, ...]
    zeros: Share
    size: Size
    """Weights in it."""
    bytes: Size


class VariantReport(Figures):
    """One ``.tflite``; everything here is read off the file."""

    name: Annotated[str, Field(min_length=1)]
    path: RelativePath
    sha256: Sha256
    bytes: Size
    bytes_gzip: Size
    bytes_zstd: Size
    parameters: Size
    zeros: Share
    """Of all kernel weights."""
    macs: Size | None
    """Multiply-accumulates for one image, zeros counted as work."""
    ops: dict[str, Size]
    float_ops: Size
    kernels: tuple[KernelReport, ...]
    bytes_by_layer: dict[str, Size]
    quality: ReportedQuality
    qat_steps: QatSteps | None
    arena_bytes: Size | None
    measurements: tuple[Measurement, ...] = ()


class StageReport(FrozenModel):
    name: str
    seconds: NotNegative
    events: tuple[str, ...] = ()
    """What the stability monitor saw."""
    metrics: dict[str, JsonValue] = Field(default_factory=dict)


class GateResult(FrozenModel):
    text: str
    value: float | None
    passed: bool
    reason: str = ""
    """Why there is no value; such a gate has failed."""


class StudentReport(Figures):
    """One student of a search; what its int8 file costs is expected, not measured."""

    LATER = frozenset({"flash_bytes"})

    number: Size
    words: str
    bytes: Size
    bytes_gzip: Size
    macs: Size
    p50_ms: NotNegative | None
    instructions: Size | None
    flash_bytes: Size | None = None
    """Of the compiled file on an NPU; None where no flash was limited."""
    distance: NotNegative | None
    """To the teacher's pictures, after ``steps`` updates of distillation: Fréchet's, or of students
    that read pictures the mean squared difference, in steps of 8 bits."""
    steps: Size
    finished: bool
    """Whether it was trained to the end of the search; the others were given up before."""


class Prediction(Figures):
    """What the search expected of the shipped file, and what it turned out to be."""

    quantity: str
    predicted: NotNegative | None
    measured: NotNegative | None


class AttemptReport(FrozenModel):
    """A student that was trained to its end because the loss of quality is limited."""

    number: Size
    words: str
    frechet_ratio: NotNegative
    """Its Fréchet distance over its teacher's, before it is rounded."""


class SearchReport(FrozenModel):
    """How `pocketgan compress` came to its student."""

    teacher: str
    """Where the generator comes from that was compressed."""
    teacher_parameters: Size
    reads: Literal["latents", "pictures"]
    real_pictures: bool
    """False where the teacher's own pictures stand in for real ones, in the metrics too."""
    limits: dict[str, Annotated[float, Field(gt=0)]]
    """The budget: a figure of ``StudentReport`` → the most that it may be."""
    chosen: Size
    """Number of the student that was to be trained."""
    reason: str
    attempts: tuple[AttemptReport, ...] = ()
    """All that were trained, where the loss of quality is limited: until one was good enough."""
    shipped: Size = Field(alias="taught")
    """Number of the student that ships: the chosen one, or a larger one after it."""
    tried: Annotated[tuple[StudentReport, ...], Field(min_length=1)]
    predictions: tuple[Prediction, ...]

    @property
    def distance(self) -> str:
        """What the students' distances are."""
        return "Fréchet distance" if self.reads == "latents" else "Mean squared difference (of 255)"

    @model_validator(mode="after")
    def _chosen_and_shipped_were_tried(self) -> "SearchReport":
        numbers = {student.number for student in self.tried}
        for number in (self.chosen, self.shipped):
            if number not in numbers:
                raise ValueError(f"student {number} was chosen, but is not among those tried")
        return self


class DirectionReport(FrozenModel):
    """A direction of the latents; which one, directions.json says."""

    name: str
    effect: NotNegative
    """How much of black to white a pixel changes along it."""
    pixels: Sameness
    """Of the file that ships against the baseline."""
    features: Sameness


class LatentsReport(FrozenModel):
    """What the latents mean, as far as nobody was asked."""

    found_in: str
    reach: float
    directions: tuple[DirectionReport, ...]
    random_effect: NotNegative
    random_agreement: float


class Report(FrozenModel):
    """One run, from recipe to gates. ``floor`` is the judge's verdict on real against real."""

    schema_name: Literal["pocketgan.report"] = Field(default=SCHEMA, alias="schema")
    version: Literal[2] = VERSION
    pocketgan: str
    date: Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\d")]
    """ISO 8601."""
    recipe_name: str
    recipe: dict[str, JsonValue]
    seed: int
    dataset: DatasetReport
    judge: JudgeReport
    floor: ReportedQuality
    variants: Annotated[tuple[VariantReport, ...], Field(min_length=1)]
    stages: tuple[StageReport, ...] = ()
    environment: dict[str, JsonValue] = Field(default_factory=dict)
    gates: tuple[GateResult, ...] = ()
    search: SearchReport | None = None
    """Of a run of `pocketgan compress` only; left out of the file elsewhere."""
    trivial: TrivialReport | None = None
    """Of a generator that reads pictures only; likewise."""
    teacher: ReportedQuality | None = None
    """Of a teacher without a file, since TFLite cannot run it; likewise."""
    latents: LatentsReport | None = None
    """Where the recipe asks what they mean; likewise."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Report":
        names = [variant.name for variant in self.variants]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"variants: more than one is called {', '.join(twice)}")
        return self

    def variant(self, name: str) -> VariantReport | None:
        return next((variant for variant in self.variants if variant.name == name), None)

    @property
    def failed_gates(self) -> tuple[GateResult, ...]:
        return tuple(gate for gate in self.gates if not gate.passed)


def dumps(report: Report) -> str:
    """The text of ``report.json``; the same report gives the same text."""
    absent = {key for key in _SOMETIMES if getattr(report, key) is None}
    return report.model_dump_json(by_alias=True, indent=1, exclude=absent) + "\n"


def read(path: Path) -> Report:
    """Read a ``report.json`` from anywhere.

    Raises PocketganError that names the file, and the field where one is at fault.
    """
    remedy = "Write it again with `pocketgan report RECIPE`, or name another report.json."
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PocketganError(f"{path}: cannot be read: {error.strerror}", remedy) from error
    _check_header(path, text, remedy)
    try:
        return Report.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise PocketganError(f"{path}: {_first_defect(error)}", remedy) from error


def _check_header(path: Path, text: bytes, remedy: str) -> None:
    """Another kind of file, or another version, deserves a plainer word than a list of fields."""
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PocketganError(f"{path}: is not JSON: {error}", remedy) from error
    if not isinstance(header, dict) or header.get("schema") != SCHEMA:
        raise PocketganError(f"{path}: field 'schema' is not '{SCHEMA}'", remedy)
    if header.get("version") != VERSION:
        raise PocketganError(
            f"{path}: field 'version' is {header.get('version')!r}; "
            f"this pocketgan reads version {VERSION}",
            remedy,
        )


def _first_defect(error: ValidationError) -> str:
    defects = error.errors(include_url=False)
    field = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in defects[0]["loc"])
    more = f" (and {len(defects) - 1} more)" if len(defects) > 1 else ""
    return f"field '{field.lstrip('.') or 'report'}': {defects[0]['msg']}{more}"
