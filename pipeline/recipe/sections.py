"""A recipe: everything that decides a run, typed, one dataclass a section."""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from jsonargparse.typing import (
    ClosedUnitInterval,
    NonNegativeFloat,
    NonNegativeInt,
    OpenUnitInterval,
    PositiveFloat,
    PositiveInt,
    extend_base_type,
    restricted_number_type,
)

from pipeline.data.sources import SOURCES
from pipeline.networks.settings import (
    DiscriminatorSettings,
    GeneratorSettings,
    PictureShape,
    StudentSettings,
)
from pipeline.tensorflow_setup import THREADS
from pipeline.training.settings import Fraction, TrainSettings, TranslationWeights

Seed = restricted_number_type(
    "Seed", int, [(">=", 0), ("<", 2**32)], docstring="0 ≤ seed < 2³², as NumPy demands"
)
Samples = restricted_number_type(
    "Samples", int, [(">=", 6)], docstring="≥ 6, as neighbourhoods of five demand"
)
Threads = restricted_number_type("Threads", int, [(">", 0), ("<=", 256)], docstring="1 to 256")
PictureSide = restricted_number_type(
    "PictureSide", int, [(">", 0), ("<=", 1024)], docstring="1 to 1024 pixels"
)


def _check_size(_: type, value: object) -> None:
    # A number too: YAML reads 0x0 as one, in base 16.
    if not re.fullmatch(r"[1-9]\d{0,3}x[1-9]\d{0,3}", str(value)):
        raise ValueError(f"{value} must be width x height, such as 480x320")


PictureSize = extend_base_type("PictureSize", str, _check_size, docstring="480x320: width x height")


def height_and_width(size: str) -> tuple[int, int]:
    """Of a PictureSize, which says the width first."""
    width, height = map(int, size.split("x"))
    return height, width


LEAST_BITS, MOST_BITS = 2, 8
Bits = restricted_number_type(
    "Bits", int, [(">=", LEAST_BITS), ("<=", MOST_BITS)], docstring="2 ≤ bits ≤ 8"
)


@dataclass(frozen=True, kw_only=True)
class DataSettings:
    """The pictures that the GAN learns from."""

    source: str = "digits"
    """Where they come from; `pocketgan list` shows all sources."""
    folder: Path | None = None
    """The user's own images (folder, pairs, domains), or idx files (mnist, fashion)."""
    image_size: PictureSide = 28  # type: ignore[valid-type]
    """Side of the square picture, in pixels; an input has it too, unless ``degrade`` shrinks it."""
    image_width: PictureSide | None = None  # type: ignore[valid-type]
    """Where it is not square: its width, and ``image_size`` is its height."""
    channels: PositiveInt = 1
    """1 grey, 3 colour."""
    test_fraction: OpenUnitInterval = 0.2
    """Share kept for the metrics, never trained on; sources with a published test set keep that."""
    inputs: Path | None = None
    """Sources pairs and domains: folder of the pictures that are read."""
    degrade: str = ""
    """What makes the input out of the picture: grey, mask, half, quarter, blur, noise or jpeg."""
    cut: str = "whole"
    """whole: the largest part in the middle, resized. tiles: all of the size that fit, as is."""
    coupled: str = ""
    """Of latents: what stands beside each picture, as its second domain: negative or edges."""

    @property
    def shape(self) -> PictureShape:
        """Height, width and channels of what is drawn."""
        width = self.image_width or self.image_size
        return self.image_size, 2 * width if self.coupled else width, self.channels

    @property
    def translated(self) -> bool:
        """Whether the generator reads pictures: in pairs with those to draw, or without."""
        source = SOURCES[self.source]
        return bool(self.degrade) or source.paired or source.unpaired


@dataclass(frozen=True, kw_only=True)
class TeacherSettings:
    """A generator that is trained already; `pocketgan compress` fills this in."""

    file: Path | None = None
    """A run's folder, a .keras or .h5 file, a SavedModel's folder, or a model.json."""
    sha256: str = ""
    """Of what is there, so that another file of the same name is noticed."""
    discriminator: Path | None = None
    """The discriminator that it was trained with, where there is one: a .keras file."""
    classes: NonNegativeInt = 0
    """So many last entries of its input are a one-hot class."""
    pixels: tuple[float, float] | None = None
    """Black and white in the generator's output, where its last layer does not say."""
    inputs: Path | None = None
    """Folder of pictures, for a generator that reads pictures."""
    input_pixels: tuple[float, float] | None = None
    """Black and white in the pictures that it reads."""
    input_size: PictureSize | None = None  # type: ignore[valid-type]
    """Size of the pictures that it reads, where it takes any: 256x256."""
    input: list[str] = field(default_factory=list)
    """What goes into its inputs, where their signs mislead: name=latent, picture, mask, class:10,
    or a number that is the same for all pictures."""
    signature: str | None = None
    """Which of several networks in its file draws."""
    output: str | None = None
    """Which of several outputs is the picture."""
    on_white: bool = False
    """Lay what it draws with alpha on white."""
    cut: str = "auto"
    """How photos become inputs: whole (shrunk), tiles (of their own pixels), or auto: tiles for a
    generator that enlarges."""
    custom: Path | None = None
    """A Python file that registers the generator's own layers; it is run."""
    allow_unsafe: bool = False
    """Load files that hold code, which then runs."""
    lessons: PositiveInt = 16384
    """Pictures that the teacher draws for its student."""
    self_ensemble: bool = False
    """A lesson is the mean of what the teacher draws of a picture and of its mirror image: nearer
    to the truth than either."""


