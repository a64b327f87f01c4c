"""Whether what a generator gives are pictures, and which numbers are black and white in them."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.pixels import ACTIVATION_RANGES, PixelRange

CHANNELS = (1, 3, 4)
_GENERATOR = "Give the generator: latents (or pictures) go in, pictures [N, H, W, C] come out."
_CHANNELS_LAST = "Build it with data_format 'channels_last'; TFLite has no other."
_MOVE_ONLY = (
    tf_keras.layers.Reshape,
    tf_keras.layers.Flatten,
    tf_keras.layers.Permute,
    tf_keras.layers.Cropping2D,
    tf_keras.layers.UpSampling2D,
)
_OPERATION_RANGES = {"Tanh": (-1.0, 1.0), "Sigmoid": (0.0, 1.0)}
_EIGHT_BITS = (0.0, 255.0)
FEWEST_INPUTS = 48
"""So that the smallest of the parts has the six pictures that the metrics ask for."""


def check_pictures(
    path: str, shapes: Sequence[tuple[int | None, ...]], dtypes: Sequence[str], reads_pictures: bool
) -> None:
    """PocketganError unless there is one output, and it is pictures.

    ``shapes`` are those of all outputs, the batch first.
    """
    if len(shapes) != 1:
        raise PocketganError(
            f"{path} has {len(shapes)} outputs ({', '.join(map(_written, shapes))}).",
            "Build a model that gives the picture only: keras.Model(model.inputs, picture).",
        )
    (shape,), (dtype,) = shapes, dtypes
    if len(shape) == 2:
        raise _no_picture_but_vector(path, shape, reads_pictures)
    if len(shape) == 3:
        raise PocketganError(
            f"{path} gives {_written(shape)}: a sequence, or pictures without channels.",
            "End a generator of grey pictures with Reshape((H, W, 1)); sequences are not drawn.",
        )
    if len(shape) != 4:
        raise PocketganError(f"{path} gives {_written(shape)}, which is no picture.", _GENERATOR)
    if None in shape[1:]:
        raise PocketganError(
            f"{path} gives pictures of unknown size, {_written(shape)}.",
            "Build it with a fixed input shape, load its weights, and save that.",
        )
    if shape[-1] not in CHANNELS:
        first = shape[1] in CHANNELS
        raise PocketganError(
            f"{path} gives {_written(shape)}: pictures have 1, 3 or 4 channels, at the end.",
            _CHANNELS_LAST if first else _GENERATOR,
        )
    if not dtype.startswith(("float", "bfloat")):
        raise PocketganError(
            f"{path} gives numbers of type {dtype}, through which nothing can be learnt.",
            "Leave the rounding to 8 bits out of the model.",
        )


def _no_picture_but_vector(
    path: str, shape: tuple[int | None, ...], reads_pictures: bool
) -> PocketganError:
    length = shape[-1]
    if length == 1:
        return PocketganError(
            f"{path} gives one number for each input: this is a discriminator.", _GENERATOR
        )
    if reads_pictures:
        return PocketganError(
            f"{path} reads pictures and gives {_written(shape)}: this is a classifier or an "
            "encoder.",
            _GENERATOR,
        )
    return PocketganError(
        f"{path} gives {_written(shape)}: vectors, no pictures.",
        f"If they are pictures laid flat, end the model with {_reshape(length)}.",
    )


def _reshape(length: int | None) -> str:
    """For instance Reshape((28, 28, 1)), where the length is that of a square picture."""
    for channels in CHANNELS:
        side = math.isqrt((length or 0) // channels)
        if side > 1 and side * side * channels == length:
            return f"Reshape(({side}, {side}, {channels}))"
    return "Reshape((H, W, C))"


def output_range(model: tf_keras.Model) -> PixelRange | None:
    """Smallest and largest value that the last layers of a functional model can give.

    None where they do not say: a linear output may be anything.
    """
    layer = model.output._keras_history.layer
    changes: list[Callable[[float], float]] = []
    while isinstance(layer, _MOVE_ONLY) or type(layer) is tf_keras.layers.Rescaling:
        if type(layer) is tf_keras.layers.Rescaling:
            changes.append(_affine(layer))
        layer = layer.input._keras_history.layer
    found = _range_of(layer)
    if found is None:
        return None
    low, high = found
    for change in reversed(changes):
        low, high = change(low), change(high)
    return min(low, high), max(low, high)


def range_of_operation(name: str) -> PixelRange | None:
    """Smallest and largest value that a TensorFlow operation can give; None if anything."""
    return _OPERATION_RANGES.get(name)


def _affine(layer: tf_keras.layers.Rescaling) -> Callable[[float], float]:
    return lambda value: float(value * layer.scale + layer.offset)


def _range_of(layer: tf_keras.layers.Layer) -> PixelRange | None:
    if isinstance(layer, tf_keras.layers.ReLU) and layer.max_value and not layer.negative_slope:
        return 0.0, float(layer.max_value)
    activation = getattr(layer, "activation", None)
    return ACTIVATION_RANGES.get(getattr(activation, "__name__", ""))


def input_range(model: tf_keras.Model) -> PixelRange | None:
    """Range of the pictures that a functional model reads: 0..255 where it rescales them first.

    None where it does not say.
    """
    (node,) = model.input._keras_history.layer.outbound_nodes[:1]
    first = node.layer
    if type(first) is tf_keras.layers.Rescaling and 0 < abs(first.scale) < 1 / 16:
        return _EIGHT_BITS
    return None


def wanted_range(
    path: str, found: PixelRange | None, given: PixelRange | None, of: str
) -> PixelRange:
    """The range that the user gives, or the one that was found.

    ``of`` is "output" or "input". Raises PocketganError where neither is known, or that given is
    none.
    """
    option = _OPTIONS[of]
    if given is not None:
        low, high = given
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise PocketganError(
                f"{option} {low:g} {high:g} is no range.", f"For instance {option} -1 1."
            )
        return float(low), float(high)
    if found is None:
        raise PocketganError(
            f"{path}: which numbers are black and white in the pictures that it "
            f"{_VERBS[of]} is not known{_WHY[of]}.",
            f"Give them with {option} LOW HIGH, for instance {option} -1 1.",
        )
    return found


_OPTIONS: Mapping[str, str] = {"output": "--pixels", "input": "--input-pixels"}
_VERBS: Mapping[str, str] = {"output": "draws", "input": "reads"}
_WHY: Mapping[str, str] = {
    "output": ": it does not end with tanh or sigmoid",
    "input": ": it does not start with a Rescaling layer",
}


def _written(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('N' if size is None else str(size) for size in shape)}]"


def refuse_few(place: Path, count: int) -> None:
    """PocketganError where a folder has too few pictures for a generator that reads them."""
    if count < FEWEST_INPUTS:
        raise PocketganError(
            f"{place} holds {count} pictures that can be read.",
            f"Give {FEWEST_INPUTS} or more: some to learn from, some to judge by.",
        )
