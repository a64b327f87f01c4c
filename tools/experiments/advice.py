"""What the changes that `pocketgan explain` advises gain: small generators before and after each.

python -m tools.experiments.advice --target arm:cortex-a53 --target arm:cortex-a76 --target local

Prints the rows of pipeline/report/explain/measured.csv that the suite (docs/suite.md) has no
figures of. Random weights by seed: a cost does not depend on them.
"""

import csv
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tf_keras
from jsonargparse import ArgumentParser

from deploy.harness import MeasuringPlan, measure
from deploy.targets import find_target
from pipeline.determinism import prepare
from pipeline.tflite.convert import to_int8_post_training
from tools.console import run_as_program

LATENT, SIDE, CALIBRATION = 32, 7, 8
PLAN = MeasuringPlan(rounds=3, runs=300, warmup=32)
SIDES = ("before", "after")

Layer = Any


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two files that differ in one thing; costs are divided by ``per``, e.g. channels."""

    change: str
    place: str
    files: tuple[Callable[[], bytes], Callable[[], bytes]]
    """Before and after the change."""
    per: tuple[int, int] = (1, 1)


def pairs() -> Iterator[Pair]:
    """All that is compared."""
    for width in (8, 16, 32):
        yield from _of_width(width)
    for odd, even in ((12, 16), (20, 24), (28, 32)):
        yield _evened(odd, even)


def _of_width(width: int) -> Iterator[Pair]:
    relu, batch_norm = tf_keras.layers.ReLU, tf_keras.layers.BatchNormalization
    gan, maps = partial(dcgan, width), partial(convolutions, width)
    place = f"dcgan 28, width {width}"
    free = (lambda: as_it_is(gan(batch=None)), lambda: as_it_is(gan()))
    yield Pair(change="fixed_batch", place=place, files=free)
    leaky = (lambda: int8(gan()), lambda: int8(gan(activation=relu)))
    yield Pair(change="relu", place=place, files=leaky)
    place = f"convolutions 28, width {width}"
    norms = (lambda: as_it_is(maps(instance_norm)), lambda: int8(maps(batch_norm)))
    yield Pair(change="batch_norm", place=place, files=norms)


def _evened(odd: int, even: int) -> Pair:
    place = f"convolutions 28, {odd} channels and {even}"
    files = (lambda: int8(convolutions(odd)), lambda: int8(convolutions(even)))
    return Pair(change="width", place=place, files=files, per=(odd, even))


def dcgan(
    width: int, *, batch: int | None = 1, activation: Layer = tf_keras.layers.LeakyReLU
) -> tf_keras.Model:
    """Latents → 28×28×1: a dense layer and two transposed convolutions 5×5."""
    prepare(0)
    layers = tf_keras.layers
    latent = layers.Input([LATENT], batch_size=batch)
    x = layers.Dense(SIDE * SIDE * 2 * width, bias_initializer="normal")(latent)
    x = layers.Reshape([SIDE, SIDE, 2 * width])(activation()(x))
    options = {"padding": "same", "bias_initializer": "normal"}
    x = activation()(layers.Conv2DTranspose(width, 5, 2, **options)(x))
    x = layers.Conv2DTranspose(1, 5, 2, activation="tanh", **options)(x)
    return tf_keras.Model(latent, x)


def instance_norm() -> Layer:
    return tf_keras.layers.GroupNormalization(groups=-1)


def convolutions(width: int, norm: Callable[[], Layer] | None = None) -> tf_keras.Model:
    """Latents → 28×28×1: a dense layer and three convolutions 3×3 of so many channels."""
    prepare(0)
    layers = tf_keras.layers
    latent = layers.Input([LATENT], batch_size=1)
    x = layers.Dense(28 * 28)(latent)
    x = layers.Reshape([28, 28, 1])(x)
    for _ in range(3):
        x = layers.Conv2D(width, 3, padding="same", bias_initializer="normal")(x)
        x = layers.ReLU()(norm()(x) if norm else x)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(x)
    return tf_keras.Model(latent, x)


def int8(model: tf_keras.Model) -> bytes:
    """As pocketgan converts: batch norm folded, a batch of one."""
    from pipeline.compression.fold import fold_batch_norm

    return to_int8_post_training(fold_batch_norm(model), latents())


def as_it_is(model: tf_keras.Model) -> bytes:
    """As TensorFlow's guide to post-training quantization converts."""
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in latents())
    converter.inference_input_type = converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def latents() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((CALIBRATION, LATENT), np.float32)


def main(arguments: list[str] | None = None) -> int:
    """Measure all pairs on the targets, and print a row each."""
    parser = ArgumentParser(prog="python -m tools.experiments.advice", description=__doc__)
    parser.add_argument("--target", action="append", type=str, required=True)
    options = parser.parse_args(arguments)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    with TemporaryDirectory() as folder:
        files: dict[str, Path] = {}
        wanted = []
        for number, pair in enumerate(pairs()):
            wanted.append(pair)
            for side, content in zip(SIDES, pair.files, strict=True):
                path = files[f"{number}-{side}"] = Path(folder) / f"{number}-{side}.tflite"
                path.write_bytes(content())
        for name in options.target:
            for row in _rows(wanted, files, name):
                writer.writerow(row)
                sys.stdout.flush()
    return 0


def _rows(wanted: list[Pair], files: dict[str, Path], target: str) -> Iterator[tuple[str, ...]]:
    measured = measure(files, [find_target(target)], plan=PLAN)
    costs = {m.variant: m.instructions or m.min_ms or 0.0 for m in measured}
    unit = "instructions" if measured[0].instructions else "ms"
    for number, pair in enumerate(wanted):
        both = [
            f"{costs[f'{number}-{side}'] / per:.6g}"
            for side, per in zip(SIDES, pair.per, strict=True)
        ]
        yield (pair.change, target, pair.place, unit, *both)


if __name__ == "__main__":
    run_as_program(main)
