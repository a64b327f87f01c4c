"""An ONNX file as a generator: drawn by onnxruntime, rebuilt of layers where each has one."""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tf_keras
from onnx import numpy_helper
from onnxruntime.tools.onnx_model_utils import fix_output_shapes

from deploy.errors import PocketganError, one_line, printable
from pipeline.importers.foreign import ForeignProgram
from pipeline.importers.input_signs import free_numbers
from pipeline.importers.layer_mapping import SourceLayer, UnmappedLayerError
from pipeline.importers.loaded import LoadedGenerator
from pipeline.importers.missing import MissingFactsError, StatedFacts
from pipeline.importers.missing_inputs import size_fact
from pipeline.importers.model_input import ModelInput, shape_text
from pipeline.importers.onnx_files.builder import Builder, Value
from pipeline.importers.onnx_files.folding import folded, initializers
from pipeline.importers.onnx_files.graph import Graph, Node, layer_name
from pipeline.importers.onnx_files.kernels import KERNELS
from pipeline.importers.onnx_files.layout import MAP_RANK, Layout, map_order
from pipeline.importers.onnx_files.maps import MAPS
from pipeline.importers.onnx_files.moves import MOVES
from pipeline.importers.onnx_files.noise import fix_noise
from pipeline.importers.onnx_files.pointwise import POINTWISE
from pipeline.importers.onnx_files.reading import read_model
from pipeline.importers.onnx_files.runtime import OnnxRuntime, Port
from pipeline.importers.onnx_files.signature import (
    FileShape,
    Orders,
    channel_orders,
    channels_first,
    with_channels_last,
)

_OPERATIONS = {**KERNELS, **POINTWISE, **MAPS}
_RUNTIME = "onnxruntime"
_OTHER_OPSET = "Export it again for another opset, for instance 17."


def load_onnx(path: Path, facts: StatedFacts | None = None) -> LoadedGenerator:
    """The generator in an ONNX file; PocketganError where it cannot be read or run.

    ``facts`` say the size of pictures where the file leaves it free, and which inputs are numbers:
    those become constants of it.
    """
    facts = facts or StatedFacts()
    model = read_model(path)
    orders = channel_orders(model)
    if facts.input_size is not None:
        _fix_size(model, facts.input_size, orders)
    if facts.output in [port.name for port in model.graph.output]:
        _keep_output(model, facts.output)
    numbers = _fix_numbers(path, model, facts, orders)
    notes = fix_noise(model)
    content = model.SerializeToString(deterministic=True)
    try:
        runtime = OnnxRuntime(content)
    except Exception as error:  # onnxruntime raises several kinds, none of them public
        reason = one_line(error, 300)
        raise PocketganError(
            f"{path} cannot be run by onnxruntime: {reason}", _OTHER_OPSET
        ) from error
    inputs = tuple(_input(port, runtime, model) for port in runtime.inputs)
    _refuse_free(path, runtime, inputs)
    weights = tuple(initializers(model).items())
    generator = LoadedGenerator(
        origin=_origin(path, model),
        inputs=inputs,
        compute=lambda *tensors: list(runtime(*map(np.asarray, tensors))),
        weights=weights,
        layers=_layers(model, {name: values.size for name, values in weights}),
        precision=_precision(weights),
        program=ForeignProgram(
            runtime=_RUNTIME,
            content=content,
            last_operations=tuple(_last_operation(model, each.name) for each in runtime.outputs),
        ),
        outputs=tuple(port.name for port in runtime.outputs),
        as_in_training=_as_in_training(model),
        fixed=numbers,
        notes=notes,
    )
    try:
        return replace(generator, functional=_of_layers(folded(model), generator.inputs, orders))
    except UnmappedLayerError as error:
        return replace(generator, why_opaque=str(error))
    except Exception as error:  # whatever a foreign graph makes the libraries raise
        reason = f"it cannot be rebuilt of tf_keras layers ({one_line(error, 200)})"
        return replace(generator, why_opaque=reason)


def _precision(weights: Iterable[tuple[str, np.ndarray]]) -> str:
    return "float16" if any(values.dtype == np.float16 for _, values in weights) else "float32"


def _as_in_training(model: onnx.ModelProto) -> tuple[str, ...]:
    """The batch norms that take the statistics of the batch: exported as the model was trained."""
    return tuple(
        node.name or node.output[0]
        for node in model.graph.node
        if node.op_type == "BatchNormalization"
        and any(each.name == "training_mode" and each.i for each in node.attribute)
    )


