"""What will happen to each layer of a teacher when it is compressed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.int8_layers import config_for
from pipeline.importers.generator import Teacher
from pipeline.importers.loaded import SourceLayer


class Fate(StrEnum):
    """In the order from best to worst."""

    SUPPORTED = "supported"
    FOLDED = "folded"
    REMOVED = "removed"
    REWRITTEN = "rewritten"
    REPLACED = "replaced in the student"


@dataclass(frozen=True)
class LayerFate:
    """One layer of the file, and what becomes of it."""

    name: str
    type: str
    shape: tuple[int | None, ...]
    weights: int
    fate: Fate
    reason: str = ""
    """Why, or what to know of it."""
    remedy: str = ""
    """What would make it supported; empty where nothing need be done."""


# Known by the type of the layer or the name of its function: what students have in its place.
_INSTEAD = {
    "GroupNormalization": "batch norm, which folds away: instance and group norms are float sums",
    "LayerNormalization": "batch norm, which folds away: layer norms are float sums",
    "UnitNormalization": "batch norm, which folds away",
    "BatchNormalization": "batch norm right behind a linear layer, where it folds away",
    "PReLU": "LeakyReLU",
    "ELU": "LeakyReLU",
    "Softmax": "tanh or sigmoid",
    "Concatenate": "Add: Concatenate rescales what it joins",
    "Embedding": "the one-hot class, as a part of the latent vector",
    "Part": "the first layer, which reads latents and class together",
    "UpSampling2D": "sub-pixel convolution",
    "Resizing": "sub-pixel convolution",
    "SeparableConv2D": "DepthwiseConv2D and Conv2D",
    "Rescaling": "pixels in the range that the last activation gives",
    "swish": "ReLU or LeakyReLU",
    "gelu": "ReLU or LeakyReLU",
    "elu": "LeakyReLU",
    "selu": "LeakyReLU",
}
_NOT_OPAQUE = "Save it as a functional or sequential model of Keras's own layers."
# Supported, but not the best there is (docs/suite.md).
_SLOW = {
    "Conv2DTranspose": "gains least from int8; sub-pixel convolution, which edge students have, "
    "is cheaper",
    "UpSampling2D": "resizing and convolving costs more than sub-pixel convolution",
}


def fates(teacher: Teacher) -> list[LayerFate]:
    """The fate of each layer of the file, in order; of an opaque teacher all are replaced."""
    if teacher.is_opaque:
        reason = opacity(teacher)
        return [_fate(row, Fate.REPLACED, reason, _NOT_OPAQUE) for row in teacher.layers]
    folded = fold_batch_norm(teacher.model)
    refused = refusals(folded)
    kept = {layer.name for layer in folded.layers}
    return [_of_row(row, kept, refused, _functions(teacher.model)) for row in teacher.layers]


def opacity(teacher: Teacher) -> str:
    """Why nothing but its drawing is known of an opaque teacher, in words."""
    return f"the generator is {teacher.notes[-1]}"


def refusals(folded: tf_keras.Model) -> dict[str, PocketganError]:
    """Layer of a folded model → why the int8 scheme does not take it."""
    found = {}
    for layer in folded.layers:
        if isinstance(layer, tf_keras.layers.InputLayer):
            continue
        try:
            config_for(folded, layer)
        except PocketganError as error:
            found[layer.name] = error
    return found


def _of_row(
    row: SourceLayer,
    kept: set[str],
    refused: Mapping[str, PocketganError],
    functions: Mapping[str, str],
) -> LayerFate:
    if not row.became:
        return _fate(row, Fate.REMOVED, row.note)
    if not set(row.became) & kept:
        return _fate(row, Fate.FOLDED, "into the layer before it")
    for part in row.became:
        if part in refused:
            error = refused[part]
            instead = _INSTEAD.get(functions.get(part, ""), _INSTEAD.get(row.type, ""))
            reason = f"{_without_name(error.problem)}; students have {instead}" if instead else ""
            return _fate(row, Fate.REPLACED, reason or _without_name(error.problem), error.remedy)
    slow = _SLOW.get(row.type, "")
    if row.note:
        return _fate(row, Fate.REWRITTEN, "; ".join(filter(None, (row.note, slow))))
    return _fate(row, Fate.SUPPORTED, slow)


def _fate(row: SourceLayer, fate: Fate, reason: str = "", remedy: str = "") -> LayerFate:
    return LayerFate(row.name, row.type, row.shape, row.weights, fate, reason, remedy)


def _functions(model: tf_keras.Model) -> dict[str, str]:
    """Activation layer → name of its function."""
    return {
        layer.name: layer.activation.__name__
        for layer in model.layers
        if isinstance(layer, tf_keras.layers.Activation)
    }


def _without_name(problem: str) -> str:
    """The table names the layer already: "layer 'x' (Kind) computes …" → "computes …"."""
    _, closing, rest = problem.partition(") ")
    return (rest if closing else problem).rstrip(".")