@dataclass(frozen=True, kw_only=True)
class BudgetSettings:
    """What the int8 file may cost; a limit that is not given does not bind."""

    max_kb: PositiveFloat | None = None
    """Length of the file, in 1,000 bytes."""
    max_gzip_kb: PositiveFloat | None = None
    """Length of the gzipped file, in 1,000 bytes."""
    max_macs: PositiveInt | None = None
    """Multiply-accumulates of one picture."""
    max_ms: PositiveFloat | None = None
    """Median milliseconds of one picture on the target, one thread."""
    max_flash_kb: PositiveFloat | None = None
    """Flash that the compiled file takes on the target, an NPU, in 1,000 bytes."""
    max_quality_drop: PositiveFloat | None = None
    """Share by which the Fréchet distance may exceed the teacher's: 0.05 is 5 %."""
    target: str = "local"
    """Where max_ms and max_flash_kb hold."""
    minutes: PositiveFloat | None = None
    """Of a student for pictures: how long its teacher's drawing, the search, distillation and
    rounding may take on two cores, reckoned from multiply-accumulates. With more than 15 the
    recipe's numbers of steps grow, with less work left than they need they fall."""


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """Looking for the student that fits the budget: many start distillation, the best go on."""

    trials: PositiveInt = 10
    """Students that are tried."""
    steps: PositiveInt = 600
    """Updates of those that reach the last rung; at the one before, a third of them."""
    study: str | None = None
    """File in which the trials are kept, to go on with; several processes may share it."""
    blocks: list[str] = field(
        default_factory=lambda: ["sub_pixel", "depthwise", "transposed", "slim"]
    )
    """What students may be made of."""
    bits: list[int] = field(default_factory=lambda: [3, 4, 5, 6, 8])
    """Bits that the kernels may have on average."""
    halvings: NonNegativeInt | None = None
    """How often students may halve a picture that they read: as often as its size allows, unless
    set; `compress` sets it where convert.sizes allow less."""
    student: StudentSettings | None = None
    """A student that is given: then nothing is searched."""


@dataclass(frozen=True, kw_only=True)
class DistillSettings:
    """Teaching the student that was chosen."""

    imitate: NonNegativeInt = 2000
    """Updates in which the student copies the teacher's pictures only."""
    imitate_rate: PositiveFloat = 2e-3
    steps: NonNegativeInt = 4000
    """Updates of the adversarial training that follows."""
    rate: PositiveFloat = 2e-3
    """Adam's learning rate for the student; it falls to a tenth along a half cosine."""
    discriminator_rate: PositiveFloat = 8e-4
    """The same for the discriminator, in that training and in the rounding to int8."""
    r1: NonNegativeFloat = 1.0
    """R1's γ in that training and in the rounding: a small student needs a gentle discriminator."""
    distill: NonNegativeFloat = 10.0
    """Weight of the squared difference to the teacher's picture in that training."""
    matching: NonNegativeFloat = 0.0
    """Weight of the absolute difference to the teacher's picture as the discriminator's layers see
    both, in that training and in the rounding to int8."""
    adversarial: NonNegativeFloat = 1.0
    """Weight of the adversarial loss in that training and in the rounding to int8."""


@dataclass(frozen=True, kw_only=True)
class PruneSettings:
    """Magnitude pruning with TF-MOT, inside the adversarial training."""

    steps: PositiveInt = 1000
    """Updates of the generator while it is pruned and afterwards."""
    sparsity: ClosedUnitInterval = 0.8
    """Share of zeros in each pruned kernel at the end."""
    ramp: OpenUnitInterval = 0.5
    """Share of the steps over which the zeros grow (polynomial schedule); the rest is recovery."""
    every: PositiveInt = 25
    """Steps between two updates of the mask."""
    first_layer: ClosedUnitInterval | None = None
    """Share of zeros of the first kernel, where it differs."""
    last_layer: ClosedUnitInterval | None = 0.0
    """Share of zeros of the last kernel, where it differs."""
    layers: dict[str, float] = field(default_factory=dict)
    """Share of zeros of single layers by name; goes before all others."""
    rate: PositiveFloat = 2e-4
    """Adam's learning rate for both networks; it falls to a tenth along a half cosine."""
    distill: NonNegativeFloat = 0.0
    """Weight of the squared difference to the dense teacher's picture of the same latent."""


