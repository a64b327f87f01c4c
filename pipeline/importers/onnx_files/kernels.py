"""Operations with a kernel: convolutions, transposed convolutions, matrix products."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.builder import Builder, Value, new_axis
from pipeline.importers.onnx_files.graph import Node
from pipeline.importers.onnx_files.layout import Layout, reordered
from pipeline.importers.onnx_files.windows import Window, cropped, padded

L = tf_keras.layers


@dataclass(frozen=True, kw_only=True)
class _Weights:
    """A kernel in the form of its layer, and the bias."""

    kernel: np.ndarray
    place: int | None
    """The kernel's axis of output channels; None where their order is tied to that of the input."""
    bias: np.ndarray | None
    output: str
    """Name of what the layer gives, the bias added."""


def conv(builder: Builder, node: Node) -> Value:
    """Conv2D, or DepthwiseConv2D where every channel is a group; ZeroPadding2D where it must be."""
    kernel, bias, output = _operands(builder, node, 0)
    value = builder.map(node.inputs[0], node)
    axes, stored = value.layout.axes, value.layout.stored
    group, channels = node.attributes.get("group", 1), value.tensor.shape[-1]
    if group == 1:
        kernel = reordered(kernel, 1, axes[1], stored[-1])
    elif stored[-1] != axes[1]:
        raise UnmappedLayerError(f"the groups of operation '{node.name}' ({node.op}) are shuffled")
    window = Window.of(node, kernel.shape[2:])
    padding, tensor = padded(builder, value.tensor, node=node, window=window)
    settings: dict[str, Any] = {
        "kernel_size": window.kernel,
        "strides": window.strides,
        "padding": padding,
        "dilation_rate": window.dilations,
        "use_bias": bias is not None,
    }
    if 1 < group == channels:
        multiplier = len(kernel) // channels
        settings["depth_multiplier"] = multiplier
        tensor = builder.apply(L.DepthwiseConv2D, tensor, node.name, **settings)
        kernel = kernel.reshape(channels, multiplier, *window.kernel).transpose(2, 3, 0, 1)
    else:
        settings |= {"filters": len(kernel), "groups": group}
        tensor = builder.apply(L.Conv2D, tensor, node.name, **settings)
        kernel = kernel.transpose(2, 3, 1, 0)
    weights = _Weights(kernel=kernel, place=3 if group == 1 else None, bias=bias, output=output)
    channel_axis = new_axis(tensor.shape[-1])
    layout = value.layout.with_map(channel_axis, channel_axis, tensor.shape[1:3])
    return _weighed(builder, Value(tensor=tensor, layout=layout), weights)


def conv_transpose(builder: Builder, node: Node) -> Value:
    """Conv2DTranspose, cropped where TensorFlow's padding "same" is another one."""
    group = node.attributes.get("group", 1)
    kernel, bias, output = _operands(builder, node, 1, group)
    value = builder.map(node.inputs[0], node)
    kernel = _dilated(_ungrouped(kernel, group), node.attributes.get("dilations", (1, 1)))
    kernel = reordered(kernel, 0, value.layout.axes[1], value.layout.stored[-1])
    window = Window.of(node, kernel.shape[2:])
    padding, crop, sides = cropped(node, value.tensor.shape[1:3], window)
    tensor = builder.apply(
        L.Conv2DTranspose,
        value.tensor,
        node.name,
        filters=kernel.shape[1],
        kernel_size=window.kernel,
        strides=window.strides,
        padding=padding,
        use_bias=bias is not None,
    )
    channel_axis = new_axis(kernel.shape[1])
    layout = value.layout.with_map(channel_axis, channel_axis, sides)
    weights = _Weights(kernel=kernel.transpose(2, 3, 1, 0), place=2, bias=bias, output=output)
    value = Value(tensor=tensor, layout=layout, crop=crop, mover=node.name if crop else "")
    return _weighed(builder, value, weights)


