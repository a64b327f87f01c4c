"""Operations on tensors, such as ``x * 2 + y``, as layers of tf_keras that compute the same."""

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.core.tf_op_layer import TFOpLambda

from pipeline.networks.layers import LEAKY_SLOPE, DepthToSpace, ReflectionPadding2D

L = tf_keras.layers
_OF_TWO: dict[str, type] = {"Add": L.Add, "Multiply": L.Multiply, "Subtract": L.Subtract}
_BY_CONSTANT: dict[str, Callable[[np.ndarray], dict[str, np.ndarray]]] = {
    "Add": lambda numbers: {"scale": np.ones(()), "offset": numbers},
    "Subtract": lambda numbers: {"scale": np.ones(()), "offset": -numbers},
    "Multiply": lambda numbers: {"scale": numbers},
    "Divide": lambda numbers: {"scale": 1 / numbers},
}
_OF_CONSTANT: dict[str, Callable[[np.ndarray], dict[str, np.ndarray]]] = {
    "Add": _BY_CONSTANT["Add"],
    "Multiply": _BY_CONSTANT["Multiply"],
    "Subtract": lambda numbers: {"scale": -np.ones(()), "offset": numbers},
}
"""The same where the constant stands first: ``1 - x``."""
_OTHER_NAMES = {"Sub": "Subtract", "Mul": "Multiply", "Truediv": "Divide", "TrueDivide": "Divide"}
_MAP_RANK = 4
Layers = tuple[tf_keras.layers.Layer, ...]
"""One behind the other."""


def is_operation(layer: Any) -> bool:
    """Whether this is no layer but an operation on tensors, such as ``x + y``."""
    return type(layer).__module__.startswith("keras.src.ops.") or type(layer) is TFOpLambda


def operator_of(operation: Any) -> str:
    """What it computes, by its name in Keras 3; one of TensorFlow 1 is TensorFlow 2's."""
    operator = type(operation).__name__
    if operator == "TFOpLambda":
        _, _, function = operation.symbol.removeprefix("compat.v1.").rpartition(".")
        operator = "".join(word.title() for word in function.split("_"))
    return _OTHER_NAMES.get(operator, operator)


