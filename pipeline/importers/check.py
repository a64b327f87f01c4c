"""The preflight: what compressing a generator will meet, found without training."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.generator import Teacher
from pipeline.importers.layer_report import LayerFate, fates, opacity, refusals
from pipeline.networks.pixels import PixelRange
from pipeline.tflite import convert as lite
from pipeline.tflite import count
from pipeline.tflite.float_ops import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import left_behind

SCHEMA = 1
CALIBRATION = 8
"""Latents, or pictures of noise, that set the ranges of the trial int8 file."""
BOTH, EDGE = "slimming and edge students", "edge students only"


@dataclass(frozen=True)
class TrialFile:
    """The teacher as a .tflite file, converted to look at; None where that failed."""

    variant: str
    bytes: int | None = None
    bytes_gzip: int | None = None
    macs: int | None = None
    parameters: int | None = None
    operations: int | None = None
    float_ops: tuple[str, ...] = ()
    """Operations in float, with their layers; told of int8 files only."""
    outside_xnnpack: tuple[str, ...] = ()
    """Operations that the runtime does not give to XNNPACK, with their layers."""
    error: str = ""
    """Why there is no such file; empty where there is one."""


@dataclass(frozen=True)
class Check:
    """What the preflight found."""

    schema: int
    path: str
    origin: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    latent: int
    classes: int
    pixels: PixelRange
    input_pixels: PixelRange | None
    layers: tuple[LayerFate, ...]
    files: tuple[TrialFile, ...]
    notes: tuple[str, ...]
    slimming: bool
    """Whether students may be slimmed out of the teacher's own layers."""
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON-safe values."""
        return asdict(self)


def check(teacher: Teacher, path: str) -> Check:
    """Look at each layer, convert to float32 and int8 once, and say what can be done.

    Takes seconds. The ranges of the int8 file are those of a few latents: it shows operations,
    bytes and MACs, and its pictures are not looked at.
    """
    layers = tuple(fates(teacher))
    folded = teacher.folded
    reasons = _against_slimming(teacher, folded)
    seen = trial_inputs(teacher, CALIBRATION)
    return Check(
        schema=SCHEMA,
        path=path,
        origin=teacher.origin,
        input_shape=tuple(teacher.model.input_shape[1:]),
        output_shape=tuple(teacher.model.output_shape[1:]),
        latent=teacher.latent,
        classes=teacher.classes,
        pixels=teacher.pixels,
        input_pixels=teacher.input_pixels,
        layers=layers,
        files=(
            _trial("float32", lambda: lite.to_float32(folded)),
            _trial("int8-ptq", lambda: lite.to_int8_post_training(folded, seen)),
        ),
        notes=(*_notes(teacher), *_doubts(teacher, seen)),
        slimming=not reasons,
        verdict=_verdict(reasons),
    )


def trial_inputs(teacher: Teacher, count: int, seed: int = 1) -> np.ndarray:
    """Inputs float32 [count, …]: the normal prior and any class, or noise between black and white.

    Only good enough to see which operations a file has: pictures of noise are no pictures.
    """
    rng = np.random.default_rng(seed)
    if not teacher.latent:
        low, high = teacher.input_pixels or (0.0, 1.0)
        return rng.uniform(low, high, (count, *teacher.model.input_shape[1:])).astype(np.float32)
    drawn = rng.normal(size=(count, teacher.latent)).astype(np.float32)
    if not teacher.classes:
        return drawn
    one_hot = np.eye(teacher.classes, dtype=np.float32)[np.arange(count) % teacher.classes]
    return np.concatenate([drawn, one_hot], axis=1)


def _notes(teacher: Teacher) -> list[str]:
    """Those that belong to no layer."""
    of_layers = {f"{row.name}: {row.note}" for row in teacher.layers}
    return [note for note in teacher.notes if note not in of_layers]


def _against_slimming(teacher: Teacher, folded: tf_keras.Model) -> list[str]:
    if teacher.is_opaque:
        return [opacity(teacher)]
    return [error.problem.rstrip(".") for error in refusals(folded).values()]


def _verdict(reasons: list[str]) -> str:
    if not reasons:
        return f"can be compressed: {BOTH}"
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"can be compressed: {EDGE}, because {reasons[0]}{more}"


def _doubts(teacher: Teacher, seen: np.ndarray) -> list[str]:
    """What makes the teacher a doubtful one, though it draws."""
    drawn = teacher.model(seen, training=False).numpy()
    low, high = teacher.pixels
    slack = 0.01 * (high - low)
    outside = float(np.mean((drawn < low - slack) | (drawn > high + slack)))
    found = []
    if float(drawn.std(axis=0).max()) < 1e-3 * (high - low):
        found.append("it draws the same picture whatever it reads: it looks untrained or collapsed")
    if outside > 0.01:
        found.append(
            f"{outside:.0%} of what it draws lies outside {low:g}..{high:g}: look at --pixels"
        )
    return found


def _trial(variant: str, convert: Callable[[], bytes]) -> TrialFile:
    try:
        content = convert()
        model = read_model(content)
        outside = left_behind(content)
    except PocketganError as error:
        return TrialFile(variant, error=error.problem)
    except Exception as error:  # the converter raises several kinds, some of them plain Exception
        return TrialFile(variant, error=_reason(error))
    floats = float_ops(model) if variant.startswith("int8") else []
    return TrialFile(
        variant=variant,
        bytes=model.size,
        bytes_gzip=model.size_gzip,
        macs=count.total_macs(model),
        parameters=count.parameters(model),
        operations=len(model.ops),
        float_ops=tuple(f"{op.op} in {op.layer}" for op in floats),
        outside_xnnpack=tuple(f"{op.label} in {op.layer}" for op in outside),
    )


def _reason(error: Exception) -> str:
    """The part of a converter's pages that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("TF Select ops:", "Custom ops:"))]
    telling = named or [line for line in lines if "error:" in line]
    return " ".join((telling or lines or [type(error).__name__])[-1].split())[:300]
