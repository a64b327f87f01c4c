"""Does the cost model tell what files cost? Predicted against measured, for students it never saw.

Students are drawn at random (shape, bits, zeros), given random weights, converted as a run converts
them, weighed, and measured on the target by the harness, all in the same rounds. The model has only
seen the calibration set (pipeline/search/calibration.py), at other times.

    python -m tools.experiments.cost_model [--students 16] [--target local] [--markdown FILE]
    python -m tools.experiments.cost_model --structure

The latter fits what surrounds the numbers of a file to other random students, and prints the
constants for pipeline/search/cost.py: for when the converter or the provenance has changed.

Its figures stand in docs/cost_model.md and docs/decisions.md.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tf_keras
from scipy.optimize import nnls

from deploy.harness import measure
from deploy.targets import find_target
from pipeline import progress
from pipeline.atomic import write_text
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.consoles import console
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import DOUBLINGS, build_student
from pipeline.search.budget import FileCost
from pipeline.search.calibration import PLAN, calibration_of, with_random_weights
from pipeline.search.cost import Structure, file_bytes, gzip_bytes, predict_cost, structure
from pipeline.search.operations import operations
from pipeline.tflite import convert as lite
from pipeline.tflite import count
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE, write_metadata
from tools.console import run_as_program
from tools.tables import Table, cell, percent, whole

LATENT = 74
CHANNELS = (4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 48)
CALIBRATION = 16
SEED = 1
OTHER_SEED = 1000  # for the students that the structure is fitted to
FITTED = 24


@dataclass(frozen=True, kw_only=True)
class RandomStudent:
    """A student with random weights, its compression, and its int8 file."""

    name: str
    model: tf_keras.Model
    bits: dict[str, int]
    zeros: dict[str, float]
    content: bytes


def students(number: int, seed: int) -> Iterator[RandomStudent]:
    """Random students, converted."""
    for index in range(number):
        draw = random.Random(seed + index)
        size, colours = draw.choice([(28, 1), (28, 1), (28, 1), (64, 3)])
        settings = StudentSettings(
            draw.choice(list(DOUBLINGS)),
            draw.choice([0, 4, 8, 16, 32]),
            tuple(sorted(draw.sample(CHANNELS, 2 if size == 28 else 3), reverse=True)),
            draw.choice([0, 0, 1, 2]),
        )
        image = (size, size, colours)
        model = build_student(settings, LATENT, image, (-1.0, 1.0))
        model = with_normal_weights(with_random_weights(model, seed + index), seed + index)
        folded = fold_batch_norm(model)
        bits, share = draw.choice([8, 8, 6, 5, 4, 3]), draw.choice([0.0, 0.0, 0.3, 0.5, 0.8])
        kernels = [layer for layer in folded.layers if hasattr(layer, "kernel") or deep(layer)]
        for layer in kernels:
            prune(layer, share)
        every = {layer.name: bits for layer in kernels}
        yield RandomStudent(
            name=f"{settings.block} {size} r{settings.rank} {settings.channels} "
            f"m{settings.mixers}, {bits} bits, {share:.0%} zeros",
            model=model,
            bits=every,
            zeros=dict.fromkeys(every, share),
            content=shipped(folded, every),
        )


def deep(layer: tf_keras.layers.Layer) -> bool:
    return isinstance(layer, tf_keras.layers.DepthwiseConv2D)


def with_normal_weights(model: tf_keras.Model, seed: int) -> tf_keras.Model:
    """The model with kernels from a normal distribution, as training leaves them about."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        if len(weight.shape) > 1:
            spread = 1 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign(generator.normal(size=weight.shape) * spread)
    return model


def prune(layer: tf_keras.layers.Layer, share: float) -> None:
    kernel, *bias = layer.get_weights()
    size = np.abs(kernel)
    layer.set_weights([np.where(size < np.quantile(size, share), 0, kernel), *bias])


def shipped(folded: tf_keras.Model, bits: dict[str, int]) -> bytes:
    """The file as a run writes it."""
    latents = np.random.default_rng(0).normal(size=[CALIBRATION, LATENT]).astype(np.float32)
    aware = quantization_aware(folded, latents, bits)
    aware(latents, training=True)  # sets the ranges of the kernels
    round_biases(aware)
    return write_metadata(lite.to_int8_student(aware), PROVENANCE, provenance())


def provenance() -> bytes:
    """Like what pipeline/stages/provenance.py writes."""
    facts = {
        "pocketgan": {"pocketgan": "0.1.0"},
        "recipe": "digits",
        "recipe_sha256": random.Random(0).randbytes(32).hex(),
        "seed": 1,
        "variant": "int8",
        "latent": 64,
        "classes": 10,
        "prior": "normal",
        "pixels": (-1.0, 1.0),
    }
    return json.dumps(facts, sort_keys=True).encode()


# ---------------------------------------------------------------------- the structure of a file


