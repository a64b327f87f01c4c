"""What an ONNX model reads and gives, as we see it: channels last."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from pipeline import channel_order
from pipeline.channel_order import TO_FIRST, TO_LAST
from pipeline.importers.onnx_files.pointwise import POINTWISE

FileShape = tuple[int | None, ...]
"""None where a size is free."""
Orders = Mapping[str, bool]
"""Name of an input or output → whether its channels are first, where an operation says so."""
_READ_MAPS = frozenset(
    (
        *("Conv", "ConvTranspose", "ConvInteger", "QLinearConv", "DepthToSpace", "SpaceToDepth"),
        *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
        *("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"),
    )
)
"""Their first input, and what they give, have channels first, by the standard."""
_MOVE_NO_AXES = (
    *("Identity", "Dropout", "Concat", "Pad", "Slice", "Split", "Resize", "Upsample", "Where"),
    *("QuantizeLinear", "DequantizeLinear"),
)
_KEEP_AXES = frozenset((*_MOVE_NO_AXES, *POINTWISE)) - _READ_MAPS


def channel_orders(model: onnx.ModelProto) -> Orders:
    """What the operations that read its inputs, and those that give its outputs, say of them.

    What only moves or changes numbers where they lie is looked through; behind a transposition to
    channels first they were last, and the other way round.
    """
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    writers = {name: [node] for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node)
    ways: tuple[tuple[Sequence[onnx.ValueInfoProto], _Neighbours, _Next, Sequence[int]], ...] = (
        (model.graph.input, readers, lambda node: node.output, TO_LAST),
        (model.graph.output, writers, lambda node: node.input, TO_FIRST),
    )
    orders = {}
    for ports, neighbours, following, first in ways:
        for port in ports:
            said = (_says(node, first) for node in _walk(port.name, neighbours, following))
            order = next((each for each in said if each is not None), None)
            if order is not None:
                orders[port.name] = order
    return orders


_Neighbours = Mapping[str, Sequence[onnx.NodeProto]]
_Next = Callable[[onnx.NodeProto], Sequence[str]]


def _walk(name: str, neighbours: _Neighbours, following: _Next) -> Iterator[onnx.NodeProto]:
    """The operations next to a value, and behind those that keep its axes, the nearest first."""
    names = [name]
    for each in names:
        for node in neighbours.get(each, ()):
            if node.op_type not in _KEEP_AXES:
                yield node
            else:
                names += [other for other in following(node) if other not in names]


def _says(node: onnx.NodeProto, transposed_if_first: Sequence[int]) -> bool | None:
    """Whether a value next to an operation has channels first; None where it does not say."""
    if node.op_type == "Transpose":
        order = next((tuple(each.ints) for each in node.attribute if each.name == "perm"), ())
        is_known = order in (TO_FIRST, TO_LAST)
        return order == tuple(transposed_if_first) if is_known else None
    return True if node.op_type in _READ_MAPS else None


def channels_first(shape: Sequence[int | None], stated: bool | None = None) -> bool:
    """Whether a tensor of that shape, the batch included, holds maps with their channels first.

    Operations of ONNX do; but TensorFlow's models keep their channels last at both ends.
    ``stated`` is what an operation says; without, the shape decides.
    """
    if stated is not None and len(shape) == len(TO_LAST):
        return stated
    return channel_order.channels_first(shape, unless_clear=True)


def with_channels_last(shape: FileShape, stated: bool | None = None) -> FileShape:
    """The same shape as tf_keras has it."""
    return tuple(shape[axis] for axis in TO_LAST) if channels_first(shape, stated) else shape


def to_onnx(array: np.ndarray, shape: FileShape, stated: bool | None = None) -> np.ndarray:
    """An array with its channels last, as the tensor of that shape in the file wants it."""
    return array.transpose(TO_FIRST) if channels_first(shape, stated) else array


def from_onnx(array: np.ndarray, stated: bool | None = None) -> np.ndarray:
    """What the file gives, with its channels last."""
    return array.transpose(TO_LAST) if channels_first(array.shape, stated) else array
