"""A recipe: everything that decides a run, typed, one dataclass a section; and how it is read."""

import json
import math
import re
import warnings
from argparse import ArgumentError
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from functools import cache, reduce
from operator import getitem
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml
from jsonargparse import ArgumentParser, Namespace, get_loader
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

from deploy.errors import PocketganError, guess, one_of
from deploy.repeated_keys import repeated_key
from pipeline.data.reading import CUTS
from pipeline.data.sources import SOURCES, mistakes
from pipeline.networks.settings import (
    GROWING,
    STYLED,
    DiscriminatorSettings,
    GeneratorSettings,
    PictureShape,
    StudentSettings,
)
from pipeline.parser_words import reason
from pipeline.tensorflow_setup import THREADS
from pipeline.training.settings import Fraction, TrainSettings, TranslationWeights

RECIPES_FOLDER = Path(__file__).parent / "recipes"
Seed = restricted_number_type(
    "Seed", int, [(">=", 0), ("<", 2**32)], docstring="0 ≤ seed < 2³², as NumPy demands"
)
Samples = restricted_number_type(
    "Samples", int, [(">=", 6)], docstring="≥ 6, as neighbourhoods of five demand"
)
LATER_KEYS = (
    *("data.inputs", "data.degrade", "data.cut", "evaluate.judge", "teacher.cut", "convert.sizes"),
    *("budget.minutes", "budget.max_flash_kb", "search.halvings", "teacher.input_size"),
    *("teacher.input", "teacher.output", "teacher.on_white", "teacher.signature"),
    *("data.image_width", "train.r2", "train.feature_matching", "train.information"),
    *("generator.codes", "discriminator.minibatch_deviation"),
    *("evaluate.directions", "generator.truncation", "train.growth", "train.multi_agent"),
    *("data.coupled", "threads", "student.matching"),
    *(f"train.{side}_weights.orthogonal" for side in ("generator", "discriminator")),
    *(f"translation.{weight.name}" for weight in fields(TranslationWeights)),
)
"""Keys that came after runs had been made without them."""
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


LEAST_AGENTS = 2
"""Generators of a MAD-GAN."""
MOST_MINUTES = 1_000_000
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


def shipped_recipes() -> dict[str, Path]:
    """Name → file of the recipes that come with pocketgan."""
    return {path.stem: path for path in sorted(RECIPES_FOLDER.glob("*.yaml"))}


def find_recipe(name: str) -> Path:
    """The file of a shipped recipe's name, or the path itself; PocketganError if there is none."""
    shipped = shipped_recipes()
    if name in shipped:
        return shipped[name]
    path = Path(name)
    if path.is_file():
        return path
    raise PocketganError(
        f"There is no recipe '{name}': neither a file, a folder of pictures, nor a recipe that "
        "ships.",
        one_of(name, shipped),
    )


def load_recipe(
    base: str | Mapping[str, Any], *overrides: Sequence[str] | Mapping[str, Any]
) -> Recipe:
    """The checked recipe of ``base``, changed by each of ``overrides`` in turn.

    ``base`` is the name of a recipe that ships, the path of a YAML file, or values as such a file
    holds them. An override is a list of command-line arguments, such as ``["--train.steps", "9"]``,
    or again values, whose keys may have dots: ``{"train.steps": 9}``.

    Raises PocketganError naming the file or the command line, the key, and what would be right.
    """
    if isinstance(base, str):
        path = find_recipe(base)
        origin, values = f"recipe {path}", {"name": path.stem, **read_values(path)}
    else:
        origin, values = f"recipe {base.get('name', '')}", dict(base)
    recipe, namespace = _apply(values, to=None, origin=origin)
    for override in overrides:
        if override:
            origin = "options" if isinstance(override, Mapping) else "command line"
            recipe, namespace = _apply(override, to=namespace, origin=origin)
    return recipe


@cache
def _parser() -> ArgumentParser:
    """Of recipes; making it takes as long as what it does for one."""
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_class_arguments(Recipe)
    return parser


