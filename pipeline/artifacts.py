"""The files that stages leave in their folders: what each is called, how it is written and read.

No other module spells the name of one. Loads TensorFlow only where a network is read or written.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from deploy.errors import PocketganError
from deploy.jobs import Measurement
from pipeline.arrays import Labels
from pipeline.atomic import replaced, write_bytes, write_text
from pipeline.data.dataset import Dataset
from pipeline.importers.facts import read_inputs
from pipeline.metrics.directions import LatentDirections
from pipeline.metrics.quality import Quality
from pipeline.networks.pixels import PixelRange
from pipeline.plans import command_for
from pipeline.search.candidates import Candidate, Choice
from pipeline.training.distillation_set import DistillationSet
from pipeline.variants import VARIANTS

if TYPE_CHECKING:
    import tf_keras

    from pipeline.training.log import TrainingLog

GENERATOR, DISCRIMINATOR = "generator.keras", "discriminator.keras"
"""Networks of the stages train, prune, student and teacher."""
NETWORK_FILES = {
    "generator": GENERATOR,
    "discriminator": DISCRIMINATOR,
    "inverse": "inverse.keras",
    "inverse_discriminator": "inverse-discriminator.keras",
}
"""All that a training leaves; the last two of two domains only."""
PAIRS, REFERENCE, HELD_BACK = "lessons.npz", "reference.npz", "held.npz"
"""Of the stage teacher: what a student learns from; what it is judged by where there are no other
pictures; and, of a generator that reads pictures, those that neither has seen."""
SIZES = "sizes"
"""Folder of the files for other sizes of picture, in that of the stage convert."""
STUDY = "study.journal"
REPORT, PAGE = "report.json", "report.html"
_SAMPLES, _WALKS = "samples.npz", "walks.npz"
REAL, INPUT = "real", "input"
"""Among the samples: the truth, and the pictures that were read, without what lies behind them."""
Content = TypeVar("Content")


@dataclass(frozen=True)
class JsonFile(Generic[Content]):
    """A JSON file that one stage writes and others read."""

    name: str
    content: TypeAdapter[Content]

    def write(self, content: Content, folder: Path) -> None:
        """Write the file, whole or not at all."""
        text = self.content.dump_json(content, indent=1, by_alias=True)
        write_bytes(folder / self.name, text + b"\n")

    def read(self, folder: Path) -> Content:
        """What ``write`` wrote; PocketganError where it is damaged."""
        try:
            return self.content.validate_json((folder / self.name).read_bytes())
        except ValidationError as error:
            raise PocketganError(
                f"{folder / self.name} is damaged: {error.errors()[0]['msg']}.",
                "Make the stage that writes it again.",
            ) from error


# ---------------------------------------------------------------------- networks and training


def load_network(path: Path) -> "tf_keras.Model":
    """A network from a .keras file; PocketganError where it is missing or broken."""
    import tf_keras

    from pipeline.compression.fake_quantization import quantize_scope

    try:
        with quantize_scope():
            return tf_keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PocketganError(
            f"{path} is no network that can be read: {' '.join(str(error).split())[:200]}",
            "Run the stage that writes it again.",
        ) from error


def training_log(folder: Path, name: str, *, variant: str = "", caption: str) -> "TrainingLog":
    """The log of a training: TensorBoard events, the history as CSV, the film as PNG and GIF.

    ``variant``: where a stage trains several.
    """
    from pipeline.training.log import TrainingLog

    history = folder / f"history{variant and '-'}{variant}.csv"
    return TrainingLog(
        folder / "tensorboard" / name,
        history,
        film=film(folder, variant),
        watched=watched(folder.parent),
        caption=caption,
    )


def watched(folder: Path) -> Path:
    """What the run in ``folder`` draws by now: renewed while it trains, then its film is there."""
    return folder / "training.png"


def film(folder: Path, variant: str = "") -> Path:
    """The film of a training's fixed pictures: a PNG, with a GIF of the same name beside it."""
    return folder / f"film{variant and '-'}{variant}.png"


def read_histories(folder: Path) -> dict[str, dict[str, list[float]]]:
    """The training histories of a stage: variant, or "", → column → values."""
    return {
        path.stem.removeprefix("history").lstrip("-"): _read_history(path)
        for path in sorted(folder.glob("history*.csv"))
    }


