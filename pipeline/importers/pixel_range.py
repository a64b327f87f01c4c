"""Which numbers are black and white in the pictures that a foreign generator draws and reads."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tf_keras

from deploy.errors import PocketganError, printable
from pipeline.compression.graph import followers
from pipeline.importers.missing import MissingFact, MissingFactsError, StatedFacts
from pipeline.importers.model_input import ModelInput
from pipeline.networks.layers import DepthToSpace, PixelSum
from pipeline.networks.pixels import ACTIVATION_RANGES, TRANSLATED, PixelRange

_KEEP_VALUES = (
    tf_keras.layers.Reshape,
    tf_keras.layers.Flatten,
    tf_keras.layers.Permute,
    tf_keras.layers.Cropping2D,
    tf_keras.layers.UpSampling2D,
    DepthToSpace,
)
OPERATION_RANGES = {name.title(): pixels for name, pixels in ACTIVATION_RANGES.items()}
"""TensorFlow operation → smallest and largest value that it can give; others give anything."""
RESCALED = "students draw in the range of the activation before it"
"""What becomes of layers that only rescale pictures at the end."""
Side = Literal["output", "input"]
BYTES: PixelRange = (0.0, 255.0)
UNIT: PixelRange = (0.0, 1.0)
_USUAL: Sequence[PixelRange] = (BYTES, TRANSLATED, UNIT)
"""Where people put black and white, the widest first."""
_OF_BYTES = 8.0
"""Pictures that reach as far as that, drawn of inputs within 0..1, are hardly within -1..1."""
_SIDES: Mapping[Side, tuple[str, str, str]] = {
    "output": ("--pixels", "draws", "end with tanh or sigmoid, rescaled alike in all channels"),
    "input": ("--input-pixels", "reads", "start with a Rescaling layer"),
}
"""The option that names the range, what is done with the pictures, and what would tell it."""


def output_range(model: tf_keras.Model) -> PixelRange | None:
    """Smallest and largest value that the last layers of a functional model can give.

    None where they do not say: a linear output may be anything, and channels may differ.
    """
    layer = model.output._keras_history.layer
    rescalings: list[tf_keras.layers.Rescaling] = []
    while isinstance(layer, _KEEP_VALUES) or type(layer) is tf_keras.layers.Rescaling:
        if type(layer) is tf_keras.layers.Rescaling:
            rescalings.append(layer)
        layer = layer.input._keras_history.layer
    bounds = _activation_range(layer)
    if bounds is None:
        return None
    ends = np.array([bounds]).T  # [2, channels, or 1 where they are alike]
    for rescaling in reversed(rescalings):
        ends = ends * np.asarray(rescaling.scale) + np.asarray(rescaling.offset)
    (low, high), *others = np.unique(np.sort(ends, axis=0), axis=1).T.tolist()
    return None if others else (low, high)


def without_rescaling(model: tf_keras.Model) -> tf_keras.Model:
    """The same pictures in the range of tanh or sigmoid, without what only rescales that behind it.

    Clipping goes too where it clips nothing. The model itself where it ends otherwise.
    """
    layer = model.output._keras_history.layer
    while _only_rescales(model, layer):
        layer = layer.input._keras_history.layer
    function = getattr(layer, "activation", None)
    if getattr(function, "__name__", "") not in ACTIVATION_RANGES:
        return model
    return tf_keras.Model(model.input, layer.output, name=model.name)


def rescalings_at_ends(model: tf_keras.Model) -> set[str]:
    """Names of the layers that rescale the pictures as they are read, or as they are drawn."""
    names = set[str]()
    for port in model.inputs:
        readers = followers(model, port._keras_history.layer)
        while len(readers) == 1 and type(readers[0]) is tf_keras.layers.Rescaling:
            names.add(readers[0].name)
            readers = followers(model, readers[0])
    layer = model.output._keras_history.layer
    while isinstance(layer, (*_KEEP_VALUES, tf_keras.layers.Rescaling, tf_keras.layers.ReLU)):
        if type(layer) is tf_keras.layers.Rescaling:
            names.add(layer.name)
        layer = layer.input._keras_history.layer
    return names


def _only_rescales(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> bool:
    """Whether it leaves black black, and all between it and white apart as it is."""
    if type(layer) is tf_keras.layers.Rescaling:
        return bool(np.all(np.asarray(layer.scale) > 0))
    if isinstance(layer, tf_keras.layers.ReLU):
        own = _activation_range(layer)
        before = output_range(tf_keras.Model(model.input, layer.input))
        return own is not None and before is not None and own[0] <= before[0] <= before[1] <= own[1]
    return False


def _activation_range(layer: tf_keras.layers.Layer) -> PixelRange | None:
    if isinstance(layer, PixelSum):
        return layer.low, layer.high
    if isinstance(layer, tf_keras.layers.ReLU) and layer.max_value and not layer.negative_slope:
        return 0.0, float(layer.max_value)
    activation = getattr(layer, "activation", None)
    return ACTIVATION_RANGES.get(getattr(activation, "__name__", ""))


def input_range(model: tf_keras.Model) -> PixelRange | None:
    """Range of the pictures that a functional model reads: 0..255 where it rescales them first.

    None where it does not say.
    """
    ranges = [_range_behind(port._keras_history.layer.outbound_nodes) for port in model.inputs]
    return ranges[0] if len(ranges) == 1 else None


def ranges_in_file(graph: Any) -> dict[str, PixelRange]:
    """The same of a graph of any Keras: name of each input that is rescaled first → its range."""
    ranges = {}
    for port in () if graph is None else graph.inputs:
        layer = port._keras_history[0]
        nodes = getattr(layer, "_outbound_nodes", None) or getattr(layer, "outbound_nodes", ())
        if (pixels := _range_behind(nodes)) is not None:
            ranges[str(layer.name)] = pixels
    return ranges


def _range_behind(nodes: Any) -> PixelRange | None:
    """Of an input that these nodes read."""
    if not nodes:
        return None
    first = getattr(nodes[0], "operation", None) or nodes[0].layer
    if type(first).__name__ != "Rescaling":
        return None
    scales = np.abs(first.scale)
    return BYTES if np.all((scales > 0) & (scales < 1 / 16)) else None


def range_of_bytes(
    path: Path, pictures: Sequence[ModelInput], facts: StatedFacts
) -> PixelRange | None:
    """0 to 255 where pictures are read as uint8, which holds nothing between; else None.

    Raises PocketganError where a person names another range. ``path`` names the generator.
    """
    of_bytes = [each for each in pictures if each.dtype == "uint8"]
    if not of_bytes:
        return None
    if facts.input_pixels is not None and facts.input_pixels != BYTES:
        low, high = facts.input_pixels
        raise PocketganError(
            f"--input-pixels {low:g} {high:g}: {path} reads '{printable(of_bytes[0].name)}' as "
            "uint8, whole numbers from 0 to 255.",
            "Leave --input-pixels out, or give --input-pixels 0 255.",
        )
    return BYTES


class PixelRanges(NamedTuple):
    """Black and white in what a generator draws, and in what it reads, where that is pictures."""

    draws: PixelRange
    reads: PixelRange | None


def chosen_ranges(
    path: Path,
    facts: StatedFacts,
    *,
    draws: PixelRange | None,
    reads: PixelRange | None,
    latent: int,
    marks: bool = False,
    trial: np.ndarray,
) -> PixelRanges:
    """The ranges that the user names, or else those that the model says.

    Raises PocketganError where the user's are none, and MissingFactsError for those that neither
    says; proposed for them is one range: what the other side has, the widest usual one within odd
    ends, or what is likely. ``path`` names the generator in errors; ``latent`` is 0 where it reads
    pictures; ``marks``: whether masks or classes lie beside these; ``trial`` are pictures
    [N, H, W, C] that it drew, of others within 0..1 where their range is not known.
    """
    chosen: dict[Side, PixelRange | None] = {
        "output": _chosen(path, "output", draws, facts.pixels),
        "input": None if latent else _chosen(path, "input", reads, facts.input_pixels),
    }
    draws_oddly = facts.pixels is None and draws is not None and not _is_usual(draws)
    likely = chosen["input"] or chosen["output"] or _likely(trial, is_gan=bool(latent or marks))
    if draws_oddly and draws is not None:
        within = (each for each in _USUAL if draws[0] <= each[0] and each[1] <= draws[1])
        likely = next(within, draws)
    missing = []
    if chosen["input"] is None and not latent:
        missing.append(_missing("input", likely))
    if chosen["output"] is None or draws_oddly:
        missing.append(_missing("output", likely, draws))
    if chosen["output"] is None or missing:
        raise MissingFactsError(path, missing)
    return PixelRanges(chosen["output"], chosen["input"])


def _is_usual(pixels: PixelRange) -> bool:
    """Whether black and white are where people put them: at 0 and above, or as far from 0."""
    low, high = pixels
    return math.isclose(low, 0, abs_tol=1e-3 * high) or math.isclose(low, -high, rel_tol=1e-3)


def _has_256_steps(low: float, high: float) -> bool:
    """Whether all levels of an 8-bit picture are numbers apart in float32, and so are their
    squares, by which students are trained."""
    step, most = (high - low) / 255, max(abs(low), abs(high))
    limits = np.finfo(np.float32)
    fits = step >= math.sqrt(limits.tiny) and most <= math.sqrt(limits.max)
    return bool(fits and step >= limits.eps * most)


def _likely(trial: np.ndarray, *, is_gan: bool) -> PixelRange:
    """Where black and white are in what a generator draws whose last layer limits nothing.

    GANs end with tanh, if they draw anything below 0, also where that is pasted into the hole of
    the picture that they read; what enlarges, restores or brightens ends with a convolution, and is
    trained on 0..1; what is trained on 0..255 draws numbers like that.
    """
    if np.percentile(np.abs(trial), 90) > _OF_BYTES:
        return BYTES
    is_unit = trial.min() >= UNIT[0] and trial.max() <= UNIT[1]
    return TRANSLATED if is_gan and not is_unit else UNIT


def _missing(side: Side, likely: PixelRange, ends: PixelRange | None = None) -> MissingFact:
    """What is proposed is the ``likely`` range; ``ends``: what the last layers can give, if odd."""
    option, verb, sign = _SIDES[side]
    reason = f"it does not {sign}"
    low, high = likely
    if ends is not None:
        reason = f"it ends with what gives {ends[0]:g} to {ends[1]:g}"
    return MissingFact(
        problem=f"which numbers are black and white in the pictures that it {verb} is not known: "
        f"{reason}",
        option=f"{option} {low:g} {high:g}",
        guess={"pixels" if side == "output" else "input_pixels": (low, high)},
    )


def _chosen(
    path: Path, side: Side, from_model: PixelRange | None, from_user: PixelRange | None
) -> PixelRange | None:
    """The range that the user names, or else the one that the model says.

    Raises PocketganError where the user's is none. ``path`` names the generator in errors.
    """
    if from_user is None:
        return from_model
    option = _SIDES[side][0]
    low, high = from_user
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise PocketganError(
            f"{option} {low:g} {high:g} is no range.", f"For instance {option} -1 1."
        )
    if not _has_256_steps(low, high):
        raise PocketganError(
            f"{option} {low:g} {high:g}: float32 cannot tell 256 steps between them apart.",
            f"For instance {option} -1 1.",
        )
    if side == "output" and from_model and high - low > 2 * (from_model[1] - from_model[0]):
        least, most = from_model
        raise PocketganError(
            f"{option} {low:g} {high:g}: {path} ends with what gives {least:g} to {most:g} "
            "only, so that it would draw next to nothing.",
            f"Leave {option} out, or give {option} {least:g} {most:g}.",
        )
    return float(low), float(high)