def gemm(builder: Builder, node: Node) -> Value:
    """Dense, of a matrix product with a constant behind it."""
    matrix = builder.graph.constants.get(node.inputs[1])
    alpha, beta = (node.attributes.get(name, 1.0) for name in ("alpha", "beta"))
    if matrix is None or matrix.ndim != 2 or node.attributes.get("transA"):
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) multiplies two values")
    matrix = alpha * (matrix.T if node.attributes.get("transB") else matrix)
    value, length = builder.value(node.inputs[0]), matrix.shape[1]
    bias, output = builder.bias_behind(node, length)
    if len(node.inputs) > 2 and node.inputs[2]:
        added = builder.graph.constants.get(node.inputs[2])
        if added is None:
            raise UnmappedLayerError(f"the bias of operation '{node.name}' is computed")
        bias, output = np.broadcast_to(beta * added, (1, length))[0], node.outputs[0]
    axes = value.layout.axes
    factors = (factor for axis in value.layout.stored for factor in axis)
    features = tuple(factor for factor in factors if factor in axes[-1])
    value = builder.settle(value, (*axes[:-1], features), node.name)
    tensor = builder.apply(
        L.Dense, value.tensor, node.name, units=length, use_bias=bias is not None
    )
    axes = (*axes[:-1], new_axis(length))
    weights = _Weights(
        kernel=reordered(matrix, 0, value.layout.axes[-1], features),
        place=1,
        bias=bias,
        output=output,
    )
    return _weighed(builder, Value(tensor=tensor, layout=Layout(axes, axes)), weights)


def _operands(
    builder: Builder, node: Node, place: int, group: int = 1
) -> tuple[np.ndarray, np.ndarray | None, str]:
    """Kernel, bias and the name of the sum; ``place`` is the kernel's axis of output channels."""
    kernel = builder.graph.constants.get(node.inputs[1])
    if kernel is None:
        raise UnmappedLayerError(f"the kernel of operation '{node.name}' ({node.op}) is computed")
    if kernel.ndim != 4:
        raise UnmappedLayerError(
            f"operation '{node.name}' ({node.op}) is not one of two dimensions"
        )
    if len(node.inputs) < 3 or not node.inputs[2]:
        return kernel, *builder.bias_behind(node, kernel.shape[place] * group)
    bias = builder.graph.constants.get(node.inputs[2])
    if bias is None:
        raise UnmappedLayerError(f"the bias of operation '{node.name}' ({node.op}) is computed")
    return kernel, bias, node.outputs[0]


def _weighed(builder: Builder, value: Value, weights: _Weights) -> Value:
    """Give the layer its weights, its output channels in the order in which they will be read."""
    kernel, bias, layout = weights.kernel, weights.bias, value.layout
    if weights.place is not None:
        own, order = builder.output_order(weights.output, layout)
        place = layout.axes.index(layout.stored[-1])
        axes = (*layout.axes[:place], own, *layout.axes[place + 1 :])
        layout = Layout(axes, (*layout.stored[:-1], order))
        kernel = reordered(kernel, weights.place, own, order)
        bias = None if bias is None else reordered(bias, 0, own, order)
    builder.weigh(value.tensor, kernel, *(() if bias is None else (bias,)))
    value = replace(value, layout=layout)
    builder.values[weights.output] = value
    return value


def _ungrouped(kernel: np.ndarray, group: int) -> np.ndarray:
    """A transposed kernel [in, out / group, …] as one without groups: zeros between them."""
    if group == 1:
        return kernel
    size, per_group, *window = kernel.shape
    whole = np.zeros([size, per_group * group, *window], kernel.dtype)
    for number, rows in enumerate(np.split(np.arange(size), group)):
        whole[rows, number * per_group : (number + 1) * per_group] = kernel[rows]
    return whole


def _dilated(kernel: np.ndarray, dilations: Sequence[int]) -> np.ndarray:
    """A kernel [in, out, h, w] with the zeros between its weights written out."""
    height, width = (d * (k - 1) + 1 for d, k in zip(dilations, kernel.shape[2:], strict=True))
    whole = np.zeros([*kernel.shape[:2], height, width], kernel.dtype)
    whole[:, :, :: dilations[0], :: dilations[1]] = kernel
    return whole


KERNELS: Mapping[str, Callable[[Builder, Node], Value]] = {
    "Conv": conv,
    "ConvTranspose": conv_transpose,
    "Gemm": gemm,
    "MatMul": gemm,
}
