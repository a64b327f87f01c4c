"""Layers of any Keras as layers of tf_keras that compute the same at inference.

What does nothing at inference goes; an activation inside a layer becomes a layer of its own, as the
int8 scheme wants it; spectral normalization leaves the kernel that it arrived at. Functional models
are rebuilt of such layers, nested models laid flat.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import one_line
from pipeline.compression.graph import nodes
from pipeline.importers.known_layers import (
    AddonsGroupNormalization,
    AddonsWeightNormalization,
    ClusterWeights,
)
from pipeline.importers.operations import (
    is_computed,
    is_operation,
    layers_of,
    operator_of,
    settings_of,
)
from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    MinibatchDeviation,
    Part,
    PixelScale,
    PixelSum,
    ReflectionPadding2D,
    Truncation,
)

L = tf_keras.layers
_DEFAULT_SLOPE = 0.2  # of the function leaky_relu; the layer's own default is 0.3
_DROPOUTS = ("Dropout", "Dropout1D", "Dropout2D", "Dropout3D")
_WITHOUT_EFFECT = ("GaussianNoise", "ActivityRegularization", "Identity")
_WRAPPERS = {
    "SpectralNormalization": "its kernel stays as it was normalized last",
    "WeightNormalization": "its kernel stays as it was normalized last",
    "ClusterWeights": "its weights stay clustered, and its clustering ends",
    "PruneLowMagnitude": "its zeros stay, and its pruning ends",
}
"""Layer around a layer → what becomes of that."""
_CODE = (keras.layers.Lambda, tf_keras.layers.Lambda, keras.layers.TFSMLayer)
_OURS = (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    MinibatchDeviation,
    Part,
    PixelScale,
    PixelSum,
    ReflectionPadding2D,
    Truncation,
)
_SETTINGS_OF_TRAINING = ("_initializer", "_regularizer", "_constraint")


class UnmappedLayerError(Exception):
    """A layer that tf_keras cannot compute; says which and why."""


@dataclass(frozen=True, kw_only=True)
class SourceLayer:
    """One layer of the file, and what became of it while it was loaded."""

    name: str
    type: str
    shape: tuple[int | None, ...]
    """Of its output, the batch first; empty where it is not known."""
    weights: int
    became: tuple[str, ...] = ()
    """The layers of the teacher's model that compute it; none where it vanished."""
    note: str = ""
    """What was rewritten, in words; empty if nothing was."""


@dataclass(frozen=True)
class MappedLayer:
    """The tf_keras layers, one behind the other, that take the place of a layer of the file."""

    layers: tuple[tf_keras.layers.Layer, ...]
    """Empty where it does nothing at inference."""
    weights: list[np.ndarray] = field(default_factory=list)
    """Of the first layer."""
    note: str = ""
    """What is different, in words; empty if nothing is."""

    def __call__(self, tensors: Any) -> Any:
        """What the layer gives for a tensor, or a list of them, of tf_keras."""
        for layer in self.layers:
            tensors = layer(tensors)
        return tensors


def allowed_name(name: str) -> str:
    """A name of any Keras as tf_keras allows it, which names scopes of TensorFlow after layers."""
    allowed = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
    return allowed if re.match("[A-Za-z0-9.]", allowed) else f"layer{allowed}"


def map_layer(
    layer: Any,
    name: str,
    operands: Sequence[Any] = (),
    settings: Mapping[str, Any] | None = None,
) -> MappedLayer:
    """What computes a layer, or an operation on ``operands``; its first layer is called ``name``.

    ``settings`` are the operation's, by name. Raises UnmappedLayerError.
    """
    if isinstance(layer, AddonsGroupNormalization):
        layer.become_kerass_own()
    class_name = type(layer).__name__
    if is_operation(layer):
        computing = layers_of(layer, name, operands, settings or {})
        if not computing:
            raise UnmappedLayerError(
                f"operation '{name}' ({operator_of(layer)}) has no layer in tf_keras"
            )
        return MappedLayer(computing)
    if class_name in _WRAPPERS:
        return _unwrapped(layer, name)
    if not _is_built_in(layer):
        raise UnmappedLayerError(f"layer '{layer.name}' is a custom one ({class_name})")
    linear = class_name == "Activation" and _function_name(layer.activation) == "linear"
    if class_name in _WITHOUT_EFFECT or class_name.endswith(_DROPOUTS) or linear:
        return MappedLayer((), note="does nothing at inference")
    if class_name in ("Activation", "LeakyReLU", "ReLU"):
        return MappedLayer((_activation_layer(layer, name),))
    return _with_activation_behind(layer, class_name, name)


def _unwrapped(wrapper: Any, name: str) -> MappedLayer:
    """The layer inside, with the kernel that it computes with at inference."""
    inner = map_layer(wrapper.layer, name)
    weights = inner.weights
    if isinstance(wrapper, AddonsWeightNormalization):
        weights = [np.asarray(wrapper.normalized_kernel()), *weights]  # no weight of the layer's
    elif isinstance(wrapper, ClusterWeights):
        weights = wrapper.all_weights()
    return MappedLayer(inner.layers, weights, _WRAPPERS[type(wrapper).__name__])