def read_values(path: Path) -> dict[str, Any]:
    """Section → values of a recipe's file, not checked yet. PocketganError if it is no YAML."""
    with _explained(f"recipe {path}"):
        text = path.read_text(encoding="utf-8")
        plain = yaml.safe_load(text)  # its syntax errors name line and cause
        _refuse_repeated_key(text)
        if plain:
            _check_sections(plain)
        values: dict[str, Any] = get_loader("yaml")(text) or {}  # 1e-3 is a number here, not a text
    if not values:
        raise PocketganError(
            f"recipe {path} is empty: it does not say what to train on.",
            "Name the pictures, for instance with the line `data: {source: digits}`.",
        )
    return values


def to_yaml(recipe: Recipe) -> str:
    """The whole recipe, every default written out; ``load_recipe`` reads it back."""
    text: str = yaml.safe_dump(_plain(recipe), sort_keys=False, allow_unicode=True)
    return text


def as_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values: the checked numbers of the dataclasses are types of their own.

    Records and provenance hold hashes of it, so a key of LATER_KEYS that has its default is left
    out: such a recipe means what it meant before there was the key.
    """
    values, defaults = _plain(recipe), _plain(Recipe(name=recipe.name))
    for key in LATER_KEYS:
        *sections, name = key.split(".")
        section, default = (reduce(getitem, sections, tree) for tree in (values, defaults))
        if section[name] == default[name]:
            del section[name]
    return {name: value for name, value in values.items() if value != {}}


def _plain(recipe: Recipe) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(json.dumps(asdict(recipe), default=str))
    return values


def _apply(
    change: Sequence[str] | Mapping[str, Any],
    *,
    to: Namespace | None,
    origin: str,
) -> tuple[Recipe, Namespace]:
    """``to`` with a change, as a checked recipe and for the next change."""
    parser = _parser()
    with _explained(origin):
        if isinstance(change, Mapping):
            _check_sections(change)
            namespace = parser.parse_object(dict(change), namespace=to)
        else:
            namespace = parser.parse_args(list(change), namespace=to)
        recipe = Recipe(**dict(parser.instantiate(namespace)))
    for problem, remedy in _mistakes(recipe):
        raise PocketganError(f"{origin}: {problem}", remedy)
    return recipe, namespace


@contextmanager
def _explained(origin: str) -> Iterator[None]:
    """Mistakes in values become PocketganError, beginning with ``origin``: where they stand."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except RecursionError as error:
        raise PocketganError(
            f"{origin}: a value holds itself.", "Write it out where an alias (*) names it."
        ) from error
    except (ArgumentError, yaml.YAMLError, UnicodeDecodeError, TypeError, ValueError) as error:
        raise PocketganError(
            f"{origin}: {reason(error, [f'--{key}' for key in recipe_keys()])}",
            "`pocketgan run --help` explains every key and its values.",
        ) from error


@cache
def recipe_keys() -> dict[str, Any]:
    """Every key of a recipe, dotted, with its type; those of sections too."""
    return _keys_of(Recipe, "")


def _keys_of(section: Any, above: str) -> dict[str, Any]:
    types = {f"{above}{name}": wanted for name, wanted in get_type_hints(section).items()}
    for key, wanted in list(types.items()):
        if is_dataclass(wanted):
            types |= _keys_of(wanted, f"{key}.")
    return types


