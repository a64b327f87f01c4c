"""Measure what operations cost on a target, once, and keep it in the cache folder.

Measured are small generators that together have every such operation, through ``deploy.harness``.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras
from pydantic import JsonValue, ValidationError

from deploy import cache_folder
from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import FrozenModel, Measurement
from deploy.machine import describe_machine
from deploy.targets import find_target
from pipeline.atomic import write_text
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.layers import DepthToSpace
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import build_student
from pipeline.search.latency import Latency, Unit, fit_latency
from pipeline.search.operations import operations
from pipeline.tflite import convert as lite

VERSION = 1
"""Raise it when ``calibration_models`` change: then targets are measured again."""
PLAN = MeasuringPlan(rounds=2, runs=1024, warmup=64)
"""Short: that it is done while a person waits counts more than the last percent."""
PACKAGES = ("tensorflow", "ai-edge-litert", "numpy")

LATENT = 64
_GREY, _COLOUR = (28, 28, 1), (64, 64, 3)
_STUDENTS = (
    *((_GREY, block, 4, (4, 4), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 16, (16, 8), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 0, (48, 24), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 32, (24, 32), 1) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_COLOUR, block, 8, (16, 8, 4), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_COLOUR, block, 16, (48, 16, 12), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    (_GREY, "sub_pixel", 8, (8, 4), 2),
    (_GREY, "sub_pixel", 64, (32, 16), 2),
    (_COLOUR, "sub_pixel", 0, (32, 32, 32), 0),
    (_COLOUR, "depthwise", 32, (32, 32, 32), 1),
)
_RESIZED = (
    (_GREY, 8, True),
    (_GREY, 8, False),
    (_GREY, 24, False),
    (_COLOUR, 16, True),
    (_COLOUR, 12, False),
)


class Calibration(FrozenModel):
    """The cached measurements of one target, and the costs fitted to them."""

    subject: dict[str, JsonValue]
    """What it holds for: the set, machine, versions."""
    measured: dict[str, float]
    """Name of each generator → ms, or instructions."""
    doubts: tuple[str, ...]
    """Warnings of the measurements."""
    latency: Latency


def calibration_of(target: str) -> Calibration:
    """The costs of the target's operations: from the cache, or measured now, within a minute.

    Raises PocketganError where the target is not there, or fails on some of the generators.
    """
    subject = _subject(target)
    digest = hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()
    path = cache_folder.cache() / "latency" / f"{digest[:16]}.json"
    try:
        return Calibration.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):  # There is none yet, or an older one.
        calibration = calibrate(target, subject)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, calibration.model_dump_json(indent=1) + "\n")
        return calibration


def calibrate(target: str, subject: Mapping[str, Any] | None = None) -> Calibration:
    """Measure the set on the target and fit; raises as ``calibration_of`` does."""
    backend = find_target(target)
    backend.require()
    models = dict(calibration_models())
    with tempfile.TemporaryDirectory(prefix="pocketgan-latency-") as folder:
        files = {name: Path(folder) / f"{name}.tflite" for name in models}
        for name, model in models.items():
            files[name].write_bytes(int8_file(model))
        measurements = measure(files, [backend], plan=PLAN)
    figures = {one.variant: _figure(one) for one in measurements}
    (unit,) = {unit for unit, _ in figures.values()}
    measured = {name: figure for name, (_, figure) in figures.items()}
    ops = {name: operations(model) for name, model in models.items()}
    return Calibration(
        subject=dict(subject or _subject(target)),
        measured=measured,
        doubts=tuple(
            f"{one.variant}: {warning}" for one in measurements for warning in one.warnings
        ),
        latency=fit_latency(measured, ops, target=target, unit=unit),
    )


def int8_file(model: tf_keras.Model) -> bytes:
    """A generator's int8 file by post-training quantization: as quick as the trained one."""
    latents = np.random.default_rng(0).normal(size=[2, *model.input_shape[1:]]).astype(np.float32)
    return lite.to_int8_post_training(fold_batch_norm(model), latents)


def _figure(measurement: Measurement) -> tuple[Unit, float]:
    """Unit and number of what a target measures: time, or where it counts, instructions."""
    if measurement.error is None and measurement.p50_ms is not None:
        return "ms", measurement.p50_ms
    if measurement.error is None and measurement.instructions is not None:
        return "instructions", float(measurement.instructions)
    raise PocketganError(
        f"target {measurement.target} tells no speed of {measurement.variant}: "
        f"{measurement.error or 'it neither times nor counts'}.",
        "Choose a target that times or counts; `pocketgan targets` lists them.",
    )


def _subject(target: str) -> dict[str, Any]:
    machine = asdict(describe_machine())
    return {
        "set": VERSION,
        "runs": PLAN.runs,
        "target": target,
        "machine": {
            **{key: machine[key] for key in ("system", "cpu", "cores")},
            "flags": list(machine["flags"]),
        },
        "versions": {**machine["versions"], **{name: version(name) for name in PACKAGES}},
    }


def calibration_models() -> Iterator[tuple[str, tf_keras.Model]]:
    """Names and generators [N, 64] → pictures, with random weights that are always the same."""
    for image, block, rank, channels, mixers in _STUDENTS:
        settings = StudentSettings(block, rank, channels, mixers)
        name = "-".join([block, str(image[0]), f"r{rank}", *map(str, channels), f"m{mixers}"])
        yield name, with_random_weights(build_student(settings, LATENT, image, (-1.0, 1.0)))
    for image, width, residual in _RESIZED:
        name = f"resized-{image[0]}-{width}{'-residual' if residual else ''}"
        yield name, with_random_weights(_resized(image, width, residual=residual))


def _resized(image: tuple[int, int, int], channels: int, *, residual: bool) -> tf_keras.Model:
    """What students are not made of but teachers may be: resizing, leaky ReLU, Add, sigmoid."""
    layers, (height, width, colours) = tf_keras.layers, image
    latent = layers.Input([LATENT], name="latent")
    x = layers.Dense(height // 4 * (width // 4) * channels, name="project")(latent)
    x = layers.LeakyReLU(0.25, name="project_act")(x)
    x = layers.Reshape([height // 4, width // 4, channels], name="seed_map")(x)
    if residual:
        mixed = layers.Conv2D(channels, 3, padding="same", name="mix")(x)
        x = layers.Add(name="sum")([x, layers.LeakyReLU(0.25, name="mix_act")(mixed)])
    x = layers.UpSampling2D(2, name="larger")(x)
    x = layers.Conv2D(4 * colours, 3, padding="same", name="pixels")(x)
    x = DepthToSpace(2, name="pixels_moved")(x)
    return tf_keras.Model(latent, layers.Activation("sigmoid", name="image")(x))


def with_random_weights(model: tf_keras.Model, seed: int = 0) -> tf_keras.Model:
    """The model, as if it had been trained: no bias and no statistic is 0.

    A bias that is all zeros would vanish in the file, and with it what can be fused.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        fan = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 1
        low, high = (0.7, 1.3) if "variance" in weight.name or "gamma" in weight.name else (-1, 1)
        spread = 1.7 / np.sqrt(fan) if len(weight.shape) > 1 else 1.0
        weight.assign(spread * random.uniform(low, high, weight.shape))
    return model