def _is_built_in(layer: Any) -> bool:
    """Whether Keras or pocketgan has this layer, and it runs no code of the model's author."""
    libraries = ("keras.src.layers.", "tf_keras.src.layers.")
    built_in = type(layer).__module__.startswith(libraries) and not isinstance(layer, _CODE)
    return built_in or isinstance(layer, _OURS)


def _with_activation_behind(layer: Any, class_name: str, name: str) -> MappedLayer:
    weights = [np.asarray(weight) for weight in layer.get_weights()]
    activation = getattr(layer, "activation", None)
    recurrent = hasattr(layer, "recurrent_activation")  # used within, not at the end
    if activation is None or _function_name(activation) == "linear" or recurrent:
        return MappedLayer((_same_class(layer, class_name, name),), weights)
    copy = _same_class(layer, class_name, name, activation="linear")
    function = _function_name(activation)
    behind = _activation_layer(activation, f"{copy.name}_{function}")
    return MappedLayer((copy, behind), weights, f"its {function} became a layer of its own")


def _activation_layer(activation: Any, name: str) -> tf_keras.layers.Layer:
    """A layer for an activation: a function, or a layer that is used as one."""
    class_name, function = type(activation).__name__, _function_name(activation)
    if class_name == "Activation":
        return _activation_layer(activation.activation, name)
    if class_name == "LeakyReLU":
        keras_3 = hasattr(activation, "negative_slope")
        slope = activation.negative_slope if keras_3 else activation.alpha
        return L.LeakyReLU(float(slope), name=name)
    if class_name == "ReLU":
        if activation.negative_slope and activation.max_value is None and not activation.threshold:
            return L.LeakyReLU(float(activation.negative_slope), name=name)
        return _same_class(activation, class_name, name)
    if function == "leaky_relu":
        return L.LeakyReLU(_DEFAULT_SLOPE, name=name)
    if function in ("relu", "relu6"):
        return L.ReLU(6.0 if function == "relu6" else None, name=name)
    module = str(getattr(activation, "__module__", ""))
    if module.startswith(("keras.", "tf_keras.", "tensorflow.")):
        function = "swish" if function == "silu" else function
        if hasattr(tf_keras.activations, function):
            if _is_another(activation, function):
                raise UnmappedLayerError(
                    f"the activation {function} of '{name}' is another in tf_keras"
                )
            return L.Activation(function, name=name)
    raise UnmappedLayerError(f"the activation {function} of '{name}' is not known to tf_keras")


def _same_class(layer: Any, class_name: str, name: str, **changes: Any) -> tf_keras.layers.Layer:
    """A layer of the class of that name in tf_keras, with the same settings but for ``changes``."""
    config = {**layer.get_config(), "name": name, "dtype": "float32", **changes}
    config.pop("batch_input_shape", None)
    if isinstance(layer, tf_keras.layers.Layer):
        return type(layer).from_config(config)
    layer_class = getattr(L, class_name, None)
    if layer_class is None:
        raise UnmappedLayerError(f"layer '{layer.name}' ({class_name}) does not exist in tf_keras")
    config.pop("activation", None)  # it becomes a layer of its own
    _refuse_further_switches(layer, layer_class, config)
    parameters = {*inspect.signature(layer_class).parameters, "name", "dtype"}
    try:
        return layer_class(
            **{
                key: value
                for key, value in config.items()
                if key in parameters and not key.endswith(_SETTINGS_OF_TRAINING)
            }
        )
    except (TypeError, ValueError) as error:
        raise UnmappedLayerError(
            f"layer '{layer.name}' ({class_name}) is another in tf_keras"
        ) from error


def _refuse_further_switches(layer: Any, layer_class: type, config: Mapping[str, Any]) -> None:
    """UnmappedLayerError for what a layer does when asked to, and that of tf_keras cannot."""
    theirs = inspect.signature(layer_class).parameters
    for name, parameter in inspect.signature(type(layer)).parameters.items():
        if parameter.default is False and name not in theirs and config.get(name):
            raise UnmappedLayerError(
                f"layer '{layer.name}' ({type(layer).__name__}) has {name}, as none of tf_keras has"
            )


def _is_another(function: Any, name: str) -> bool:
    """Whether tf_keras has another function of that name."""
    numbers = tf.linspace(-4.0, 4.0, 9)[tf.newaxis]
    theirs, ours = function(numbers), getattr(tf_keras.activations, name)(numbers)
    return not np.allclose(theirs, ours, rtol=0, atol=1e-5)


def _function_name(function: Any) -> str:
    """Name of a function, or of the class of a layer."""
    return str(getattr(function, "__name__", type(function).__name__)).lower()


OperationCall = Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]


def functional(model: Any) -> Any | None:
    """The graph of layers that a model is; None where it is code of somebody's.

    Keras 3 keeps it inside a sequential model.
    """
    graph = getattr(model, "_functional", None) or model
    return graph if hasattr(graph, "_nodes_by_depth") else None