def _read_history(path: Path) -> dict[str, list[float]]:
    with path.open() as file:
        rows = list(csv.DictReader(file))
    return {name: [float(row[name]) for row in rows] for name in (rows[0] if rows else {})}


# ---------------------------------------------------------------------- teacher


def write_distillation_set(pairs: DistillationSet, folder: Path, name: str) -> None:
    """One .npz file of a teacher's folder, whole or not at all; equal pairs give equal bytes.

    What its numbers mean stands in the teacher's facts.
    """
    with replaced(folder / name) as aside, aside.open("wb") as file:
        np.savez(file, inputs=pairs.inputs, pictures=pairs.pictures)


def read_distillation_set(folder: Path, name: str) -> DistillationSet:
    """What ``write_distillation_set`` wrote; PocketganError where it is missing or damaged."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with (folder / name).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return DistillationSet(arrays["inputs"], arrays["pictures"], *read_inputs(folder))
    except Exception as error:  # damage can surface as nearly any error of the archive reader
        raise PocketganError(
            f"{folder / name} holds no distillation set that can be read: {error}.",
            "Make the stage teacher again: delete its folder and give the same command.",
        ) from error


def read_teacher_dataset(folder: Path) -> Dataset:
    """The data of those who have only a generator: its pictures to train on and to judge by."""
    pairs, reference = (read_distillation_set(folder, name) for name in (PAIRS, REFERENCE))
    return Dataset(
        name="the teacher's pictures",
        train=pairs.pictures,
        test=reference.pictures,
        train_labels=_labels(pairs),
        test_labels=_labels(reference),
        classes=tuple(str(number) for number in range(pairs.classes)),
        even_classes=True,  # as stage teacher draws them where there is nothing else
    )


def _labels(pairs: DistillationSet) -> Labels | None:
    if not pairs.classes:
        return None
    labels: Labels = pairs.inputs[:, -pairs.classes :].argmax(axis=1).astype(np.int64)
    return labels


# ---------------------------------------------------------------------- search and student


class StudentFacts(BaseModel):
    """What a trained student's network does not say of itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pixels: PixelRange
    """Black and white in what it draws."""
    tried: Candidate
    """Which of the search's candidates it is."""


CHOICE = JsonFile("choice.json", TypeAdapter(Choice))
"""Which student the search chose, and all that it tried."""
STUDENT_FACTS = JsonFile("student.json", TypeAdapter(StudentFacts))


# ---------------------------------------------------------------------- quantize


def folded_generator(folder: Path, variant: str) -> Path:
    """The folded float generator that a quantized variant starts from."""
    return folder / f"{variant}.folded.keras"


def write_quantized(
    aware: "tf_keras.Model", bits: Mapping[str, float], folder: Path, variant: str
) -> None:
    """Write the weights of a quantization-aware generator, and how many bits each layer has.

    As arrays in their order: Keras writes HDF5, whose library crashes where the disk is full.
    """
    write_text(folder / f"{variant}.bits.json", json.dumps(bits) + "\n")
    with replaced(folder / f"{variant}.weights.npz") as aside, aside.open("wb") as file:
        np.savez(file, *aware.get_weights())


def read_bits(folder: Path, variant: str) -> dict[str, float]:
    """Bits of the weights by layer, as ``write_quantized`` wrote them.

    Raises PocketganError where an older version wrote none.
    """
    path = folder / f"{variant}.bits.json"
    if not path.exists():
        raise PocketganError(
            f"{folder} was made by an older version: it has no {path.name}.",
            f"Make it anew: {command_for(folder.parent)}",
        )
    bits: dict[str, float] = json.loads(path.read_text())
    return bits


def load_quantized(
    folder: Path, variant: str, size: tuple[int, int] | None = None
) -> "tf_keras.Model":
    """The fine-tuned quantization-aware generator of a variant; for pictures of another ``size``.

    Raises PocketganError where it cannot have that height and width.
    """
    from pipeline.compression.fake_quantization import quantization_aware
    from pipeline.compression.graph import resized

    start = load_network(folded_generator(folder, variant))
    if size is not None:
        start = resized(start, size)
    aware = quantization_aware(
        start, np.zeros([1, *start.input_shape[1:]], np.float32), read_bits(folder, variant)
    )
    with np.load(folder / f"{variant}.weights.npz") as arrays:
        aware.set_weights([arrays[name] for name in arrays.files])
    return aware


