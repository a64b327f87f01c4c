"""Layers of any Keras as layers of tf_keras that compute the same at inference.

What does nothing at inference has no twin and goes; an activation inside a layer becomes a layer of
its own, as the int8 scheme wants it; spectral normalization leaves the kernel that it arrived at.
"""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tf_keras
from tf_keras.src.layers.core.tf_op_layer import TFOpLambda

from pipeline.networks.layers import DepthToSpace

L = tf_keras.layers
_DEFAULT_SLOPE = 0.2  # of the function leaky_relu; the layer's own default is 0.3
_GONE = (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "AlphaDropout",
    "GaussianDropout",
    "GaussianNoise",
    "ActivityRegularization",
    "Identity",
)
_CODE = (keras.layers.Lambda, tf_keras.layers.Lambda, keras.layers.TFSMLayer)
_SETTINGS_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")
# Operations of Keras 3 on tensors → layers.
_OF_ONE: dict[str, Callable[[str], tf_keras.layers.Layer]] = {
    "Tanh": lambda name: L.Activation("tanh", name=name),
    "Sigmoid": lambda name: L.Activation("sigmoid", name=name),
    "Relu": lambda name: L.ReLU(name=name),
}
_OF_TWO: dict[str, type] = {"Add": L.Add, "Multiply": L.Multiply, "Subtract": L.Subtract}
_BY_NUMBER: dict[str, Callable[[float], dict[str, float]]] = {
    "Add": lambda number: {"scale": 1.0, "offset": number},
    "Subtract": lambda number: {"scale": 1.0, "offset": -number},
    "Multiply": lambda number: {"scale": number},
    "Divide": lambda number: {"scale": 1 / number},
    "TrueDivide": lambda number: {"scale": 1 / number},
}
_COMMUTES = ("Add", "Multiply")
_OF_KERAS_2 = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "math.subtract": "Subtract",
    "__operators__.sub": "Subtract",
    "math.multiply": "Multiply",
    "__operators__.mul": "Multiply",
    "math.divide": "Divide",
    "math.truediv": "TrueDivide",
    "__operators__.truediv": "TrueDivide",
    "math.tanh": "Tanh",
    "nn.tanh": "Tanh",
    "math.sigmoid": "Sigmoid",
    "nn.sigmoid": "Sigmoid",
    "nn.relu": "Relu",
}


class NoTwinError(Exception):
    """A layer that tf_keras cannot compute; says which and why."""


@dataclass(frozen=True)
class Twin:
    """What takes the place of a layer: applied one after the other, none where it vanishes."""

    parts: tuple[tf_keras.layers.Layer, ...]
    weights: list[np.ndarray] = field(default_factory=list)
    """Of the first part."""
    note: str = ""
    """What is different, in words; empty if nothing is."""

    def __call__(self, given: Any) -> Any:
        """What the layer gives for a tensor, or a list of them, of tf_keras."""
        for part in self.parts:
            given = part(given)
        return given

    def copy_weights(self) -> None:
        """Once the twin has been called: give it the weights."""
        if self.parts:
            self.parts[0].set_weights(self.weights)


def twin_of(layer: Any, name: str, operands: Sequence[Any] = ()) -> Twin:
    """The twin, called ``name``, of a layer, or of an operation with these operands.

    Raises NoTwinError.
    """
    kind = type(layer).__name__
    if is_operation(layer):
        return Twin((_operation(layer, name, operands),))
    if not _is_built_in(layer):
        raise NoTwinError(f"layer '{layer.name}' is a custom one ({kind})")
    if kind in _GONE or (kind == "Activation" and _called(layer.activation) == "linear"):
        return Twin((), note="does nothing at inference")
    if kind == "SpectralNormalization":
        inner = twin_of(layer.layer, name)
        return Twin(inner.parts, inner.weights, "its kernel stays as it was normalized last")
    if kind in ("Activation", "LeakyReLU", "ReLU"):
        return Twin((_activation_layer(layer, name),))
    return _with_activation_behind(layer, _same_class(layer, kind, name))


def _is_built_in(layer: Any) -> bool:
    """Whether Keras or pocketgan has this layer, and it runs no code of the model's author."""
    libraries = ("keras.src.layers.", "tf_keras.src.layers.")
    built_in = type(layer).__module__.startswith(libraries) and not isinstance(layer, _CODE)
    return built_in or isinstance(layer, DepthToSpace)