def settings_of(
    operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Mapping[str, Any]:
    """How an operation was called, by name: Keras 3 keeps that in it, TensorFlow in the call."""
    if type(operation) is TFOpLambda:
        return inspect.signature(operation.function).bind(*args, **kwargs).arguments
    return {**vars(operation), **kwargs} if is_operation(operation) else {}


def layers_of(
    operation: Any, name: str, operands: Sequence[Any], settings: Mapping[str, Any]
) -> Layers:
    """The layers that compute an operation on ``operands``; empty where none do.

    The first is called ``name``. Operands that are constants become the layers' settings.
    """
    operator = operator_of(operation)
    constants = [operand for operand in operands if not is_computed(operand)]
    if operator in _OF_TWO and len(operands) == 2 and not constants:
        return (_OF_TWO[operator](name=name),)
    by_constant = (_BY_CONSTANT if is_computed(operands[0]) else _OF_CONSTANT).get(operator)
    if by_constant and len(operands) == 2 and len(constants) == 1:
        (tensor,) = filter(is_computed, operands)
        numbers = _one_a_channel(constants[0], tensor)
        if numbers is None:
            return ()
        rescaling = {key: each.tolist() for key, each in by_constant(numbers).items()}
        return (L.Rescaling(**rescaling, name=name),)
    if operator in _OF_ONE and len(operands) - len(constants) == 1:
        return _OF_ONE[operator](name, operands[0], settings)
    return ()


def is_computed(operand: Any) -> bool:
    """Whether an operand is a tensor of the graph, or a list of those, and no constant."""
    return any(hasattr(value, "_keras_history") for value in tf.nest.flatten(operand))


def _one_a_channel(constant: Any, tensor: Any) -> np.ndarray | None:
    """A constant as float64 [] or [C], where it is a number or one for each channel."""
    try:
        numbers = np.asarray(constant, np.float64)
    except (TypeError, ValueError):
        return None
    if numbers.size == 1:
        return numbers.reshape(())
    fits = numbers.ndim and numbers.size == numbers.shape[-1] == tensor.shape[-1]
    return numbers.ravel() if fits and numbers.ndim <= len(tensor.shape) else None


# ---------------------------------------------------------------------- of one tensor


def _layer(
    layer_class: type, settings_of_layer: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Callable[[str, Any, Mapping[str, Any]], Layers]:
    """One layer, with the settings that it takes from those of the operation."""
    return lambda name, _, settings: (layer_class(**settings_of_layer(settings), name=name),)


def _activation(function: str) -> Callable[[str, Any, Mapping[str, Any]], Layers]:
    return _layer(L.Activation, lambda _: {"activation": function})


def _concatenation(name: str, tensors: Any, settings: Mapping[str, Any]) -> Layers:
    of_graph = isinstance(tensors, list | tuple) and all(map(is_computed, tensors))
    return (L.Concatenate(int(settings["axis"]), name=name),) if of_graph else ()


def _depth_to_space(name: str, _: Any, settings: Mapping[str, Any]) -> Layers:
    is_last = settings.get("data_format", "NHWC") in ("NHWC", "channels_last")
    return (DepthToSpace(int(settings["block_size"]), name=name),) if is_last else ()


def _padding(name: str, tensor: Any, settings: Mapping[str, Any]) -> Layers:
    """Of the sides of a map; with zeros, or by reflection."""
    width = settings.get("paddings", settings.get("pad_width"))
    layer = {"constant": L.ZeroPadding2D, "reflect": ReflectionPadding2D}.get(
        str(settings.get("mode", "constant")).lower()
    )
    sides = np.broadcast_to(np.asarray(width), (len(tensor.shape), 2)).tolist()
    if layer is None or settings.get("constant_values") or len(sides) != _MAP_RANK:
        return ()
    outside = np.any([sides[0], sides[-1]])
    return () if outside else (layer(tuple(map(tuple, sides[1:-1])), name=name),)


def _reshaping(name: str, _: Any, settings: Mapping[str, Any]) -> Layers:
    """Into another shape behind a batch of any size."""
    batch, *shape = np.asarray(settings.get("shape", settings.get("newshape"))).tolist()
    return (L.Reshape(shape, name=name),) if batch in (-1, None) else ()


def _transposition(name: str, _: Any, settings: Mapping[str, Any]) -> Layers:
    batch, *axes = settings.get("perm", settings.get("axes")) or [-1]
    return (L.Permute(axes, name=name),) if batch == 0 else ()


def _resizing(name: str, tensor: Any, settings: Mapping[str, Any]) -> Layers:
    """To whole multiples of the sides, or to others."""
    method = settings.get("method", settings.get("interpolation", "bilinear"))
    others = ("antialias", "preserve_aspect_ratio", "crop_to_aspect_ratio", "pad_to_aspect_ratio")
    if method not in ("nearest", "bilinear") or any(map(settings.get, others)):
        return ()
    height, width = np.asarray(settings["size"]).tolist()
    rows, columns = tensor.shape[1:3]
    if height % rows or width % columns:
        return (L.Resizing(height, width, interpolation=method, name=name),)
    return (L.UpSampling2D((height // rows, width // columns), interpolation=method, name=name),)


def _clipping(name: str, _: Any, settings: Mapping[str, Any]) -> Layers:
    """ReLU with a largest value, moved there and back; upside down where only that is limited."""
    low = float(settings.get("clip_value_min", settings.get("x_min")))
    high = float(settings.get("clip_value_max", settings.get("x_max")))
    if math.isinf(low):
        flips = [L.Rescaling(-1.0, high, name=f"{name}_{to}") for to in ("to", "back")]
        return (flips[0], L.ReLU(name=name), flips[1])
    if not low:
        return (L.ReLU(high, name=name),)
    ends = [
        L.Rescaling(1.0, each, name=f"{name}_{to}") for each, to in ((-low, "to"), (low, "back"))
    ]
    return (ends[0], L.ReLU(high - low, name=name), ends[1])


_OF_ONE: dict[str, Callable[[str, Any, Mapping[str, Any]], Layers]] = {
    **{
        name.title(): _activation(name)
        for name in ("tanh", "sigmoid", "selu", "softplus", "softsign")
    },
    "Silu": _activation("swish"),
    "Elu": _layer(L.ELU, lambda settings: {"alpha": settings.get("alpha", 1.0)}),
    "Relu": _layer(L.ReLU, lambda _: {}),
    "Relu6": _layer(L.ReLU, lambda _: {"max_value": 6.0}),
    "LeakyRelu": _layer(
        L.LeakyReLU,
        lambda settings: {
            "alpha": float(settings.get("alpha", settings.get("negative_slope", LEAKY_SLOPE)))
        },
    ),
    "Negative": _layer(L.Rescaling, lambda _: {"scale": -1.0}),
    **dict.fromkeys(("Concat", "Concatenate"), _concatenation),
    "DepthToSpace": _depth_to_space,
    "Pad": _padding,
    "Reshape": _reshaping,
    "Transpose": _transposition,
    "Resize": _resizing,
    **dict.fromkeys(("Clip", "ClipByValue"), _clipping),
}
"""Operation on a tensor, or on a list of them → the layers that compute it."""
