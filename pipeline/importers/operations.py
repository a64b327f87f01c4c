"""Operations on tensors, such as ``x * 2 + y``, as layers of tf_keras that compute the same."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_keras.src.layers.core.tf_op_layer import TFOpLambda

from pipeline.networks.layers import DepthToSpace

L = tf_keras.layers
# Operations on tensors, by their names in Keras 3 → layers.
_OF_ONE: dict[str, Callable[[str], tf_keras.layers.Layer]] = {
    "Tanh": lambda name: L.Activation("tanh", name=name),
    "Sigmoid": lambda name: L.Activation("sigmoid", name=name),
    "Relu": lambda name: L.ReLU(name=name),
}
_OF_TWO: dict[str, type] = {"Add": L.Add, "Multiply": L.Multiply, "Subtract": L.Subtract}
_BY_CONSTANT: dict[str, Callable[[np.ndarray], dict[str, np.ndarray]]] = {
    "Add": lambda numbers: {"scale": np.ones(()), "offset": numbers},
    "Subtract": lambda numbers: {"scale": np.ones(()), "offset": -numbers},
    "Multiply": lambda numbers: {"scale": numbers},
    "Divide": lambda numbers: {"scale": 1 / numbers},
}
_COMMUTES = ("Add", "Multiply")
_LAST: Sequence[list[str]] = ([], ["NHWC"])  # data formats of TensorFlow, channels last
_OTHER_NAMES = {"Sub": "Subtract", "Mul": "Multiply", "Truediv": "Divide", "TrueDivide": "Divide"}


def is_operation(layer: Any) -> bool:
    """Whether this is no layer but an operation on tensors, such as ``x + y``."""
    return type(layer).__module__.startswith("keras.src.ops.") or type(layer) is TFOpLambda


def operator_of(operation: Any) -> str:
    """What it computes, by its name in Keras 3."""
    operator = type(operation).__name__
    if operator == "TFOpLambda":
        module, _, function = operation.symbol.rpartition(".")
        of_numbers = module in ("math", "nn", "__operators__")
        operator = function.title() if of_numbers else operation.symbol
    return _OTHER_NAMES.get(operator, operator)


def layer_of(operation: Any, name: str, operands: Sequence[Any]) -> tf_keras.layers.Layer | None:
    """The layer called ``name`` that computes an operation on ``operands``; None where none does.

    Operands that are constants become the layer's settings.
    """
    operator = operator_of(operation)
    constants = [operand for operand in operands if not is_computed(operand)]
    if operator in _OF_ONE and len(operands) == 1:
        return _OF_ONE[operator](name)
    if operator == "Concatenate" and hasattr(operation, "axis"):
        return L.Concatenate(operation.axis, name=name)
    if operator in _OF_TWO and len(operands) == 2 and not constants:
        return _OF_TWO[operator](name=name)
    if operator == "Depth_To_Space" and isinstance(constants[0], int) and constants[1:] in _LAST:
        return DepthToSpace(constants[0], name=name)
    behind = operator in _COMMUTES or not is_computed(operands[-1])
    if operator in _BY_CONSTANT and len(operands) == 2 and len(constants) == 1 and behind:
        (tensor,) = (operand for operand in operands if is_computed(operand))
        numbers = _one_a_channel(constants[0], tensor)
        if numbers is not None:
            settings = _BY_CONSTANT[operator](numbers)
            return L.Rescaling(**{key: each.tolist() for key, each in settings.items()}, name=name)
    return None


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
