"""The dependency graph of a model: which channels of its layers can only be cut together.

Every output channel of a layer with a kernel is an *output* here. What a Dense layer gives for one
channel is spread over all positions of the map that a Reshape makes of it; DepthToSpace makes one
channel of several; Add ties the channels of both sides together. So outputs are coupled along the
graph, and a *channel* is a set of coupled outputs (as in Torch-Pruning: Fang 2023, DepGraph).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deploy.errors import PocketganError
from pipeline.compression.graph import nodes
from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    ReflectionPadding2D,
    Truncation,
)

Outputs = np.ndarray
"""int64 [C]: number of the output, or the channel, that each entry of a last axis belongs to."""

L = tf_keras.layers
KERNEL_AXES: dict[type, tuple[int, int]] = {
    L.Dense: (0, 1),
    L.Conv2D: (2, 3),
    L.Conv2DTranspose: (3, 2),
}
"""Where the kernel of a layer keeps its input channels and its output channels."""

# Every value stays in its channel and depends on that channel alone.
_PASSING = (
    L.Activation,
    L.ReLU,
    L.LeakyReLU,
    InverseRoot,
    L.Dropout,
    L.UpSampling2D,
    L.ZeroPadding2D,
    L.Cropping2D,
    ReflectionPadding2D,
    L.MaxPooling2D,
    L.AveragePooling2D,
)
_MERGING = (L.Add, L.Subtract, L.Average, L.Multiply)
# Functions of a single value, which softmax, for instance, is not.
_FUNCTIONS = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "swish", "silu"),
    *("tanh", "sigmoid", "hard_sigmoid", "softplus"),
}


_INPUTS = "they are the generator's input"
"""Why its channels are not cut."""
_MOST_JOINED = 2
"""Times the channels of the input that such a kernel writes at most: masks may be repeated."""


@dataclass(frozen=True, kw_only=True)
class ChannelGroup:
    """Channels that the same layers write: slimming takes how many of them to keep."""

    name: str
    """The writers' names, joined by +."""
    channels: int
    writers: tuple[str, ...]
    """Layers whose kernels lose output channels: several where an Add ties them together."""
    readers: tuple[str, ...]
    """Layers whose kernels lose input channels."""
    reason: str = ""
    """Why none of them can be cut; empty where they can."""


class DependencyGraph:
    """The channels of a functional or sequential model, numbered 0..count-1.

    ``reads`` and ``writes`` hold, for each layer with weights that is understood, the channel of
    each of its input and output channels. Raises PocketganError where the model is no graph of
    layers, or no channel can be cut.
    """

    def __init__(self, model: tf_keras.Model) -> None:
        trace = _Trace(model)
        ends = np.concatenate([np.zeros([2, 0], np.int64), *trace.couplings], axis=1)
        size = len(trace.layers)
        coupled = coo_array((np.ones(ends.shape[1], bool), tuple(ends)), shape=(size, size))
        self.count, numbers = connected_components(coupled, directed=False)
        self.reads = {name: numbers[outputs] for name, outputs in trace.reads.items()}
        self.writes = {name: numbers[outputs] for name, outputs in trace.writes.items()}
        self.members: dict[str, Outputs] = {}
        """Name of each group that can be cut → its channels, in the order of the writers'."""
        self.groups: list[ChannelGroup] = []
        for (writers, reason), channels in _grouped(trace, numbers).items():
            readers = tuple(
                name
                for name, read in self.reads.items()
                if name in trace.layers and np.isin(read, channels).any()
            )
            group = ChannelGroup(
                name="+".join(writers),
                channels=len(channels),
                writers=writers,
                readers=readers,
                reason=reason,
            )
            self.groups.append(group)
            if not reason:
                self.members[group.name] = np.array(channels)
        if not self.members:
            reasons = "; ".join(f"{group.name}, as {group.reason}" for group in self.groups)
            raise PocketganError(
                f"no channels of model '{model.name}' can be cut: {reasons}.",
                "Distil a student of its own shape instead.",
            )


def _grouped(trace: "_Trace", numbers: Outputs) -> dict[tuple[tuple[str, ...], str], list[int]]:
    """Names of the writers, and the reason not to cut → channels, in the order of the outputs."""
    writers: dict[int, dict[str, None]] = {}
    reasons: dict[int, str] = {}
    for output, channel in enumerate(numbers.tolist()):
        writers.setdefault(channel, {})[trace.layers[output]] = None
        reasons[channel] = reasons.get(channel) or trace.fixed.get(output, "")
    groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for channel, names in writers.items():
        groups.setdefault((tuple(names), reasons[channel]), []).append(channel)
    return groups


