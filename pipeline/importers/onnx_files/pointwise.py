"""Operations that leave each number in its place: activations, norms, arithmetic with constants."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.builder import Builder, Value
from pipeline.importers.onnx_files.graph import Node
from pipeline.importers.onnx_files.layout import (
    MAP_RANK,
    map_order,
    reordered,
    same_factors,
)

L = tf_keras.layers
_ACTIVATIONS = {
    "Sigmoid": "sigmoid",
    "Tanh": "tanh",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Exp": "exponential",
}
_FLOATS, _INTEGERS = (1, 10, 11, 16), (6, 7)
"""As ONNX numbers them: float32, float16, float64, bfloat16; int32, int64."""
_UNCHANGED = ("Identity", "Dropout")
_NO_LIMIT = 1e30
"""Exporters write the largest float where nothing is cut."""
_SELU = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}


def _one_layer(
    layer_class: type, settings: Callable[[Node], dict[str, Any]] = lambda node: {}
) -> Callable[[Builder, Node], Value]:
    """The operation as one layer, with the settings that it takes from the node."""

    def build(builder: Builder, node: Node) -> Value:
        value = builder.uncropped(node.inputs[0])
        tensor = builder.apply(layer_class, value.tensor, node.name, **settings(node))
        return replace(value, tensor=tensor)

    return build


def _unchanged(builder: Builder, node: Node) -> Value:
    return builder.uncropped(node.inputs[0])


def _cast(builder: Builder, node: Node) -> Value:
    """Between floats nothing is to be done: a layer computes in float32. Nor between integers of
    32 bits and more, which are classes."""
    value = builder.uncropped(node.inputs[0])
    dtype = value.tensor.dtype
    alike = _FLOATS if dtype.is_floating else _INTEGERS if dtype.is_integer else ()
    if node.attributes["to"] not in alike:
        raise UnmappedLayerError(
            f"operation '{node.name}' (Cast) makes other numbers of {dtype.name}"
        )
    return value


def _selu(builder: Builder, node: Node) -> Value:
    if any(not np.isclose(node.attributes.get(key, usual), usual) for key, usual in _SELU.items()):
        raise UnmappedLayerError(f"operation '{node.name}' (Selu) has settings of its own")
    return _one_layer(L.Activation, lambda _: {"activation": "selu"})(builder, node)


def _gelu(builder: Builder, node: Node) -> Value:
    if node.attributes.get("approximate", b"none") != b"none":
        raise UnmappedLayerError(f"operation '{node.name}' (Gelu) is approximated")
    return _one_layer(L.Activation, lambda _: {"activation": "gelu"})(builder, node)


def _hard_sigmoid(builder: Builder, node: Node) -> Value:
    slope, offset = node.attributes.get("alpha", 0.2), node.attributes.get("beta", 0.5)
    return _ramp(builder, node, slope=slope, offset=offset, top=1.0)


def _hard_swish(builder: Builder, node: Node) -> Value:
    value = builder.uncropped(node.inputs[0])
    ramp = _ramp(builder, node, slope=1 / 6, offset=0.5, top=1.0)
    tensor = builder.apply(L.Multiply, [value.tensor, ramp.tensor], node.name)
    return replace(value, tensor=tensor)


def _ramp(builder: Builder, node: Node, *, slope: float, offset: float, top: float | None) -> Value:
    """slope·x + offset, cut at 0 and, where there is one, at ``top``."""
    value = builder.uncropped(node.inputs[0])
    tensor = value.tensor
    if (slope, offset) != (1, 0):
        settings = {"scale": slope, "offset": offset}
        tensor = builder.apply(L.Rescaling, tensor, f"{node.name}_slope", **settings)
    return replace(value, tensor=builder.apply(L.ReLU, tensor, node.name, max_value=top))


def _clip(builder: Builder, node: Node) -> Value:
    """ReLU with a largest value, moved there and back; upside down where only that is limited."""
    low, high = _limit(builder, node, 1, "min"), _limit(builder, node, 2, "max")
    if low is None:
        value = builder.uncropped(node.inputs[0])
        if high is None:
            return value
        value = _affine(builder, node, value=value, scale=-1.0, offset=high)
        value = replace(value, tensor=builder.apply(L.ReLU, value.tensor, node.name))
        return _affine(builder, node, value=value, scale=-1.0, offset=high)
    top = None if high is None else high - low
    value = _ramp(builder, node, slope=1.0, offset=-low, top=top)
    return value if not low else _affine(builder, node, value=value, scale=1.0, offset=low)


def _limit(builder: Builder, node: Node, place: int, name: str) -> float | None:
    """A limit of Clip; None where there is none, or one so far off that it is none."""
    limit = builder.graph.setting(node, name, place, _NO_LIMIT)
    if limit is None:
        raise UnmappedLayerError(f"the limits of operation '{node.name}' (Clip) are computed")
    number = float(np.reshape(limit, ()))
    return None if abs(number) >= _NO_LIMIT else number


def _prelu(builder: Builder, node: Node) -> Value:
    slope = builder.graph.constants.get(node.inputs[1])
    if slope is None:
        raise UnmappedLayerError(f"the slope of operation '{node.name}' (PRelu) is computed")
    value = builder.uncropped(node.inputs[0])
    if (slope == slope.flat[0]).all():
        settings = {"alpha": float(slope.flat[0])}
        tensor = builder.apply(L.LeakyReLU, value.tensor, node.name, **settings)
        return replace(value, tensor=tensor)
    value, alpha = by_channel(builder, node, value, slope)
    sides = list(range(1, len(value.layout.stored) - 1))
    tensor = builder.apply(L.PReLU, value.tensor, node.name, shared_axes=sides or None)
    builder.weigh(tensor, alpha.reshape(*(1 for _ in sides), -1))
    return replace(value, tensor=tensor)


def _batch_norm(builder: Builder, node: Node) -> Value:
    if node.attributes.get("training_mode") or len(node.outputs) > 1:
        raise UnmappedLayerError(f"batch norm '{node.name}' uses the statistics of its own batch")
    value = builder.uncropped(node.inputs[0])
    rank = len(value.layout.axes)
    weights = []
    for name in node.inputs[1:]:
        weight = builder.graph.constants.get(name)
        if weight is None:
            raise UnmappedLayerError(f"a weight of batch norm '{node.name}' is computed")
        shaped = weight.reshape(-1, *(1 for _ in range(rank - 2)))
        value, vector = by_channel(builder, node, value, shaped)
        weights.append(vector)
    epsilon = node.attributes.get("epsilon", 1e-5)
    tensor = builder.apply(L.BatchNormalization, value.tensor, node.name, epsilon=epsilon)
    builder.weigh(tensor, *weights)
    return replace(value, tensor=tensor)


def _instance_norm(builder: Builder, node: Node) -> Value:
    """GroupNormalization with a group a channel; of a reshaped map, with a group of several."""
    gamma, beta = (builder.graph.constants.get(name) for name in node.inputs[1:3])
    if gamma is None or beta is None:
        raise UnmappedLayerError(f"a weight of instance norm '{node.name}' is computed")
    value = builder.value(node.inputs[0])
    axes, stored = value.layout.axes, value.layout.stored
    settings = {"epsilon": node.attributes.get("epsilon", 1e-5), "axis": -1}
    channels, groups = stored[-1], axes[1]
    if len(axes) == MAP_RANK and not same_factors(channels, groups):
        value = builder.map(node.inputs[0], node)
        channels = value.layout.stored[-1]
    if same_factors(channels, groups):
        tensor = builder.apply(L.GroupNormalization, value.tensor, node.name, groups=-1, **settings)
        builder.weigh(tensor, *(reordered(each, 0, groups, channels) for each in (gamma, beta)))
        return replace(value, tensor=tensor)
    is_grouped = len(stored) == MAP_RANK and channels[: len(groups)] == groups
    if not is_grouped or (gamma != 1).any() or beta.any():
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) norms over other axes")
    settings |= {"groups": len(gamma), "scale": False, "center": False}
    tensor = builder.apply(L.GroupNormalization, value.tensor, node.name, **settings)
    return replace(value, tensor=tensor)


def by_channel(
    builder: Builder, node: Node, value: Value, constant: np.ndarray
) -> tuple[Value, np.ndarray]:
    """A constant of one number a channel as a vector in the order of the tensor's last axis.

    ``constant`` is shaped as ONNX would broadcast it. Also gives the value, stored so that its
    channels are last. Raises UnmappedLayerError for constants of another shape.
    """
    axes = value.layout.axes
    shape = (1,) * (len(axes) - constant.ndim) + constant.shape
    long = [index for index, length in enumerate(shape) if length > 1]
    place = long[0] if long else 1
    if len(long) > 1 or len(shape) != len(axes) or shape[place] != value.layout.shape[place]:
        raise UnmappedLayerError(
            f"operation '{node.name}' ({node.op}) has a constant of shape {constant.shape}"
        )
    if not same_factors(value.layout.stored[-1], axes[place]):
        if len(axes) != MAP_RANK or place != 1 or value.crop is not None:
            raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) is not by channel")
        value = builder.settle(value, map_order(axes), node.name)
    vector = constant.reshape(-1)
    return value, reordered(vector, 0, axes[place], value.layout.stored[-1])


def _affine(builder: Builder, node: Node, *, value: Value, scale: Any, offset: Any) -> Value:
    """scale·x + offset: of single numbers a Rescaling, of one a channel a batch norm, to fold."""
    scale, offset = np.asarray(scale, np.float64), np.asarray(offset, np.float64)
    if scale.size == offset.size == 1:
        settings = {"scale": float(scale.flat[0]), "offset": float(offset.flat[0])}
        tensor = builder.apply(L.Rescaling, value.tensor, node.name, **settings)
        return replace(value, tensor=tensor)
    shape = np.broadcast_shapes(scale.shape, offset.shape)
    value, gamma = by_channel(builder, node, value, np.broadcast_to(scale, shape))
    value, beta = by_channel(builder, node, value, np.broadcast_to(offset, shape))
    tensor = builder.apply(L.BatchNormalization, value.tensor, node.name, epsilon=0.0)
    builder.weigh(tensor, gamma, beta, np.zeros_like(beta), np.ones_like(beta))
    return replace(value, tensor=tensor)


_BY_CONSTANT: Mapping[str, Callable[[Any], tuple[Any, Any]]] = {
    "Add": lambda constant: (1.0, constant),
    "Sub": lambda constant: (1.0, -constant),
    "Mul": lambda constant: (constant, 0.0),
    "Div": lambda constant: (1.0 / constant, 0.0),
}
_OF_TWO = {"Add": L.Add, "Mul": L.Multiply, "Sub": L.Subtract}


def _arithmetic(builder: Builder, node: Node) -> Value:
    first, second = (builder.graph.constants.get(name) for name in node.inputs)
    if first is None and second is None:
        return _of_two(builder, node)
    constant = second if first is None else first
    value = builder.uncropped(node.inputs[0 if first is None else 1])
    constant = np.asarray(constant, np.float64)
    if first is not None and node.op == "Sub":
        return _affine(builder, node, value=value, scale=-1.0, offset=constant)
    if first is not None and node.op == "Div":
        raise UnmappedLayerError(f"operation '{node.name}' divides by what is computed")
    scale, offset = _BY_CONSTANT[node.op](constant)
    return _affine(builder, node, value=value, scale=scale, offset=offset)


def _of_two(builder: Builder, node: Node) -> Value:
    """Of two values of one shape, or of shapes that tf_keras broadcasts alike."""
    if node.op not in _OF_TWO:
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) is of two computed values")
    first, second = (builder.plain(name, node) for name in node.inputs)
    if len(first.layout.axes) != len(second.layout.axes):
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) is of different ranks")
    tensors = [first.tensor, second.tensor]
    tensor = builder.apply(_OF_TWO[node.op], tensors, node.name)
    larger = first if np.prod(first.layout.shape) >= np.prod(second.layout.shape) else second
    if tensor.shape[1:] != larger.tensor.shape[1:]:
        raise UnmappedLayerError(f"operation '{node.name}' ({node.op}) widens both its operands")
    return Value(tensor=tensor, layout=larger.layout)


def _negated(builder: Builder, node: Node) -> Value:
    value = builder.uncropped(node.inputs[0])
    return _affine(builder, node, value=value, scale=-1.0, offset=0.0)


POINTWISE: Mapping[str, Callable[[Builder, Node], Value]] = {
    **{
        op: _one_layer(L.Activation, lambda _, function=function: {"activation": function})  # type: ignore[misc]
        for op, function in _ACTIVATIONS.items()
    },
    **dict.fromkeys(_UNCHANGED, _unchanged),
    "Cast": _cast,
    "Relu": _one_layer(L.ReLU),
    "LeakyRelu": _one_layer(
        L.LeakyReLU, lambda node: {"alpha": float(node.attributes.get("alpha", 0.01))}
    ),
    "Elu": _one_layer(L.ELU, lambda node: {"alpha": float(node.attributes.get("alpha", 1.0))}),
    "Selu": _selu,
    "Gelu": _gelu,
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _hard_swish,
    "Clip": _clip,
    "PRelu": _prelu,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "Neg": _negated,
    **dict.fromkeys(("Add", "Sub", "Mul", "Div"), _arithmetic),
}