def fit_structure(number: int) -> str:
    """The constants, as Python, and how far they are off."""
    examples = list(students(number, OTHER_SEED))
    ops = [operations(student.model, student.bits) for student in examples]
    table = np.array([structure(each) for each in ops], float)
    plain = [file_bytes(each, Structure()) for each in ops]
    packed = [
        gzip_bytes(each, Structure(), bits=student.bits, sparsity=student.zeros)
        for each, student in zip(ops, examples, strict=True)
    ]
    sizes = [read_model(student.content) for student in examples]
    lines = []
    for name, without, total in (
        ("AROUND", plain, [model.size for model in sizes]),
        ("AROUND_GZIP", packed, [model.size_gzip for model in sizes]),
    ):
        rest = np.array(total) - without
        weights, _ = nnls(table / np.array(total)[:, None], rest / total)
        errors = np.abs(table @ weights - rest) / total
        named = ", ".join(
            f"{field}={weight:.1f}"
            for field, weight in zip(Structure.__dataclass_fields__, weights, strict=True)
        )
        lines.append(f"{name} = Structure({named})")
        lines.append(f"# relative error: median {np.median(errors):.4f}, max {errors.max():.4f}")
    return "\n".join(lines)


# ---------------------------------------------------------------------- predicted and measured


@dataclass(frozen=True)
class CostComparison:
    """The costs of one student, predicted and measured."""

    student: str
    predicted: FileCost
    measured: FileCost

    def error(self, field: str) -> float | None:
        """Relative, of the prediction."""
        predicted, true = (getattr(each, field) for each in (self.predicted, self.measured))
        return None if predicted is None or not true else float(predicted / true - 1)


def check(number: int, target: str) -> tuple[list[CostComparison], str]:
    """A row a student, and what the calibration says of itself."""
    calibration = calibration_of(target)
    examples = list(students(number, SEED))
    with tempfile.TemporaryDirectory(prefix="pocketgan-cost-") as folder:
        files = {str(index): Path(folder) / f"{index}.tflite" for index in range(len(examples))}
        for file, student in zip(files.values(), examples, strict=True):
            file.write_bytes(student.content)
        measured = {m.variant: m for m in measure(files, [find_target(target)], plan=PLAN)}
    rows = []
    for name, student in zip(files, examples, strict=True):
        model, answer = read_model(student.content), measured[name]
        predicted = predict_cost(
            student.model,
            bits=student.bits,
            sparsity=student.zeros,
            latency=calibration.latency,
        )
        true = FileCost(
            bytes=model.size,
            bytes_gzip=model.size_gzip,
            macs=count.total_macs(model),
            p50_ms=answer.p50_ms,
            instructions=answer.instructions,
        )
        rows.append(CostComparison(student.name, predicted, true))
    fit = calibration.latency.fit
    return rows, (
        f"calibration on {target}: {fit.generators} generators, tiles of "
        f"{calibration.latency.tile[0]}×{calibration.latency.tile[1]} channels; error median "
        f"{fit.median:.1%}, largest {fit.largest:.1%}; left out, median {fit.left_out_median:.1%}, "
        f"largest {fit.left_out_largest:.1%} ({fit.left_out_worst}); "
        f"{len(calibration.doubts)} of its measurements are in doubt"
    )


def milli(value: float) -> str:
    return f"{value:.4f}"


COLUMNS: Sequence[tuple[str, str, Callable[[float], str]]] = (
    ("bytes", "bytes", whole),
    ("bytes_gzip", "gzip", whole),
    ("macs", "MACs", whole),
    ("p50_ms", "p50, ms", milli),
    ("instructions", "instructions", whole),
)


def table(rows: Sequence[CostComparison], note: str) -> Table:
    columns = [
        column for column in COLUMNS if any(row.error(column[0]) is not None for row in rows)
    ]
    headings = [words for _, name, _ in columns for words in (name, "predicted", "off")]
    cells = [
        [
            row.student,
            *(
                words
                for field, _, write in columns
                for words in (
                    cell(getattr(row.measured, field), write),
                    cell(getattr(row.predicted, field), write),
                    cell(row.error(field), percent),
                )
            ),
        ]
        for row in rows
    ]
    return Table(["student", *headings], cells, [*(summary(rows, *c[:2]) for c in columns), note])


def summary(rows: Sequence[CostComparison], field: str, name: str) -> str:
    errors = [abs(error) for row in rows if (error := row.error(field)) is not None]
    return (
        f"{name}: off by {statistics.median(errors):.1%} in the median, {max(errors):.1%} at most"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--students", type=int, default=16, help="how many are drawn")
    parser.add_argument("--target", default="local", help="where they are measured")
    parser.add_argument("--structure", action="store_true", help="fit pipeline/search/cost.py")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, for the docs")
    options = parser.parse_args()
    progress.silence()
    if options.structure:
        print(fit_structure(FITTED))
        return 0
    comparison = table(*check(options.students, options.target))
    console().print(comparison.for_terminal())
    if options.markdown:
        write_text(options.markdown, comparison.markdown())
    return 0


if __name__ == "__main__":
    run_as_program(main)