def trained_at_inference(graph: Any) -> list[str]:
    """Names of the layers that are always called as in training: ``layer(x, training=True)``."""
    calls = [_call_of(node) for node in nodes(graph) if not node.is_input]
    return [layer.name for layer, _, kwargs in calls if kwargs.get("training") is True]


class GraphRebuilder:
    """Rebuilds a graph of layers behind some tensors of tf_keras.

    ``names`` are those of layers that stand before it.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self.source_layers: list[SourceLayer] = []
        """The layers of the graph, in the order of their use."""
        self._mapped: dict[int, MappedLayer] = {}
        self._numbers: dict[int, int] = {}
        """Of a layer, where it is among the source layers."""
        self._names = set(names)

    def outputs(self, graph: Any, inputs: Sequence[Any]) -> list[Any]:
        """The rebuilt graph's outputs; UnmappedLayerError for a layer that tf_keras has not."""
        return _walk(graph, inputs, self._call)

    def copy_weights(self) -> None:
        """From each layer of the graph to what takes its place."""
        for mapped in self._mapped.values():
            if mapped.layers:
                mapped.layers[0].set_weights(mapped.weights)

    def _call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        inner = functional(layer)
        if inner is not None:
            return _walk(inner, tf.nest.flatten(args), self._call)
        operands = [*args, *(value for value in kwargs.values() if value is not None)]
        earlier = self._mapped.get(id(layer))
        if earlier is not None and earlier.weights:
            return self._computed(layer, operands)
        mapped = self._new(layer, operands, args, kwargs)  # without weights, a new one each time
        for behind in mapped.layers[1:]:
            behind._name = self._unused(behind.name)
        self._mapped[id(layer)] = mapped
        outputs = self._computed(layer, operands)
        self._report(layer, mapped, tuple(tf.nest.flatten(outputs)[0].shape))
        return outputs

    def _report(self, layer: Any, mapped: MappedLayer, shape: tuple[int | None, ...]) -> None:
        """Say what a layer became; of one that is used again, what else."""
        became = tuple(copy.name for copy in mapped.layers)
        number = self._numbers.setdefault(id(layer), len(self.source_layers))
        if number < len(self.source_layers):
            earlier = self.source_layers[number]
            self.source_layers[number] = replace(earlier, became=(*earlier.became, *became))
            return
        source = SourceLayer(
            name=layer.name,
            type=type(layer).__name__,
            shape=shape,
            weights=sum(weight.size for weight in mapped.weights),
            became=became,
            note=mapped.note,
        )
        self.source_layers.append(source)

    def _new(
        self, layer: Any, operands: Sequence[Any], args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> MappedLayer:
        """What computes a layer; UnmappedLayerError, which names it, where nothing does."""
        try:
            settings = settings_of(layer, args, kwargs)
            return map_layer(layer, self._unused(layer.name), operands, settings)
        except UnmappedLayerError:
            raise
        except Exception as error:  # whatever settings that nobody foresaw make the libraries raise
            kind = operator_of(layer)
            raise UnmappedLayerError(
                f"layer '{layer.name}' ({kind}) cannot be rebuilt: {one_line(error, 200)}"
            ) from error

    def _computed(self, layer: Any, operands: list[Any]) -> Any:
        """What stands in for a layer, computed of tensors of tf_keras."""
        if is_operation(layer):
            operands = list(filter(is_computed, operands))
            return self._mapped[id(layer)](operands if len(operands) > 1 else operands[0])
        if len(operands) > 1:
            # What compresses models builds them anew from tensors alone.
            raise UnmappedLayerError(f"layer '{layer.name}' is called with more than its input")
        return self._mapped[id(layer)](operands[0])

    def _unused(self, name: str) -> str:
        """The name as tf_keras allows it, with a number where another layer has it already."""
        number, unused = 1, allowed_name(name)
        while unused in self._names:
            number += 1
            unused = f"{allowed_name(name)}_{number}"
        self._names.add(unused)
        return unused


def _walk(graph: Any, inputs: Sequence[Any], call: OperationCall) -> list[Any]:
    """OperationCall the layers of a graph in order, and give its outputs.

    ``call`` gets a layer and its arguments.
    """
    tensors = dict(zip(map(id, graph.inputs), inputs, strict=True))

    def filled(arguments: Any) -> Any:
        return tf.nest.map_structure(lambda value: tensors.get(id(value), value), arguments)

    for node in nodes(graph):
        if node.is_input:
            continue
        layer, args, kwargs = _call_of(node)
        passed = {key: value for key, value in kwargs.items() if key not in ("training", "mask")}
        outputs = call(layer, filled(args), filled(passed))
        computed = zip(tf.nest.flatten(node.outputs), tf.nest.flatten(outputs), strict=True)
        tensors |= {id(placeholder): tensor for placeholder, tensor in computed}
    return [tensors[id(tensor)] for tensor in graph.outputs]


def _call_of(node: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Layer and arguments: of Keras 3, or of Keras 2."""
    if hasattr(node, "operation"):
        return node.operation, node.arguments.args, node.arguments.kwargs
    return node.layer, node.call_args, node.call_kwargs
