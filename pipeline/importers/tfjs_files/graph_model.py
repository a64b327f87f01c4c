"""Graph models of TensorFlow.js: a graph of TensorFlow as JSON, whose constants lie in files."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from deploy.errors import PocketganError, printable
from pipeline.importers import safety
from pipeline.importers.keras_files import COPY_AGAIN, UNSAFE, reason
from pipeline.importers.layer_mapping import SourceLayer
from pipeline.importers.loaded import LoadedGenerator
from pipeline.importers.model_input import ModelInput
from pipeline.importers.opaque import FrozenGraph, graph_function
from pipeline.importers.tfjs_files.model_json import ModelJson
from pipeline.importers.tfjs_files.unfused import unfuse

_NO_RESOURCES = "Convert it with all its variables frozen, without tables of words."


def load_graph_model(
    model: ModelJson, weights: Mapping[str, np.ndarray], *, allow_unsafe: bool
) -> LoadedGenerator:
    """What a graph model computes, run by TensorFlow.

    Raises PocketganError for damage, and for operations that touch files (without
    ``allow_unsafe``).
    """
    path = model.path
    graph, inputs, outputs = _graph(model, weights, allow_unsafe=allow_unsafe)
    tensors = tuple(outputs)
    frozen = FrozenGraph(graph.SerializeToString(deterministic=True), tuple(inputs), tensors)
    try:
        function = graph_function(frozen)
    except (ValueError, TypeError, KeyError, tf.errors.OpError) as error:
        raise PocketganError(f"{path} cannot be loaded: {reason(error)}", _NO_RESOURCES) from error
    _refuse_unranked(path, inputs.values(), function.inputs)
    shapes = [tuple(tensor.shape) for tensor in function.inputs]
    ports = tuple(
        ModelInput.declared(name, tuple(tensor.shape), among=shapes, dtype=tensor.dtype.name)
        for name, tensor in zip(inputs.values(), function.inputs, strict=True)
    )
    batches = {shape[0] for port, shape in zip(ports, shapes, strict=True) if port.has_batch}
    return LoadedGenerator(
        origin=f"TensorFlow.js graph model {model.title}",
        inputs=ports,
        compute=lambda *tensors: list(function(*tensors)),
        weights=tuple(weights.items()),
        layers=(
            SourceLayer(
                name="the whole graph",
                type="graph model",
                shape=tuple(function.outputs[0].shape) if function.outputs[0].shape.rank else (),
                weights=sum(values.size for values in weights.values()),
            ),
        ),
        batch=next(iter(batches)) if len(batches) == 1 else None,
        outputs=tuple(outputs.values()),
    )


def _graph(
    model: ModelJson, weights: Mapping[str, np.ndarray], *, allow_unsafe: bool
) -> tuple[Any, dict[str, str], dict[str, str]]:
    """The graph with its constants, and tensor → name of its inputs and of its outputs."""
    path = model.path
    try:
        graph = json_format.ParseDict(
            model.topology, tf.compat.v1.GraphDef(), ignore_unknown_fields=True
        )
        _fill(graph, weights)
        unfuse(graph)
        inputs, outputs = _ends(model, graph)
    except (json_format.ParseError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PocketganError(f"{path} is damaged: {reason(error)}", COPY_AGAIN) from error
    unsafe = safety.unsafe_operations(node.op for node in _nodes(graph))
    if unsafe and not allow_unsafe:
        raise PocketganError(
            f"{path} would run code or touch files when it draws: {', '.join(unsafe)}.", UNSAFE
        )
    return graph, inputs, outputs


def _nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph, those of its functions too."""
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _fill(graph: Any, weights: Mapping[str, np.ndarray]) -> None:
    """Put the constants' numbers into their nodes."""
    for node in _nodes(graph):
        if node.op == "Const":
            if node.name not in weights:
                raise ValueError(f"'{printable(node.name)}' has no weights")
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(weights[node.name]))
            node.attr["dtype"].type = node.attr["value"].tensor.dtype


def _ends(model: ModelJson, graph: Any) -> tuple[dict[str, str], dict[str, str]]:
    """Tensor → name of each input, and of each output.

    Old files do not say them: they are the placeholders, and what no other node reads.
    """
    if model.signature:
        said = model.signature
        inputs = {_tensor(each.get("name", name)): name for name, each in said["inputs"].items()}
        outputs = {_tensor(each.get("name", name)): name for name, each in said["outputs"].items()}
    else:
        read = {name.split(":")[0].lstrip("^") for node in graph.node for name in node.input}
        inputs = {_tensor(node.name): node.name for node in graph.node if node.op == "Placeholder"}
        outputs = {
            _tensor(node.name): node.name
            for node in graph.node
            if node.name not in read and node.op not in ("Placeholder", "NoOp")
        }
    if not inputs or not outputs:
        raise ValueError("the graph has no inputs or no outputs")
    return inputs, outputs


def _tensor(name: str) -> str:
    return name if ":" in name else f"{name}:0"


def _refuse_unranked(path: Any, names: Iterable[str], tensors: Sequence[Any]) -> None:
    """PocketganError for an input that is no array, or whose dimensions nobody knows."""
    without = all(tensor.shape.rank == 0 for tensor in tensors)
    for name, tensor in zip(names, tensors, strict=True):
        if tensor.dtype == tf.resource or tensor.shape.rank is None or without:
            raise PocketganError(
                f"{path}: the input '{printable(name)}' is no array of a known rank.",
                _NO_RESOURCES,
            )