def _with_activation_behind(layer: Any, made: tf_keras.layers.Layer) -> Twin:
    weights = [np.asarray(weight) for weight in layer.get_weights()]
    inside = getattr(layer, "activation", None)
    recurrent = hasattr(layer, "recurrent_activation")  # used within, not at the end
    if inside is None or _called(inside) == "linear" or recurrent:
        return Twin((made,), weights)
    made.activation = tf_keras.activations.linear
    behind = _activation_layer(inside, f"{made.name}_{_called(inside)}")
    return Twin((made, behind), weights, f"its {_called(inside)} became a layer of its own")


def _activation_layer(activation: Any, name: str) -> tf_keras.layers.Layer:
    """A layer for an activation: a function, or a layer that is used as one."""
    kind, called = type(activation).__name__, _called(activation)
    if kind == "Activation":
        return _activation_layer(activation.activation, name)
    if kind == "LeakyReLU":
        return L.LeakyReLU(_slope(activation), name=name)
    if kind == "ReLU":
        if activation.negative_slope and activation.max_value is None and not activation.threshold:
            return L.LeakyReLU(float(activation.negative_slope), name=name)
        return _same_class(activation, kind, name)
    if called == "leaky_relu":
        return L.LeakyReLU(_DEFAULT_SLOPE, name=name)
    if called in ("relu", "relu6"):
        return L.ReLU(6.0 if called == "relu6" else None, name=name)
    module = str(getattr(activation, "__module__", ""))
    if module.startswith(("keras.", "tf_keras.", "tensorflow.")):
        called = "swish" if called == "silu" else called
        if hasattr(tf_keras.activations, called):
            return L.Activation(called, name=name)
    raise NoTwinError(f"the activation {called} of '{name}' is not known to tf_keras")


def _slope(layer: Any) -> float:
    """Of a leaky ReLU: Keras 3 has another name for it."""
    return float(layer.negative_slope if hasattr(layer, "negative_slope") else layer.alpha)


def _same_class(layer: Any, kind: str, name: str) -> tf_keras.layers.Layer:
    """A layer of the class of that name in tf_keras, with the same settings."""
    config = {**layer.get_config(), "name": name, "dtype": "float32"}
    config.pop("batch_input_shape", None)
    if isinstance(layer, tf_keras.layers.Layer):
        return type(layer).from_config(config)
    made = getattr(L, kind, None)
    if made is None:
        raise NoTwinError(f"layer '{layer.name}' ({kind}) does not exist in tf_keras")
    config.pop("activation", None)  # it becomes a layer of its own
    known = {*inspect.signature(made).parameters, "name", "dtype"}
    try:
        return made(
            **{
                key: value
                for key, value in config.items()
                if key in known and not key.endswith(_SETTINGS_OF_TRAINING)
            }
        )
    except (TypeError, ValueError) as error:
        raise NoTwinError(f"layer '{layer.name}' ({kind}) is another in tf_keras") from error


def is_operation(layer: Any) -> bool:
    """Whether this is no layer but an operation on tensors, such as ``x + y``."""
    return type(layer).__module__.startswith("keras.src.ops.") or type(layer) is TFOpLambda


def _operation(operation: Any, name: str, operands: Sequence[Any]) -> tf_keras.layers.Layer:
    kind = type(operation).__name__
    if kind == "TFOpLambda":
        kind = _OF_KERAS_2.get(operation.symbol, operation.symbol)
    numbers = [operand for operand in operands if isinstance(operand, int | float)]
    if kind in _OF_ONE and len(operands) == 1:
        return _OF_ONE[kind](name)
    if kind == "Concatenate" and hasattr(operation, "axis"):
        return L.Concatenate(operation.axis, name=name)
    if kind in _OF_TWO and len(operands) == 2 and not numbers:
        return _OF_TWO[kind](name=name)
    behind = kind in _COMMUTES or any(number is operands[-1] for number in numbers)
    if kind in _BY_NUMBER and len(operands) == 2 and len(numbers) == 1 and behind:
        return L.Rescaling(**_BY_NUMBER[kind](numbers[0]), name=name)
    raise NoTwinError(f"operation '{name}' ({kind}) has no layer in tf_keras")


def _called(function: Any) -> str:
    """Name of a function, or of the class of a layer."""
    return str(getattr(function, "__name__", type(function).__name__)).lower()
