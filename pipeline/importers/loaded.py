"""A generator as its own library runs it."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from deploy.errors import PocketganError, printable
from pipeline.importers import layer_mapping
from pipeline.importers.foreign import ForeignProgram
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.model_input import ModelInput
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
    outputs: tuple[str, ...] = ()
    """Names of what ``compute`` gives; empty where they have none."""
    output: int = 0
    """Which of them is the picture."""
    fixed: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Further inputs, with the numbers that they were given while it was loaded."""
    notes: tuple[str, ...] = ()
    """What else was changed while it was loaded, in words."""

    def picture(self, *tensors: Any) -> Any:
        """Of what ``compute`` gives, the picture."""
        return self.compute(*tensors)[self.output]

    def named_outputs(self, count: int) -> tuple[str, ...]:
        """The names of ``count`` outputs, numbered where the file gives none."""
        numbered = tuple(f"output_{number}" for number in range(1, count + 1))
        return self.outputs if len(self.outputs) == count else numbered


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
        outputs=() if graph is None else tuple(map(str, graph.output_names)),
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
            name=tensor._keras_history[0].name,
            shape=tuple(tensor.shape[1:]),
            dtype=str(getattr(tensor.dtype, "name", tensor.dtype)),
            embedding_rows=rows.get(id(tensor)),
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


def with_output(path: Path, loaded: LoadedGenerator, name: str | None) -> LoadedGenerator:
    """The generator that draws the output of that name; PocketganError where it has none."""
    if name is None:
        return loaded
    names = loaded.outputs
    numbered = re.fullmatch(r"output_([1-9]\d?)", name)
    if name in names:
        output = names.index(name)
    elif numbered and not names:
        output = int(numbered[1]) - 1  # code that was not called yet: trying it out counts them
    else:
        raise PocketganError(
            f"{path} has no output '{printable(name)}'.",
            f"Its outputs are {', '.join(map(printable, names)) or 'output_1 and so on'}.",
        )
    program = loaded.program and replace(loaded.program, output=output)
    return replace(loaded, output=output, program=program)


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
    wanted = np.asarray(loaded.picture(*inputs)).astype(np.float32)
    if wanted.shape != pictures.shape:
        return math.inf
    apart = float(np.max(np.abs(wanted - pictures), initial=0))
    if not math.isfinite(apart):
        return math.inf
    limit, spread = TOLERANCE[loaded.precision], max(1.0, float(np.ptp(wanted)))
    if loaded.precision == "float32" and apart > REBUILT * spread:
        moved = [each * (1 + _NUDGE) if each.dtype.is_floating else each for each in inputs]
        nudged = np.asarray(loaded.picture(*moved)).astype(np.float32)
        if apart > float(np.max(np.abs(nudged - wanted))):
            return apart
    return apart if apart > limit * spread else None
