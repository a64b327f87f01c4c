"""Operations that make other maps: padding, cutting, joining, pooling, looking up."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.builder import Builder, Value, new_axis
from pipeline.importers.onnx_files.graph import Node
from pipeline.importers.onnx_files.layout import MAP_RANK, Layout
from pipeline.importers.onnx_files.resizing import resize
from pipeline.importers.onnx_files.windows import Window, padded
from pipeline.networks.layers import Part, ReflectionPadding2D

L = tf_keras.layers
_ROWS = 2
"""The first axis of a map in ONNX; its columns are the next."""


def _pad(builder: Builder, node: Node) -> Value:
    value = builder.map(node.inputs[0], node)
    pads = [int(each) for each in builder.graph.demanded(node, "pads", 1)]
    axes = builder.graph.setting(node, "axes", 3)
    axes = range(MAP_RANK) if axes is None else [int(axis) % MAP_RANK for axis in axes]
    before = dict(zip(axes, pads[: len(pads) // 2], strict=True))
    behind = dict(zip(axes, pads[len(pads) // 2 :], strict=True))
    sides = [(before.get(axis, 0), behind.get(axis, 0)) for axis in range(MAP_RANK)]
    mode = node.attributes.get("mode", b"constant")
    black = builder.graph.setting(node, "constant_value", 2, node.attributes.get("value", 0.0))
    layer = {b"constant": L.ZeroPadding2D, b"reflect": ReflectionPadding2D}.get(mode)
    is_zero = mode != b"constant" or (black is not None and not np.any(black))
    if layer is None or not is_zero or any(map(any, sides[:_ROWS])) or min(pads) < 0:
        raise UnmappedLayerError(f"the padding of operation '{node.name}' (Pad) has no layer")
    tensor = builder.apply(layer, value.tensor, node.name, padding=tuple(sides[_ROWS:]))
    return _other_sides(value, tensor)


def _slice(builder: Builder, node: Node) -> Value:
    starts, ends = (builder.graph.demanded(node, key, i) for i, key in ((1, "starts"), (2, "ends")))
    axes = builder.graph.setting(node, "axes", 3)
    axes = range(len(starts)) if axes is None else axes
    steps = builder.graph.setting(node, "steps", 4)
    if steps is not None and any(step != 1 for step in steps):
        raise UnmappedLayerError(f"operation '{node.name}' (Slice) leaves numbers out")
    value = builder.plain(node.inputs[0], node)
    for axis, start, end in zip(axes, starts, ends, strict=True):
        place = int(axis) % len(value.layout.axes)
        value = _cut(builder, node, value=value, axis=place, part=slice(int(start), int(end)))
    return value


def _split(builder: Builder, node: Node) -> Value:
    value = builder.plain(node.inputs[0], node)
    axis = node.attributes.get("axis", 0) % len(value.layout.axes)
    length, count = value.layout.shape[axis], len(node.outputs)
    sizes = builder.graph.setting(node, "split", 1)
    sizes = [-(-length // count)] * count if sizes is None else [int(each) for each in sizes]
    starts = np.cumsum([0, *sizes])
    for name, start, end in zip(node.outputs, starts[:-1], starts[1:], strict=True):
        part = slice(int(start), min(int(end), length))
        builder.values[name] = _cut(builder, node, value=value, axis=axis, part=part)
    return builder.values[node.outputs[0]]


def _cut(builder: Builder, node: Node, *, value: Value, axis: int, part: slice) -> Value:
    """A part of one axis of a value that is stored plainly."""
    shape = list(value.layout.shape)
    start, stop, _ = part.indices(shape[axis])
    if (start, stop) == (0, shape[axis]):
        return value
    is_map = len(shape) == MAP_RANK
    if is_map and axis >= _ROWS:
        crop = [(0, 0), (0, 0)]
        crop[axis - _ROWS] = (start, shape[axis] - stop)
        tensor = builder.apply(L.Cropping2D, value.tensor, node.name, cropping=tuple(crop))
    elif axis == (1 if is_map else len(shape) - 1) and axis and stop > start:
        settings = {"start": start, "size": stop - start}
        tensor = builder.apply(Part, value.tensor, node.name, **settings)
    else:
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) cuts what no layer cuts")
    shape[axis] = stop - start
    return Value(tensor=tensor, layout=Layout.plain(shape, channels_last=is_map))


def _concat(builder: Builder, node: Node) -> Value:
    constants = builder.graph.constants
    names = [name for name in node.inputs if name not in constants or constants[name].size]
    values = [builder.plain(name, node) for name in names]
    shape = list(values[0].layout.shape)
    axis, is_map = node.attributes["axis"] % len(shape), len(shape) == MAP_RANK
    if not axis:
        raise UnmappedLayerError(f"operation '{node.name}' (Concat) makes the batch larger")
    if len(values) == 1:
        return values[0]
    shape[axis] = sum(value.layout.shape[axis] for value in values)
    stored = {1: -1, 2: 1, 3: 2}[axis] if is_map else axis
    stored = -1 if stored == len(shape) - 1 else stored
    tensors = [value.tensor for value in values]
    tensor = builder.apply(L.Concatenate, tensors, node.name, axis=stored)
    return Value(tensor=tensor, layout=Layout.plain(shape, channels_last=is_map))


def _pool(layer_class: type) -> Callable[[Builder, Node], Value]:
    def build(builder: Builder, node: Node) -> Value:
        value = builder.map(node.inputs[0], node)
        window, sides = Window.of(node, node.attributes["kernel_shape"]), value.tensor.shape[1:3]
        padding, tensor = padded(builder, value.tensor, node=node, window=window, zeros=False)
        uneven = node.attributes.get("ceil_mode") and any(
            (side - kernel) % stride
            for side, kernel, stride in zip(sides, window.kernel, window.strides, strict=True)
        )
        counts_padding = node.attributes.get("count_include_pad") and padding == "same"
        if uneven or counts_padding or window.dilations != (1, 1) or len(node.outputs) > 1:
            raise UnmappedLayerError(f"the window of operation '{node.name}' has no layer")
        settings = {"pool_size": window.kernel, "strides": window.strides, "padding": padding}
        return _other_sides(value, builder.apply(layer_class, tensor, node.name, **settings))

    return build


def _global(layer_class: type) -> Callable[[Builder, Node], Value]:
    """The mean of each channel, or its largest number, as a map of one pixel."""

    def build(builder: Builder, node: Node) -> Value:
        value = builder.map(node.inputs[0], node)
        tensor = builder.apply(layer_class, value.tensor, node.name, keepdims=True)
        return _other_sides(value, tensor)

    return build


def _reduce_mean(builder: Builder, node: Node) -> Value:
    axes = builder.graph.setting(node, "axes", 1)
    if axes is None or sorted(int(axis) % MAP_RANK for axis in axes) != [_ROWS, _ROWS + 1]:
        raise UnmappedLayerError(f"operation '{node.name}' (ReduceMean) is not over a whole map")
    value = _global(L.GlobalAveragePooling2D)(builder, node)
    if node.attributes.get("keepdims", 1):
        return value
    batch, channels, *_ = value.layout.axes
    return replace(value, layout=Layout((batch, channels), value.layout.stored))


def _gather(builder: Builder, node: Node) -> Value:
    """Embedding: rows of a constant, looked up by numbers that go in."""
    table = builder.graph.constants.get(node.inputs[0])
    if table is None or table.ndim != 2 or node.attributes.get("axis", 0):
        raise UnmappedLayerError(f"operation '{node.name}' (Gather) looks up in what is computed")
    value = builder.value(node.inputs[1])
    rows, length = table.shape
    settings = {"input_dim": rows, "output_dim": length}
    tensor = builder.apply(L.Embedding, value.tensor, node.name, **settings)
    builder.weigh(tensor, table)
    axis = new_axis(length)
    layout = Layout((*value.layout.axes, axis), (*value.layout.stored, axis))
    return Value(tensor=tensor, layout=layout)


def _other_sides(value: Value, tensor: Any) -> Value:
    """Maps of other height and width with the channels that they had."""
    channels, stored = value.layout.axes[1], value.layout.stored[-1]
    return Value(tensor=tensor, layout=value.layout.with_map(channels, stored, tensor.shape[1:3]))


def _resize(builder: Builder, node: Node) -> Value:
    value = builder.map(node.inputs[0], node)
    return _other_sides(value, resize(builder, node, value))


MAPS: Mapping[str, Callable[[Builder, Node], Value]] = {
    **dict.fromkeys(("Resize", "Upsample"), _resize),
    "Pad": _pad,
    "Slice": _slice,
    "Split": _split,
    "Concat": _concat,
    "MaxPool": _pool(L.MaxPooling2D),
    "AveragePool": _pool(L.AveragePooling2D),
    "GlobalAveragePool": _global(L.GlobalAveragePooling2D),
    "GlobalMaxPool": _global(L.GlobalMaxPooling2D),
    "ReduceMean": _reduce_mean,
    "Gather": _gather,
}