def _of_layers(graph: Graph, inputs: Sequence[ModelInput], orders: Orders) -> tf_keras.Model:
    """The graph as layers of tf_keras, with the weights of the file.

    Raises UnmappedLayerError for the first operation that has no layer.
    """
    builder = Builder(graph, MOVES, frozenset(POINTWISE))
    ports = []
    for each, shape in zip(inputs, graph.inputs.values(), strict=True):
        name = builder.unused(layer_name(each.name))
        port = tf_keras.Input(each.shape, dtype=each.dtype, name=name)
        layout = Layout.plain(shape, channels_last=channels_first(shape, orders.get(each.name)))
        builder.values[each.name] = Value(tensor=port, layout=layout)
        ports.append(port)
    for node in graph.nodes:
        if node.outputs[0] not in builder.values:  # else a bias, taken in already
            _add(builder, node)
    outputs = [_output(builder, name, orders.get(name)) for name in graph.outputs]
    model = tf_keras.Model(ports, outputs, name="generator")
    builder.set_weights()
    return model


def _add(builder: Builder, node: Node) -> None:
    """Compute what an operation gives; UnmappedLayerError, which names it, where no layer does."""
    described = f"operation '{node.name}' ({node.op})"
    if node.op not in MOVES and node.op not in _OPERATIONS:
        raise UnmappedLayerError(f"{described} has no layer here")
    try:
        value = builder.move(node) if node.op in MOVES else _OPERATIONS[node.op](builder, node)
    except UnmappedLayerError:
        raise
    except Exception as error:  # whatever a foreign graph makes the libraries raise
        raise UnmappedLayerError(
            f"{described} has no layer here: {one_line(error, 200)}"
        ) from error
    builder.values.setdefault(node.outputs[0], value)


def _output(builder: Builder, name: str, stated: bool | None) -> Any:
    """An output as tf_keras has it, channels last."""
    value = builder.value(name)
    axes = value.layout.axes
    wanted = map_order(axes) if channels_first(value.layout.shape, stated) else axes
    return builder.settle(value, wanted, "the picture").tensor


def _fix_size(model: onnx.ModelProto, size: tuple[int, int], orders: Orders) -> None:
    """Set the sides that maps which go in leave free, in place."""
    of_weights = {each.name for each in model.graph.initializer}
    for port in model.graph.input:
        sides = port.type.tensor_type.shape.dim
        shape = [side.dim_value or None for side in sides]
        if port.name in of_weights or len(shape) != MAP_RANK:
            continue
        is_first = channels_first(shape, orders.get(port.name))
        wanted = (None, None, *size) if is_first else (None, *size, None)
        for side, fixed in zip(sides, wanted, strict=True):
            if fixed is not None and not side.dim_value:
                side.dim_value = fixed
    fix_output_shapes(model)


def _fix_numbers(
    path: Path, model: onnx.ModelProto, facts: StatedFacts, orders: Orders
) -> dict[str, tuple[float, ...]]:
    """Make inputs constants that are numbers, the same for all pictures, in place; their values."""
    weights = {each.name for each in model.graph.initializer}
    ports = {port.name: port for port in model.graph.input if port.name not in weights}
    inputs = [_declared(port, ports.values(), orders) for port in ports.values()]
    numbers = free_numbers(path, inputs, facts)
    for name, values in numbers.items():
        tensor = ports[name].type.tensor_type
        shape = [side.dim_value or 1 for side in tensor.shape.dim]
        filled = np.empty(shape, _dtype(ports[name]))
        filled[...] = np.reshape(values, shape if len(values) > 1 else [])
        constant = numpy_helper.from_array(filled, name)
        model.graph.initializer.append(constant)
        model.graph.input.remove(ports[name])
    return numbers


def _keep_output(model: onnx.ModelProto, name: str | None) -> None:
    """Leave out, in place, all that only other outputs need."""
    needed = {name}
    nodes = []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(_read_by(node))
    others = [port for port in model.graph.output if port.name != name]
    for port in others:
        model.graph.output.remove(port)
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))


def _read_by(node: onnx.NodeProto) -> Iterator[str]:
    """The values that an operation reads, those that its own graphs do too."""
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (port.name for port in graph.output)
            for inner in graph.node:
                yield from _read_by(inner)


