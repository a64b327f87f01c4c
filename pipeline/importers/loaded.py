"""A generator as its own library runs it, and whether it draws pictures."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from deploy.errors import PocketganError, one_line
from pipeline.channel_order import COLOURS
from pipeline.importers import layer_mapping
from pipeline.importers.foreign import ForeignProgram
from pipeline.importers.input_adapter import InputAdapter
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.model_input import ModelInput, shape_text
from pipeline.importers.subclassed import inputs_of_code

TRIAL_INPUTS = 4
"""On which a model is compared with itself and with what it was made from."""
TOLERANCE = {"float32": 1e-4, "float16": 1e-2, "bfloat16": 5e-2}
"""Largest difference, as a share of the largest value, by the type that the source computes in:
sums in any order, of numbers of that precision."""
REBUILT = 1e-5
"""Largest difference of a generator rebuilt in float32, as a share of the range that it draws."""
_NUDGE = 2.0**-20
"""Share by which inputs are moved to see how much of a difference is rounding: eight steps."""
_GENERATOR = "Give the generator: latents (or pictures) go in, pictures [N, H, W, C] come out."
_FLAG_OFF = (
    "Save it without that flag: import tf_keras; old = tf_keras.models.load_model(FILE); "
    "new = tf_keras.models.model_from_json(old.to_json().replace('\"training\": true', "
    "'\"training\": false')); new.set_weights(old.get_weights()); new.save('generator.h5')"
)
_CHANNELS_LAST = "Build it with data_format 'channels_last'; TFLite has no other."


@dataclass(frozen=True, kw_only=True)
class LoadedGenerator:
    """What a file holds, loaded by the library that it was written with."""

    origin: str
    """Where it comes from, in words."""
    inputs: tuple[ModelInput, ...]
    compute: Callable[..., list[Any]]
    """Tensors in the order of the inputs → all outputs, at inference."""
    weights: tuple[tuple[str, np.ndarray], ...]
    """Name and values; names may repeat."""
    layers: tuple[SourceLayer, ...]
    functional: Any = None
    """The model of keras or tf_keras, where it is a graph of layers."""
    batch: int | None = None
    """The only batch size that ``compute`` takes; None where any will do."""
    precision: str = "float32"
    """The coarsest type in which a layer of it computes; weights are float32."""
    why_opaque: str = "it is no graph of layers but code"
    """Why there is no ``functional``."""
    program: ForeignProgram | None = None
    """What draws it where TensorFlow cannot."""
    as_in_training: tuple[str, ...] = ()
    """Layers that its author calls with ``training=True`` whatever happens."""


def from_keras_model(model: Any, origin: str, path: Path) -> LoadedGenerator:
    """A model of keras or tf_keras; ``path`` names it in errors.

    Raises PocketganError for a subclassed model that was saved without an input shape.
    """
    weights = tuple(
        (str(getattr(weight, "path", weight.name)), weight.numpy()) for weight in model.weights
    )
    graph = layer_mapping.functional(model)
    if graph is None:
        inputs, call = inputs_of_code(model, path)
    else:
        inputs, call = _inputs_of_graph(graph), partial(_call_graph, graph)
    return LoadedGenerator(
        origin=origin,
        inputs=inputs,
        compute=lambda *tensors: list(tf.nest.flatten(call(*tensors))),
        weights=weights,
        layers=_layers(model),
        functional=graph,
        precision="float32" if graph is None else _precision(model),
        as_in_training=() if graph is None else tuple(layer_mapping.trained_at_inference(graph)),
    )


def _call_graph(graph: Any, *tensors: Any) -> Any:
    """As its own ``predict`` calls it."""
    names = getattr(graph, "_nested_inputs", getattr(graph, "_inputs_struct", None))
    if isinstance(names, Mapping):
        by_id = {id(port): tensor for port, tensor in zip(graph.inputs, tensors, strict=True)}
        return graph({name: by_id[id(port)] for name, port in names.items()}, training=False)
    return graph(tensors[0] if len(tensors) == 1 else list(tensors), training=False)


def _precision(model: Any) -> str:
    """Of a model that was trained in mixed precision, the half one."""
    used = {str(getattr(layer, "compute_dtype", "")) for layer in model.layers}
    return next((half for half in ("bfloat16", "float16") if half in used), "float32")


def _inputs_of_graph(graph: Any) -> tuple[ModelInput, ...]:
    embeddings = [layer for layer in graph.layers if type(layer).__name__ == "Embedding"]
    rows = {id(layer.input): layer.input_dim for layer in embeddings}
    return tuple(
        ModelInput(
            tensor._keras_history[0].name,
            tuple(tensor.shape[1:]),
            str(getattr(tensor.dtype, "name", tensor.dtype)),
            rows.get(id(tensor)),
        )
        for tensor in graph.inputs
    )


def _layers(model: Any) -> tuple[SourceLayer, ...]:
    """The layers by name, where no graph tells in which order they are used."""
    return tuple(
        SourceLayer(
            name=layer.name,
            type=type(layer).__name__,
            shape=_output_shape(layer),
            weights=sum(int(weight.numpy().size) for weight in layer.weights),
        )
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    )


def _output_shape(layer: Any) -> tuple[int | None, ...]:
    try:
        return tuple(tf.nest.flatten(layer.output)[0].shape)
    except (AttributeError, ValueError):
        return ()


def refuse_broken(path: Path, loaded: LoadedGenerator) -> None:
    """PocketganError where weights are NaN or infinite; ``path`` names the generator."""
    broken = [
        name
        for name, values in loaded.weights
        if values.dtype.kind in "fc" and not np.isfinite(values).all()
    ]
    if broken:
        more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise PocketganError(
            f"{path}: weights of '{broken[0]}'{more} are not finite (NaN or infinity).",
            "Its training broke down: give an earlier checkpoint.",
        )


def try_out(path: Path, loaded: LoadedGenerator, adapter: InputAdapter) -> None:
    """Let it draw twice; PocketganError if it fails, differs, or gives no pictures."""
    inputs = adapter.source_inputs(adapter.random_inputs(loaded.batch or TRIAL_INPUTS))
    try:
        first, second = ([np.asarray(v) for v in loaded.compute(*inputs)] for _ in range(2))
    except Exception as error:  # whatever a foreign model raises
        raise PocketganError(
            f"{path} does not draw: {type(error).__name__}: {one_line(error, 300)}",
            "Call it once on a batch, as it is saved, and mend what fails there.",
        ) from error
    _refuse_other_than_pictures(path, first, reads_pictures=not adapter.latent)
    if not np.isfinite(first[0].astype(np.float32)).all():
        raise PocketganError(
            f"{path} draws numbers that are not finite.", "Give an earlier checkpoint."
        )
    named = ", ".join(f"'{name}'" for name in loaded.as_in_training)
    named = f" (layer {named} is called with training=True)" if named else ""
    if not alike(first[0], second[0]):
        raise PocketganError(
            f"{path} draws another picture from the same input each time: a layer of it is random "
            f"at inference too, such as noise injection{named}.",
            _FLAG_OFF if named else "Give the noise a fixed value, or make it part of the latents.",
        )
    if loaded.batch is None and not _draws_each_alone(loaded, inputs, first[0]):
        raise PocketganError(
            f"{path} draws a picture otherwise when other inputs are in its batch{named}: a batch "
            "norm, perhaps, that takes the statistics of the batch.",
            _FLAG_OFF if named else "Save it with training=False, as it is meant to draw.",
        )


def _draws_each_alone(loaded: LoadedGenerator, inputs: list[Any], pictures: np.ndarray) -> bool:
    """Whether the first of several pictures is the same if it is drawn alone."""
    alone = np.asarray(loaded.compute(*(tensor[:1] for tensor in inputs))[0])
    return alike(pictures[:1], alone, loaded.precision)


def alike(one: np.ndarray, other: np.ndarray, precision: str = "float32") -> bool:
    """Whether two arrays have one shape and agree within ``TOLERANCE``."""
    one, other = one.astype(np.float32), other.astype(np.float32)
    limit = TOLERANCE[precision] * max(1.0, float(np.max(np.abs(one), initial=0)))
    return one.shape == other.shape and bool(np.max(np.abs(one - other), initial=0) <= limit)


def difference(
    loaded: LoadedGenerator, inputs: Sequence[Any], pictures: np.ndarray
) -> float | None:
    """How far ``pictures`` are from what the generator itself draws; None where that is rounding.

    Rounding is what is within ``REBUILT`` of the range (of half floats, ``TOLERANCE``), and within
    ``TOLERANCE`` what is no more than the generator's own pictures change when its inputs do by a
    few of their last bits.
    """
    wanted = np.asarray(loaded.compute(*inputs)[0]).astype(np.float32)
    if wanted.shape != pictures.shape:
        return math.inf
    apart = float(np.max(np.abs(wanted - pictures), initial=0))
    limit, spread = TOLERANCE[loaded.precision], max(1.0, float(np.ptp(wanted)))
    if loaded.precision == "float32" and apart > REBUILT * spread:
        moved = [each * (1 + _NUDGE) if each.dtype.is_floating else each for each in inputs]
        nudged = np.asarray(loaded.compute(*moved)[0]).astype(np.float32)
        if apart > float(np.max(np.abs(nudged - wanted))):
            return apart
    return apart if apart > limit * spread else None


def _refuse_other_than_pictures(
    path: Path, outputs: Sequence[np.ndarray], *, reads_pictures: bool
) -> None:
    """PocketganError unless there is one output, and it is pictures."""
    shapes = [values.shape[1:] for values in outputs]
    if len(shapes) != 1:
        raise PocketganError(
            f"{path} has {len(shapes)} outputs ({', '.join(map(shape_text, shapes))}).",
            "Build a model that gives the picture only: keras.Model(model.inputs, picture).",
        )
    (shape,), dtype = shapes, outputs[0].dtype.name
    gives, is_vector = f"gives {shape_text(shape)}", len(shape) == 1
    first, length = (shape[0], shape[-1]) if shape else (0, 0)
    for is_wrong, problem, remedy in (
        (shape == (1,), "gives one number for each input: this is a discriminator.", _GENERATOR),
        (
            is_vector and reads_pictures,
            f"reads pictures and {gives}: this is a classifier or an encoder.",
            _GENERATOR,
        ),
        (
            is_vector,
            f"{gives}: vectors, no pictures.",
            f"If they are pictures laid flat, end the model with {_reshape(length)}.",
        ),
        (
            len(shape) == 2,
            f"{gives}: a sequence, or pictures without channels.",
            "End a generator of grey pictures with Reshape((H, W, 1)); sequences are not drawn.",
        ),
        (len(shape) != 3, f"{gives}, which is no picture.", _GENERATOR),
        (
            length not in COLOURS,
            f"{gives}: pictures have 1, 3 or 4 channels, at the end.",
            _CHANNELS_LAST if first in COLOURS else _GENERATOR,
        ),
        (
            not dtype.startswith(("float", "bfloat")),
            f"gives numbers of type {dtype}, through which nothing can be learnt.",
            "Leave the rounding to 8 bits out of the model.",
        ),
    ):
        if is_wrong:
            raise PocketganError(f"{path} {problem}", remedy)


def _reshape(length: int) -> str:
    """For instance Reshape((28, 28, 1)), where the length is that of a square picture."""
    for channels in COLOURS:
        side = math.isqrt(length // channels)
        if side > 1 and side * side * channels == length:
            return f"Reshape(({side}, {side}, {channels}))"
    return "Reshape((H, W, C))"
