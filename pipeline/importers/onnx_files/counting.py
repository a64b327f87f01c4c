"""How many multiply-accumulates an ONNX model takes for one input."""

from collections.abc import Iterator, Mapping
from math import prod

import numpy as np
import onnx

from pipeline.importers.onnx_files.runtime import Port, open_session, port_of

_TRANSPOSED = "ConvTranspose"
# Operation → which of its inputs is the kernel.
_KERNELS = {_TRANSPOSED: 1, "Conv": 1, "FusedConv": 1, "ConvInteger": 1, "QLinearConv": 3}
_PRODUCTS = ("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul")
_UNCOUNTED = ("Einsum", "LSTM", "GRU", "RNN", "Attention", "DeformConv")
_OWN_DOMAINS = ("", "ai.onnx")

Shapes = Mapping[str, tuple[int, ...]]


def multiply_accumulates(content: bytes) -> int | None:
    """Of the convolutions and products of a model that onnxruntime runs, for one of its inputs.

    None where that is not to be known: of operations of somebody's own, of recurrent ones, and of
    graphs that decide while they run. It is run once, on zeros, as sizes may be free inside.
    """
    model = onnx.ModelProto.FromString(content)
    if any(_is_unknown(node) for node in model.graph.node):
        return None
    wanted = {name for node in model.graph.node for name in _counted_by(node)}
    shapes, batch = _shapes(model, wanted)
    return sum(_work(node, shapes) for node in model.graph.node) // batch


def _is_unknown(node: onnx.NodeProto) -> bool:
    decides = any(each.HasField("g") or each.graphs for each in node.attribute)
    return decides or node.domain not in _OWN_DOMAINS or node.op_type in _UNCOUNTED


def _counted_by(node: onnx.NodeProto) -> Iterator[str]:
    """The tensors whose sizes say how much an operation has to do."""
    if node.op_type in _KERNELS:
        yield node.input[_KERNELS[node.op_type]]
        yield node.input[0] if node.op_type == _TRANSPOSED else node.output[0]
    elif node.op_type in _PRODUCTS:
        yield from (node.input[0], node.output[0])


def _work(node: onnx.NodeProto, shapes: Shapes) -> int:
    sizes = [shapes[name] for name in _counted_by(node)]
    if not sizes:
        return 0
    if node.op_type in _PRODUCTS:
        factor, product = sizes
        is_turned = any(each.name == "transA" and each.i for each in node.attribute)
        return prod(product) * factor[-2 if is_turned else -1]
    kernel, pixels = sizes  # a kernel's first axis is that of the pixels' channels
    return prod(pixels) * prod(kernel[1:])


def _shapes(model: onnx.ModelProto, wanted: set[str]) -> tuple[Shapes, int]:
    """The sizes of tensors while the model draws, and how many pictures it draws at once."""
    shapes = {each.name: tuple(each.dims) for each in model.graph.initializer}
    inner = sorted(wanted - shapes.keys() - {port.name for port in model.graph.output})
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inner)
    session = open_session(model.SerializeToString())
    feed = {port.name: _zeros(port) for port in map(port_of, session.get_inputs())}
    names = [port.name for port in session.get_outputs()]
    values = zip(names, session.run(names, feed), strict=True)
    shapes |= {name: np.shape(value) for name, value in values}
    batch = next((len(each) for each in feed.values() if each.ndim), 1)
    return shapes, batch


def _zeros(port: Port) -> np.ndarray:
    return np.zeros([side or 1 for side in port.shape], port.dtype)