def _declared(
    port: onnx.ValueInfoProto, ports: Iterable[onnx.ValueInfoProto], orders: Orders
) -> ModelInput:
    """An input as the file declares it, before anything runs."""
    shape = with_channels_last(_shape(port), orders.get(port.name))
    among = map(_shape, ports)
    return ModelInput.declared(port.name, shape, among=among, dtype=_dtype(port).name)


def _dtype(port: onnx.ValueInfoProto) -> np.dtype:
    """Of numbers; what is none the runtime refuses."""
    try:
        return onnx.helper.tensor_dtype_to_np_dtype(port.type.tensor_type.elem_type)
    except KeyError:
        return np.dtype(np.float32)


def _shape(port: onnx.ValueInfoProto) -> FileShape:
    return tuple(side.dim_value or None for side in port.type.tensor_type.shape.dim)


def _refuse_free(path: Path, runtime: OnnxRuntime, inputs: Sequence[ModelInput]) -> None:
    """PocketganError for sizes that the file leaves free, but the batch."""
    for port, each in zip(runtime.inputs, inputs, strict=True):
        if None not in port.shape[1:]:
            continue
        if len(port.shape) == MAP_RANK and each.shape[-1] is not None:
            raise MissingFactsError(path, [size_fact(each)])
        guesses = (1, *(256 for _ in port.shape[1:]))
        sizes = (own or likely for own, likely in zip(port.shape, guesses, strict=True))
        named = ("--input_name", printable(port.name), "--input_shape", ",".join(map(str, sizes)))
        raise PocketganError(
            f"{path}: the size of its input '{printable(port.name)}' is free: "
            f"{shape_text(with_channels_last(port.shape, port.channels_first)[1:])}.",
            "Fix it, for instance: python -m onnxruntime.tools.make_dynamic_shape_fixed "
            f"{shlex.join((*named, str(path), 'fixed.onnx'))}",
        )


def _origin(path: Path, model: onnx.ModelProto) -> str:
    opsets = {each.domain or "ai.onnx": each.version for each in model.opset_import}
    writer = f"{model.producer_name} {model.producer_version}".strip()
    return f"ONNX file {path.name}, opset {opsets.get('ai.onnx', '?')}" + (
        f", written by {writer}" if writer else ""
    )


def _input(port: Port, runtime: OnnxRuntime, model: onnx.ModelProto) -> ModelInput:
    """An input as we see it: a float is a float32, and a number that looks rows up a class."""
    rows = _rows(model, port.name)
    dtype = "float32" if port.dtype.kind == "f" else port.dtype.name
    shape = with_channels_last(port.shape, port.channels_first)
    among = [other.shape for other in runtime.inputs]
    return ModelInput.declared(port.name, shape, among=among, dtype=dtype, embedding_rows=rows)


def _rows(model: onnx.ModelProto, name: str) -> int | None:
    """Of the constant in which an input looks rows up, as it is or in another form; else None."""
    sizes = {each.name: each.dims[0] for each in model.graph.initializer if each.dims}
    names = [name]
    for node in model.graph.node:  # what is read stands before what reads it
        if node.op_type == "Gather" and node.input[1] in names:
            return sizes.get(node.input[0])
        if _moves_only(node) and node.input[0] in names:
            names += node.output
    return None


def _moves_only(node: onnx.NodeProto) -> bool:
    return node.op_type in MOVES or node.op_type in ("Identity", "Cast")


def _layers(model: onnx.ModelProto, sizes: Mapping[str, int]) -> tuple[SourceLayer, ...]:
    """The operations of the file, each with the weights that it reads."""
    return tuple(
        SourceLayer(
            name=node.name or f"{node.op_type}_{number}",
            type=node.op_type,
            shape=(),
            weights=sum(sizes.get(name, 0) for name in node.input),
        )
        for number, node in enumerate(model.graph.node)
        if node.op_type != "Constant"
    )


def _last_operation(model: onnx.ModelProto, output: str) -> str:
    """What computes an output, before those operations that only move numbers."""
    writers = {name: node for node in model.graph.node for name in node.output}
    node = writers.get(output)
    while node is not None and _moves_only(node):
        node = writers.get(node.input[0])
    return node.op_type if node is not None else ""