# ---------------------------------------------------------------------- convert


def write_variant(content: bytes, folder: Path, variant: str) -> None:
    """Write the .tflite of a variant."""
    write_bytes(folder / f"{variant}.tflite", content)


def write_other_size(content: bytes, folder: Path, variant: str, size: str) -> None:
    """Write the .tflite of a variant for pictures of another size, as 480x320."""
    (folder / SIZES).mkdir(exist_ok=True)
    write_bytes(folder / SIZES / f"{variant}-{size}.tflite", content)


def find_variants(folder: Path) -> dict[str, Path]:
    """Name → file, of those that are in the folder, in the order of every table."""
    files = {name: folder / f"{name}.tflite" for name in VARIANTS}
    return {name: file for name, file in files.items() if file.is_file()}


def find_other_sizes(folder: Path, variant: str) -> dict[str, Path]:
    """Size, as 480x320, → file of a variant for pictures of that size."""
    files = sorted((folder / SIZES).glob(f"{variant}-*.tflite"))
    return {file.stem.removeprefix(f"{variant}-"): file for file in files}


# ---------------------------------------------------------------------- evaluate and benchmark


class Evaluation(BaseModel):
    """What the judge says of every variant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    judge: dict[str, Any]
    """``name``, ``sha256``, ``accuracy``, ``task`` of the judge, and the accuracy of ``chance``."""
    floor: Quality
    """Real pictures against real pictures."""
    variants: dict[str, Quality]
    teacher: Quality | None = None
    """Of a teacher that has no file of its own: TFLite cannot run it."""
    trivial_name: str = ""
    """Of a translation: what was made of the inputs without any network; else empty."""
    trivial: Quality | None = None

    def beside_trivial(self, name: str, quality: Quality) -> "Evaluation":
        """With what was made of the inputs without any network."""
        return self.model_copy(update={"trivial_name": name, "trivial": quality})


def write_evaluation(
    evaluation: Evaluation, samples: Mapping[str, np.ndarray], folder: Path
) -> None:
    """Write the figures, and pictures uint8 [N, H, W, C] of the same latents by variant."""
    _write_pictures(samples, folder / _SAMPLES)
    EVALUATION.write(evaluation, folder)


def read_samples(folder: Path) -> dict[str, np.ndarray]:
    """The pictures that ``write_evaluation`` wrote."""
    return _read_pictures(folder / _SAMPLES)


def write_directions(
    directions: LatentDirections, walks: Mapping[str, np.ndarray], folder: Path
) -> None:
    """Write what latents mean, and pictures along each direction by its name.

    ``walks``: uint8 [latents, variants, steps, H, W, C].
    """
    _write_pictures(walks, folder / _WALKS)
    DIRECTIONS.write(directions, folder)


def read_directions(folder: Path) -> tuple[LatentDirections, dict[str, np.ndarray]] | None:
    """What ``write_directions`` wrote; None where nobody looked for directions."""
    if not (folder / DIRECTIONS.name).exists():
        return None
    return DIRECTIONS.read(folder), _read_pictures(folder / _WALKS)


def _write_pictures(pictures: Mapping[str, np.ndarray], file: Path) -> None:
    with replaced(file) as aside, aside.open("wb") as stream:
        np.savez_compressed(stream, **pictures)  # type: ignore[arg-type]


def _read_pictures(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


DIRECTIONS = JsonFile("directions.json", TypeAdapter(LatentDirections))
"""Of the stage evaluate: what latents mean, where the recipe asks for it."""
EVALUATION = JsonFile("quality.json", TypeAdapter(Evaluation))
MEASUREMENTS = JsonFile("measurements.json", TypeAdapter(tuple[Measurement, ...]))
"""One a target, variant and number of threads."""
MACHINE = JsonFile("machine.json", TypeAdapter(dict[str, Any]))
"""What machine measured, as plain values."""