class _Trace:
    """Outputs and which of them are coupled, as one walk through a model finds them."""

    def __init__(self, model: tf_keras.Model) -> None:
        self.layers: list[str] = []
        """Name of the layer that each output belongs to."""
        self.fixed: dict[int, str] = {}
        """Output → why it cannot be cut."""
        self.couplings: list[np.ndarray] = []
        """Each [2, n]: pairs of outputs that can only be cut together."""
        self.reads: dict[str, Outputs] = {}
        self.writes: dict[str, Outputs] = {}
        if not hasattr(model, "_nodes_by_depth"):
            raise PocketganError(
                f"model '{model.name}' is no graph of layers, so its channels cannot be followed.",
                "Build it with tf_keras.Sequential or from tf_keras.Input on, or distil a student.",
            )
        outputs: dict[int, Outputs] = {}
        for node in nodes(model):
            inputs = [outputs[id(tensor)] for tensor in node.keras_inputs]
            for tensor in tf.nest.flatten(node.outputs):
                outputs[id(tensor)] = _follow(self, node, inputs, tensor)
        for tensor in model.outputs:
            self.fix(outputs[id(tensor)], "they are the picture's")

    def add(self, layer: str, count: int, reason: str = "") -> Outputs:
        """Outputs of a layer; with a reason they cannot be cut."""
        first = len(self.layers)
        self.layers += [layer] * count
        outputs = np.arange(first, first + count)
        if reason:
            self.fix(outputs, reason)
        return outputs

    def fix(self, outputs: Outputs, reason: str) -> None:
        """Forbid that they are cut; the first reason stays."""
        for output in outputs.tolist():
            self.fixed.setdefault(output, reason)

    def read(self, layer: str, outputs: Outputs) -> Outputs:
        """What the layer's input channels are; coupled with those of its earlier uses."""
        return self.couple(self.reads.setdefault(layer, outputs), outputs)

    def write(self, layer: str, outputs: Outputs) -> Outputs:
        """The same of its output channels."""
        return self.couple(self.writes.setdefault(layer, outputs), outputs)

    def couple(self, one: Outputs, other: Outputs) -> Outputs:
        """Couple pair by pair."""
        self.couplings.append(np.stack([one.ravel(), other.ravel()]))
        return one

    def couple_columns(self, outputs: Outputs) -> Outputs:
        """[..., C] → [C]: couple all that stand at one index of the last axis."""
        rows: Outputs = outputs.reshape(-1, outputs.shape[-1])
        self.couple(rows, np.broadcast_to(rows[0], rows.shape))
        first: Outputs = rows[0]
        return first


def _follow(trace: _Trace, node: Any, inputs: Sequence[Outputs], tensor: Any) -> Outputs:
    """The outputs in ``tensor``, which the use ``node`` of a layer makes of its ``inputs``."""
    layer, channels = node.layer, tensor.shape[-1]
    if node.is_input:
        return trace.add(layer.name, channels, _INPUTS)
    rule = next((rule for kinds, rule in _RULES if type(layer) in kinds), None)
    if rule is not None and _is_usual(layer):
        outputs = rule(trace, node, inputs)
        if outputs is not None:
            return outputs
    reason = f"it is not known how layer '{layer.name}' ({type(layer).__name__}) treats channels"
    for read in inputs:
        trace.fix(read, reason)
    return trace.add(layer.name, channels or 1, reason)


def _is_usual(layer: tf_keras.layers.Layer) -> bool:
    """Whether no setting makes an understood layer do something else."""
    function = getattr(layer, "activation", tf_keras.activations.linear)
    return (
        getattr(function, "__name__", "") in _FUNCTIONS
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and getattr(layer, "groups", 1) == 1
    )


_Rule = Callable[[_Trace, Any, Sequence[Outputs]], Outputs | None]
"""The outputs in what a node, one use of a layer, makes of its inputs' outputs.

None where the layer does what is not understood."""


def _kernel(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs:
    name = node.layer.name
    trace.read(name, inputs[0])
    if name not in trace.writes:
        reason = _INPUTS if _selects_inputs(trace, node, inputs[0]) else ""
        trace.writes[name] = trace.add(name, node.outputs.shape[-1], reason)
    return trace.writes[name]


def _selects_inputs(trace: _Trace, node: Any, read: Outputs) -> bool:
    """Whether it only rescales and joins channels of the generator's input: none is to be lost."""
    kernel, is_input = node.layer.kernel.numpy(), [trace.fixed.get(i) == _INPUTS for i in read.flat]
    return (
        type(node.layer) is L.Conv2D
        and all(is_input)
        and kernel.shape[-1] <= _MOST_JOINED * len(is_input)
        and bool((np.count_nonzero(kernel, axis=(0, 1, 2)) == 1).all())
    )


def _depthwise(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs:
    trace.read(node.layer.name, inputs[0])
    return trace.write(node.layer.name, np.repeat(inputs[0], node.layer.depth_multiplier))


def _batch_norm(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs | None:
    if list(node.layer.axis) != [len(node.outputs.shape) - 1]:
        return None
    return _by_channel(trace, node, inputs)


def _by_channel(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs:
    """A layer whose weights end with an axis of its channels."""
    read = trace.read(node.layer.name, inputs[0])
    return trace.writes.setdefault(node.layer.name, read)


def _passing(_trace: _Trace, _node: Any, inputs: Sequence[Outputs]) -> Outputs:
    return inputs[0]


def _reshape(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs | None:
    (read,), shape = inputs, node.outputs.shape[1:]
    read_shape = node.keras_inputs[0].shape[1:]
    if None in (*read_shape, *shape):  # of free size
        return None
    written = trace.couple_columns(np.broadcast_to(read, read_shape).reshape(shape))
    return trace.write(node.layer.name, written)


def _depth_to_space(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs:
    return trace.couple_columns(inputs[0].reshape(node.layer.block**2, -1))


def _merge(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs | None:
    if len({read.shape[-1] for read in node.keras_inputs}) > 1:  # one channel meets them all
        return None
    first, *others = inputs
    for other in others:
        trace.couple(first, other)
    return first


def _concatenate(trace: _Trace, node: Any, inputs: Sequence[Outputs]) -> Outputs | None:
    if node.layer.axis in (-1, len(node.outputs.shape) - 1):
        return np.concatenate(inputs)
    return _merge(trace, node, inputs)  # side by side, in the same channels


_RULES: Sequence[tuple[Sequence[type], _Rule]] = (
    (tuple(KERNEL_AXES), _kernel),
    ((L.DepthwiseConv2D,), _depthwise),
    ((L.BatchNormalization,), _batch_norm),
    ((LearnedMap, Truncation), _by_channel),
    (_PASSING, _passing),
    ((L.Reshape, L.Flatten), _reshape),
    ((DepthToSpace,), _depth_to_space),
    (_MERGING, _merge),
    ((L.Concatenate,), _concatenate),
)
