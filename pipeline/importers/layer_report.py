"""What will happen to each layer of a teacher when it is compressed, found without training."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline import guard
from pipeline.compression.int8_layers import refusals
from pipeline.importers.input_roles import InputPart
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.pixel_range import RESCALED
from pipeline.importers.teacher import Teacher
from pipeline.networks.pixels import PixelRange
from pipeline.tflite import convert as lite
from pipeline.tflite import count
from pipeline.tflite.count import float_ops
from pipeline.tflite.gpu import GpuRemark, gpu_check
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import left_behind

SCHEMA = 1
CALIBRATION, LOOKED_AT = 2, 4
"""Latents, or pictures of noise, that set the ranges of the trial int8 file, a slow work; and those
whose pictures are looked at."""
_OF_LAYERS = "Save it as a functional or sequential model of Keras's own layers."
BOTH, EDGE, CUT = "slimming and edge students", "edge students only", "slimming only"


class LayerOutcome(StrEnum):
    """What happens to a layer, from best to worst."""

    SUPPORTED = "supported"
    FOLDED = "folded"
    REMOVED = "removed"
    REWRITTEN = "rewritten"
    REPLACED = "replaced in the student"


@dataclass(frozen=True, kw_only=True)
class LayerReport:
    """One layer of the file, and what happens to it."""

    name: str
    type: str
    shape: tuple[int | None, ...]
    """Of its output, the batch first; empty where it is not known."""
    weights: int
    outcome: LayerOutcome
    reason: str = ""
    """Why, or what to know of it."""
    remedy: str = ""
    """What would make it supported; empty where nothing need be done."""


# Type of a layer, or name of its function → what students have in its place.
_INSTEAD = {
    "GroupNormalization": "batch norm, which folds away: instance and group norms are float sums",
    "LayerNormalization": "batch norm, which folds away: layer norms are float sums",
    "UnitNormalization": "batch norm, which folds away",
    "BatchNormalization": "batch norm right behind a linear layer, where it folds away",
    "PReLU": "LeakyReLU",
    "ELU": "LeakyReLU",
    "Softmax": "tanh or sigmoid",
    "Embedding": "the one-hot class, as a part of the latent vector",
    "UpSampling2D": "sub-pixel convolution",
    "Resizing": "sub-pixel convolution",
    "SeparableConv2D": "DepthwiseConv2D and Conv2D",
    "Rescaling": "pixels in the range that the last activation gives",
    "swish": "ReLU or LeakyReLU",
    "gelu": "ReLU or LeakyReLU",
    "elu": "LeakyReLU",
    "selu": "LeakyReLU",
}
_INTO_READERS = ("Embedding", "Concatenate", "Flatten", "Reshape")
# Supported, but not the best there is (docs/suite.md).
_SLOW = {
    "Conv2DTranspose": "gains least from int8; sub-pixel convolution, which edge students have, "
    "is cheaper",
    "UpSampling2D": "resizing and convolving costs more than sub-pixel convolution",
}


def layer_reports(teacher: Teacher) -> list[LayerReport]:
    """What happens to each layer of the file, in order; of an opaque teacher all are replaced."""
    if teacher.is_opaque:
        outcome = (LayerOutcome.REPLACED, _opacity(teacher), _OF_LAYERS)
        return [_report(layer, *outcome) for layer in teacher.layers]
    refused = refusals(teacher.cuttable_folded)
    functions = {
        layer.name: layer.activation.__name__
        for layer in teacher.model.layers
        if isinstance(layer, tf_keras.layers.Activation)
    }
    remaining = _names(teacher.folded)
    cut_off = _names(teacher.model) - _names(teacher.cuttable)
    return [
        _report(layer, LayerOutcome.REMOVED, RESCALED, "")
        if cut_off.intersection(layer.became)
        else _report(layer, *_outcome(layer, remaining, refused, functions))
        for layer in teacher.layers
    ]


def _names(model: tf_keras.Model) -> set[str]:
    return {layer.name for layer in model.layers}


def _opacity(teacher: Teacher) -> str:
    """Why nothing but its drawing is known of an opaque teacher, in words."""
    return f"the generator is {teacher.notes[-1]}"


def _outcome(
    layer: SourceLayer,
    remaining: set[str],
    refused: Mapping[str, PocketganError],
    functions: Mapping[str, str],
) -> tuple[LayerOutcome, str, str]:
    """What happens, why, and what would change that.

    ``remaining`` are the layers of the folded model, ``refused`` those without int8 form.

    ``functions``: name of each activation layer → name of its function.
    """
    if not layer.became:
        return LayerOutcome.REMOVED, layer.note, ""
    if not set(layer.became) & remaining:
        readers = layer.type in _INTO_READERS
        return (
            LayerOutcome.FOLDED,
            f"into the {'kernels behind' if readers else 'layer before'} it",
            "",
        )
    for name in layer.became:
        if name in refused:
            error = refused[name]
            # The table names the layer already: "layer 'x' (Class) computes …" → "computes …".
            reason = error.problem.split(") ", 1)[-1].rstrip(".")
            instead = _INSTEAD.get(functions.get(name, ""), _INSTEAD.get(layer.type, ""))
            if instead:
                reason += f"; students have {instead}"
            return LayerOutcome.REPLACED, reason, error.remedy
    slow = _SLOW.get(layer.type, "")
    outcome = LayerOutcome.REWRITTEN if layer.note else LayerOutcome.SUPPORTED
    return outcome, "; ".join(filter(None, (layer.note, slow))), ""


def _report(layer: SourceLayer, outcome: LayerOutcome, reason: str, remedy: str) -> LayerReport:
    return LayerReport(
        name=layer.name,
        type=layer.type,
        shape=layer.shape,
        weights=layer.weights,
        outcome=outcome,
        reason=reason,
        remedy=remedy,
    )


@dataclass(frozen=True, kw_only=True)
class TrialFile:
    """The teacher as a .tflite file, converted only to be measured; None where that failed."""

    variant: str
    bytes: int | None = None
    bytes_gzip: int | None = None
    macs: int | None = None
    parameters: int | None = None
    operations: int | None = None
    float_ops: tuple[str, ...] = ()
    """Operations in float, with their layers; listed for int8 files only."""
    outside_xnnpack: tuple[str, ...] = ()
    """Operations that the runtime does not give to XNNPACK, with their layers."""
    left_by_gpu: tuple[GpuRemark, ...] = ()
    """Operations that LiteRT's GPU delegate leaves to the CPU."""
    error: str = ""
    """Why there is no such file; empty where there is one."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """What compressing a generator will meet."""

    schema: int
    path: str
    origin: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    latent: int
    classes: int
    inputs: tuple[InputPart, ...]
    """What the entries or channels of the one input are, in order."""
    pixels: PixelRange
    input_pixels: PixelRange | None
    layers: tuple[LayerReport, ...]
    files: tuple[TrialFile, ...]
    notes: tuple[str, ...]
    slimming: bool
    """Whether students may be slimmed out of the teacher's own layers."""
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON-safe values; files call the outcome of a layer its fate."""
        layers = [
            {"fate" if key == "outcome" else key: value for key, value in asdict(layer).items()}
            for layer in self.layers
        ]
        return {**asdict(self), "layers": layers}


def check(teacher: Teacher, path: str, *, why_not_slim: str = "", why_not_built: str = "") -> Check:
    """Look at each layer, convert to float32 and int8 once, and say what can be done.

    ``why_not_slim``: why no student can be cut out of it, where that is not for its layers;
    ``why_not_built``: why none that is built for it fits.
    Takes seconds. The ranges of the int8 file are those of a few latents: it shows operations,
    bytes and MACs, and its pictures are not looked at.
    """
    reasons = _reasons(teacher)
    if why_not_slim and not reasons:
        reasons = [why_not_slim.rstrip(".")]
    inputs = teacher.random_inputs(LOOKED_AT)
    notes_of_layers = {f"{layer.name}: {layer.note}" for layer in teacher.layers}
    return Check(
        schema=SCHEMA,
        path=path,
        origin=teacher.origin,
        input_shape=tuple(teacher.model.input_shape[1:]),
        output_shape=tuple(teacher.model.output_shape[1:]),
        latent=teacher.latent,
        classes=teacher.classes,
        inputs=teacher.parts,
        pixels=teacher.pixels,
        input_pixels=teacher.input_pixels,
        layers=tuple(layer_reports(teacher)),
        files=(
            _trial(path, "float32", lambda: lite.to_float32(teacher.folded, signed=False)),
            _trial(
                path,
                "int8-ptq",
                lambda: lite.to_int8_post_training(
                    teacher.folded, inputs[:CALIBRATION], signed=False
                ),
            ),
        ),
        notes=(
            *(note for note in teacher.notes if note not in notes_of_layers),
            *_doubts(teacher, inputs),
        ),
        slimming=not reasons,
        verdict=_verdict(reasons, why_not_built),
    )


def _reasons(teacher: Teacher) -> list[str]:
    """Why it cannot be slimmed, as far as its layers say; by the names that the table has."""
    if teacher.is_opaque:
        return [_opacity(teacher)]
    refused = refusals(teacher.cuttable_folded)
    of_file = {name for layer in teacher.layers for name in layer.became}
    reasons = [error.problem.rstrip(".") for name, error in refused.items() if name in of_file]
    if refused.keys() - of_file:
        reasons.append("what joins its inputs to one has no int8 form here")
    return reasons


def _verdict(reasons: list[str], why_not_built: str) -> str:
    if why_not_built and not reasons:
        return f"can be compressed: {CUT}, because {why_not_built.rstrip('.')}"
    if not reasons:
        return f"can be compressed: {BOTH}"
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"can be compressed: {EDGE}, because {reasons[0]}{more}"


def _doubts(teacher: Teacher, inputs: np.ndarray) -> list[str]:
    """What makes the teacher a doubtful one, though it draws."""
    pictures = teacher.model(inputs, training=False).numpy()
    low, high = teacher.pixels
    slack = 0.01 * (high - low)
    outside = float(np.mean((pictures < low - slack) | (pictures > high + slack)))
    doubts = []
    if float(pictures.std(axis=0).max()) < 1e-3 * (high - low):
        doubts.append(
            "it draws the same picture whatever it reads: it looks untrained or collapsed"
        )
    if outside > 0.01:
        doubts.append(
            f"{outside:.0%} of what it draws lies outside {low:g}..{high:g}: look at --pixels"
        )
    return doubts


def _trial(path: str, variant: str, convert: Callable[[], bytes]) -> TrialFile:
    try:
        with guard.step(f"converted to {variant}", path, _OF_LAYERS):
            content = convert()
            model = read_model(content)
            outside = left_behind(content)
    except PocketganError as error:
        return TrialFile(variant=variant, error=error.problem)
    except Exception as error:  # the converter raises several kinds, some of them plain Exception
        return TrialFile(variant=variant, error=lite.why_unconverted(error))
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
        left_by_gpu=gpu_check(model).left,
    )