def _check_sections(values: Any, above: str = "") -> None:
    """Raise ValueError, naming the key, for what the parser passes over or calls by other names.

    A number where a section belongs, an empty value, which it takes for None, and an unknown key.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{above.rstrip('.') or 'the file'} holds no keys but {values!r}")
    types = recipe_keys()
    for name, value in values.items():
        key = f"{above}{name}"
        wanted = types.get(key.removesuffix("+"))
        if is_dataclass(wanted):
            _check_sections(value, f"{key}.")
        elif wanted is None and not _is_below_a_leaf(key, types):
            raise ValueError(f"there is no key '{key}'. {guess(key, types)}".rstrip())
        elif value is None and wanted is not None and type(None) not in get_args(wanted):
            raise ValueError(f"{key} has no value")


def _is_below_a_leaf(key: str, types: Mapping[str, Any]) -> bool:
    """Whether a key belongs to a value that has keys of its own, such as prune.layers."""
    above = key.rpartition(".")[0]
    if not above:
        return False
    return not is_dataclass(types[above]) if above in types else _is_below_a_leaf(above, types)


def _refuse_repeated_key(text: str) -> None:
    """Raise ValueError for a key that stands twice in the YAML ``text``."""
    if repeated := repeated_key(text):
        lines = f"{repeated.first_line} and {repeated.line}"
        raise ValueError(f"the key '{repeated.name}' stands twice, in lines {lines}")


def _mistakes(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """What types cannot say, and what would otherwise be noticed only after a long training.

    A problem and its remedy each.
    """
    if recipe.data.source not in SOURCES:
        yield (
            f"data.source: there is no source '{recipe.data.source}'.",
            one_of(recipe.data.source, SOURCES),
        )
    else:
        yield from mistakes(recipe.data.source, recipe.data)
    if (
        recipe.name != Path(recipe.name).name
        or recipe.name in ("", ".", "..")
        or "\0" in recipe.name
    ):
        yield (
            f"name: {recipe.name!r} cannot be the name of a folder.",
            "Use letters, digits, '-' and '_'.",
        )
    for key, layers, least, most in (
        ("prune.layers", recipe.prune.layers, 0, 1),
        ("quantize.layers", recipe.quantize.layers, LEAST_BITS, MOST_BITS),
    ):
        for layer, value in layers.items():
            if not least <= value <= most:
                yield f"{key}.{layer}: {value} cannot be.", f"Give a number from {least} to {most}."
    if recipe.teacher.cut not in ("auto", *CUTS):
        yield (
            f"teacher.cut: '{recipe.teacher.cut}' is not known.",
            one_of(recipe.teacher.cut, ("auto", *CUTS)),
        )
    for key, value in leaves(_plain(recipe)):
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            yield f"{key}: {value} is not finite.", "Leave it out, or give a finite number."
    if "://" in (recipe.search.study or ""):
        yield (
            "search.study: a database's address has no place in a recipe: it may hold a password.",
            "Give a file, or the command --storage ADDRESS (docs/distributed.md).",
        )
    yield from _mistaken_minutes(recipe.budget.minutes)
    yield from _mistaken_codes(recipe)
    yield from _mistaken_families(recipe)
    if not recipe.benchmark.threads:
        yield "benchmark.threads is empty.", "Give at least one number of threads, as [1]."


def _mistaken_minutes(minutes: float | None) -> Iterator[tuple[str, str]]:
    if minutes is not None and minutes > MOST_MINUTES:
        yield (
            f"budget.minutes: {minutes:g} is more than two years.",
            f"Give {MOST_MINUTES} at most.",
        )


def _mistaken_families(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Settings that only one family of networks understands."""
    generator, names = recipe.generator, {recipe.generator.name, recipe.discriminator.name}
    if generator.truncation != 1 and generator.name != STYLED:
        yield (
            f"generator.truncation: '{generator.name}' has no styles that could be truncated.",
            f"Leave it at 1, or set generator.name to {STYLED}.",
        )
    if not recipe.train.growth or recipe.teacher.file is not None:
        return
    if names != {GROWING}:
        yield (
            f"train.growth: {' and '.join(sorted(names))} cannot grow.",
            f"Leave it at 0, or set generator.name and discriminator.name to {GROWING}.",
        )
    for key, value in {
        "generator.codes": recipe.generator.codes,
        "train.feature_matching": recipe.train.feature_matching,
    }.items():
        if value:
            yield f"train.growth: {key} needs pictures that have their size.", f"Leave out {key}."


def _mistaken_codes(recipe: Recipe) -> Iterator[tuple[str, str]]:
    codes, latent = recipe.generator.codes, recipe.generator.latent
    if codes.continuous > latent:
        yield (
            f"generator.codes.continuous: of {latent} numbers {codes.continuous} cannot be codes.",
            f"Give at most {latent}, or a larger generator.latent.",
        )
    if recipe.train.multi_agent and (codes.discrete < LEAST_AGENTS or codes.continuous):
        yield (
            "train.multi_agent: MAD-GAN's generators are the values of the discrete code.",
            f"Set generator.codes.discrete to {LEAST_AGENTS} or more, generator.codes.continuous "
            "to 0.",
        )
    # Of a teacher's latents nobody but the teacher knows which of both their one-hot end is.
    both = recipe.generator.conditional and codes.discrete
    if both and recipe.teacher.file is None:
        yield (
            "generator.codes.discrete: the latent vector ends with the class already.",
            "Set generator.conditional to false, or use generator.codes.continuous.",
        )


def leaves(tree: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of a nested mapping, each under its dotted key; lists count as leaves."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value
