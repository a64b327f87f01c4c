"""Opening a generator of any origin: looked at first, loaded then."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.artifacts import GENERATOR
from pipeline.importers import keras_file, rebuild, saved_model
from pipeline.importers.custom import load_custom
from pipeline.importers.formats import Kind, kind_of
from pipeline.importers.loaded import Live, Port, SourceLayer
from pipeline.plans import FROM_SCRATCH


def open_generator(path: Path, custom: Path | None, allow_unsafe: bool) -> Live:
    """The model at ``path``, loaded but not judged.

    Raises PocketganError for whatever is no model, is damaged, needs layers that nobody knows, or
    would run code when loaded (unless ``allow_unsafe``).
    """
    kind = kind_of(path)
    objects = load_custom(custom) if custom else {}
    if kind is Kind.SAVED_MODEL:
        return _saved_model(path, objects, allow_unsafe)
    if kind is Kind.RUN:
        file = keras_file.open_file(FROM_SCRATCH.folder(path, "train") / GENERATOR, Kind.KERAS)
        return _live(file.load(objects, allow_unsafe), f"the teacher of run {path.name}", path)
    file = keras_file.open_file(path, kind)
    words = f"{kind.value} {path.name}, written by Keras {file.version}"
    return _live(file.load(objects, allow_unsafe), words, path)


def _saved_model(path: Path, custom: Mapping[str, Any], allow_unsafe: bool) -> Live:
    if not allow_unsafe:
        saved_model.refuse_unsafe_operations(path)
    model = saved_model.keras_model(path, custom, allow_unsafe)
    if model is not None and rebuild.functional(model) is not None:
        return _live(model, f"SavedModel {path.name} of Keras 2", path)
    return saved_model.live_function(path)


def _live(model: Any, origin: str, path: Path) -> Live:
    weights = tuple((_path_of(weight), weight.numpy()) for weight in model.weights)
    graph = rebuild.functional(model)
    if graph is None:
        return Live(origin, _ports_of_code(model, path), _caller(model), weights, _rows(model))

    def compute(*tensors: Any) -> list[Any]:
        return rebuild.compute(graph, tensors)

    ports = tuple(_port(tensor, graph) for tensor in graph.inputs)
    return Live(origin, ports, compute, weights, _rows(model), graph, precision=_precision(model))


def _precision(model: Any) -> str:
    """Of a model that was trained in mixed precision, the half one."""
    used = {str(getattr(layer, "compute_dtype", "")) for layer in model.layers}
    return next((half for half in ("bfloat16", "float16") if half in used), "float32")


def _caller(model: Any) -> Any:
    def compute(*tensors: Any) -> list[Any]:
        given = tensors[0] if len(tensors) == 1 else list(tensors)
        return list(tf.nest.flatten(model(given, training=False)))

    return compute


def _port(tensor: Any, graph: Any) -> Port:
    """An input of a functional model."""
    name = tensor._keras_history[0].name
    rows = [layer.input_dim for layer in graph.layers if _looks_up(layer, tensor)]
    return Port(name, tuple(tensor.shape[1:]), str(_name(tensor.dtype)), next(iter(rows), None))


def _looks_up(layer: Any, tensor: Any) -> bool:
    return type(layer).__name__ == "Embedding" and layer.input is tensor


def _ports_of_code(model: Any, path: Path) -> tuple[Port, ...]:
    """The inputs of a subclassed model, from the shape that it was called with before saving."""
    of_keras_3 = getattr(model, "_build_shapes_dict", None) or {}
    found = next(iter(of_keras_3.values()), None) or getattr(model, "_build_input_shape", None)
    if not found:
        raise PocketganError(
            f"{path} is code without a stored input shape.",
            "Call it once on a batch of latents before it is saved, or save keras.Model(x, "
            "model(x)) for an x = keras.Input((LATENT,)).",
        )
    several = isinstance(found[0], tuple | list | tf.TensorShape)
    return tuple(
        Port(f"input_{number}", tuple(shape)[1:], "float32")
        for number, shape in enumerate(found if several else [found], start=1)
    )


def _rows(model: Any) -> tuple[SourceLayer, ...]:
    """The layers by name, where no graph tells in which order they are used."""
    return tuple(
        SourceLayer(
            layer.name,
            type(layer).__name__,
            _shape(layer),
            sum(int(weight.numpy().size) for weight in layer.weights),
        )
        for layer in model.layers
        if type(layer).__name__ != "InputLayer"
    )


def _shape(layer: Any) -> tuple[int | None, ...]:
    try:
        return tuple(tf.nest.flatten(layer.output)[0].shape)
    except (AttributeError, ValueError):
        return ()


def _path_of(weight: Any) -> str:
    return str(getattr(weight, "path", weight.name))


def _name(dtype: Any) -> Any:
    return getattr(dtype, "name", dtype)