@dataclass(frozen=True, kw_only=True)
class QuantizeSettings:
    """Quantization-aware training with TF-MOT and a scheme for generators."""

    steps: PositiveInt = 400
    rate: PositiveFloat = 5e-5
    """Adam's learning rate for both networks; it falls to a tenth along a half cosine."""
    distill: NonNegativeFloat = 1.0
    """Weight of the squared difference to the dense teacher's picture of the same latent."""
    l1: NonNegativeFloat = 0.0
    """Weight of the kernels' absolute sum, of a student's: small weights take fewer bytes."""
    ema: Fraction = 0.99
    """Decay of the moving average of the weights."""
    calibration: PositiveInt = 512
    """Latents that set the first ranges of the activations."""
    bits: Bits = 8  # type: ignore[valid-type]
    """Bits of each weight: fewer make the compressed file smaller, and leave its speed alone."""
    layers: dict[str, int] = field(default_factory=dict)
    """Bits of the weights of single layers by name; goes before ``bits``."""


@dataclass(frozen=True)
class ConvertSettings:
    """From Keras models to .tflite files."""

    batch: PositiveInt = 1
    """Pictures that one inference draws; fixed in the file."""
    calibration: PositiveInt = 512
    """Latents that set the ranges of post-training quantization."""
    int16x8: bool = False
    """Also write the variant with int16 activations."""
    sizes: list[PictureSize] = field(default_factory=list)  # type: ignore[valid-type]
    """Of a generator that reads pictures: further sizes to write int8 for, such as 480x320."""

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Height and width of each of ``sizes``."""
        return {str(size): height_and_width(str(size)) for size in self.sizes}


@dataclass(frozen=True)
class EvaluateSettings:
    """Quality, measured on the .tflite files."""

    samples: Samples = 5000  # type: ignore[valid-type]
    """Pictures that each variant draws for the metrics."""
    judge_steps: PositiveInt = 1500
    """Updates of the trained judge; it is trained once for the same data and kept."""
    judge: Literal["auto", "trained", "imagenet"] = "auto"
    """trained: on the run's pictures. imagenet: a published network, for 32 pixels a side and more.
    auto: imagenet where the pictures are in colour, and large enough."""
    directions: NonNegativeInt = 0
    """Of latents: look for so many directions that mean something, by each of two methods."""


@dataclass(frozen=True, kw_only=True)
class BenchmarkSettings:
    """Speed and memory, measured on the .tflite files."""

    targets: list[str] = field(default_factory=lambda: ["local"])
    """Where to measure; `pocketgan targets` shows all targets."""
    threads: list[Threads] = field(default_factory=lambda: [1, 2])  # type: ignore[valid-type]
    runs: PositiveInt = 2048
    """Timed inferences a variant and number of threads; MLPerf asks for 1,024."""
    rounds: PositiveInt = 4
    """Fresh processes that share the runs, the variants taking turns."""
    warmup: NonNegativeInt = 256


@dataclass(frozen=True)
class ReportSettings:
    """What the run has to show."""

    gates: list[str] = field(default_factory=list)
    """Conditions on the int8 variant, such as 'zeros >= 0.75'; a failed one makes run exit 3."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A whole run, from pictures to a report."""

    name: str
    """Names the folder of the run."""
    seed: Seed = 1  # type: ignore[valid-type]
    """Everything random follows from it."""
    threads: Threads = THREADS  # type: ignore[valid-type]
    """Of TensorFlow in one training, and in all else that it computes for this run. They cut its
    sums, so that another number gives other bytes."""
    data: DataSettings = field(default_factory=DataSettings)
    generator: GeneratorSettings = field(default_factory=GeneratorSettings)
    discriminator: DiscriminatorSettings = field(default_factory=DiscriminatorSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    translation: TranslationWeights = field(default_factory=TranslationWeights)
    prune: PruneSettings = field(default_factory=PruneSettings)
    quantize: QuantizeSettings = field(default_factory=QuantizeSettings)
    convert: ConvertSettings = field(default_factory=ConvertSettings)
    evaluate: EvaluateSettings = field(default_factory=EvaluateSettings)
    benchmark: BenchmarkSettings = field(default_factory=BenchmarkSettings)
    report: ReportSettings = field(default_factory=ReportSettings)
    teacher: TeacherSettings = field(default_factory=TeacherSettings)
    budget: BudgetSettings = field(default_factory=BudgetSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    student: DistillSettings = field(default_factory=DistillSettings)
