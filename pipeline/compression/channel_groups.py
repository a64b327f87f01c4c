"""Which outputs of a model's layers stand or fall together: the channels that slimming cuts.

Every output of a layer with a kernel is a *unit*. What a Dense layer gives for one channel is
spread over all positions of the map that a Reshape makes of it; DepthToSpace makes one channel of
several; Add ties the channels of both sides together. So units are joined along the graph, and a
*channel* is a set of joined units.
"""

from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from deploy.errors import PocketganError
from pipeline.compression.graph import nodes
from pipeline.networks.layers import DepthToSpace

Labels = np.ndarray
"""int64 [C]: the unit, or the channel, that each entry of a tensor's last axis belongs to."""

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
    L.Dropout,
    L.UpSampling2D,
    L.ZeroPadding2D,
    L.Cropping2D,
    L.MaxPooling2D,
    L.AveragePooling2D,
)
_MERGING = (L.Add, L.Subtract, L.Average, L.Multiply)
# Functions of one value. Softmax, for instance, is none.
_FUNCTIONS = {
    *("linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "swish", "silu"),
    *("tanh", "sigmoid", "hard_sigmoid", "softplus"),
}


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that the same layers write; slimming keeps as many of them as it is told."""

    name: str
    """The writers' names, joined by +."""
    channels: int
    writers: tuple[str, ...]
    """Layers whose kernels lose output channels: several where an Add ties them together."""
    readers: tuple[str, ...]
    """Layers whose kernels lose input channels."""
    reason: str = ""
    """Why none of them can be cut; empty where they can."""


class Channels:
    """The channels of a functional or sequential model, numbered 0..count-1.

    ``reads`` and ``writes`` hold, for each layer with weights that is understood, the channel of
    each of its input and output channels. Raises PocketganError where the model is no graph of
    layers, or no channel can be cut.
    """

    def __init__(self, model: tf_keras.Model) -> None:
        units = _Units(model)
        ends = np.concatenate([np.zeros([2, 0], np.int64), *units.pairs], axis=1)
        size = len(units.owners)
        joined = coo_array((np.ones(ends.shape[1], bool), tuple(ends)), shape=(size, size))
        self.count, numbers = connected_components(joined, directed=False)
        self.reads = {name: numbers[found] for name, found in units.reads.items()}
        self.writes = {name: numbers[found] for name, found in units.writes.items()}
        self.members: dict[str, Labels] = {}
        """Name of each group that can be cut → its channels, in the order of the writers' units."""
        self.groups: list[ChannelGroup] = []
        for (names, reason), found in _grouped(units, numbers).items():
            readers = self._readers(found, set(units.owners))
            group = ChannelGroup("+".join(names), len(found), names, readers, reason)
            self.groups.append(group)
            if not reason:
                self.members[group.name] = np.array(found)
        if not self.members:
            raise PocketganError(
                f"no channels of model '{model.name}' can be cut: {_reasons(self.groups)}.",
                "Distil a student of its own shape instead.",
            )

    def _readers(self, channels: Sequence[int], with_units: Container[str]) -> tuple[str, ...]:
        """Layers that mix the channels into units of their own."""
        return tuple(
            name
            for name, read in self.reads.items()
            if name in with_units and np.isin(read, channels).any()
        )


def _reasons(groups: Sequence[ChannelGroup]) -> str:
    return "; ".join(f"{group.name}, as {group.reason}" for group in groups)


def _grouped(units: "_Units", numbers: Labels) -> dict[tuple[tuple[str, ...], str], list[int]]:
    """Writers and reason → channels, all in the order of the units."""
    writers: dict[int, dict[str, None]] = {}
    reasons: dict[int, str] = {}
    for unit, channel in enumerate(numbers.tolist()):
        writers.setdefault(channel, {})[units.owners[unit]] = None
        reasons[channel] = reasons.get(channel) or units.fixed.get(unit, "")
    groups: dict[tuple[tuple[str, ...], str], list[int]] = {}
    for channel, names in writers.items():
        groups.setdefault((tuple(names), reasons[channel]), []).append(channel)
    return groups


class _Units:
    """Units and which of them are joined, as one walk through a model finds them."""

    def __init__(self, model: tf_keras.Model) -> None:
        self.owners: list[str] = []
        """Name of the layer that each unit belongs to."""
        self.fixed: dict[int, str] = {}
        """Unit → why it cannot be cut."""
        self.pairs: list[np.ndarray] = []
        """Each [2, n]: units that are joined."""
        self.reads: dict[str, Labels] = {}
        self.writes: dict[str, Labels] = {}
        labels: dict[int, Labels] = {}
        for node in _nodes(model):
            given = [labels[id(tensor)] for tensor in node.keras_inputs]
            for tensor in tf.nest.flatten(node.outputs):
                labels[id(tensor)] = _labels(self, node, given, tensor)
        for tensor in model.outputs:
            self.fix(labels[id(tensor)], "they are the picture's")

    def new(self, owner: str, count: int) -> Labels:
        """Units of a layer."""
        first = len(self.owners)
        self.owners += [owner] * count
        return np.arange(first, first + count)

    def new_fixed(self, owner: str, count: int, reason: str) -> Labels:
        """Units of a layer that cannot be cut."""
        made = self.new(owner, count)
        self.fix(made, reason)
        return made

    def fix(self, labels: Labels, reason: str) -> None:
        """Forbid that they are cut; the first reason stays."""
        for unit in labels.tolist():
            self.fixed.setdefault(unit, reason)

    def join(self, one: Labels, other: Labels) -> Labels:
        """Let units stand or fall together, pair by pair."""
        self.pairs.append(np.stack([one.ravel(), other.ravel()]))
        return one

    def join_columns(self, labels: Labels) -> Labels:
        """[..., C] → [C]: join all that share a place on the last axis."""
        rows: Labels = labels.reshape(-1, labels.shape[-1])
        self.join(rows, np.broadcast_to(rows[0], rows.shape))
        first: Labels = rows[0]
        return first


def _nodes(model: tf_keras.Model) -> Iterator[Any]:
    if not hasattr(model, "_nodes_by_depth"):
        raise PocketganError(
            f"model '{model.name}' is no graph of layers, so its channels cannot be followed.",
            "Build it with tf_keras.Sequential or from tf_keras.Input on, or distil a student.",
        )
    return nodes(model)


def _labels(units: _Units, node: Any, given: Sequence[Labels], output: Any) -> Labels:
    """What a use of a layer makes of the labels of its inputs; ``output`` is one of its outputs."""
    layer, channels = node.layer, output.shape[-1]
    if node.is_input:
        return units.new_fixed(layer.name, channels, "they are the generator's input")
    shapes = [tuple(tensor.shape[1:]) for tensor in node.keras_inputs]
    rule = next((rule for kinds, rule in _RULES if type(layer) in kinds), None)
    if rule is not None and not _odd(layer):
        made = rule(units, layer, given, shapes, tuple(output.shape[1:]))
        if made is not None:
            return made
    reason = f"it is not known how layer '{layer.name}' ({type(layer).__name__}) treats channels"
    for labels in given:
        units.fix(labels, reason)
    return units.new_fixed(layer.name, channels or 1, reason)


def _odd(layer: tf_keras.layers.Layer) -> bool:
    """Whether its settings make an understood layer do something else."""
    function = getattr(layer, "activation", tf_keras.activations.linear)
    return (
        getattr(function, "__name__", "") not in _FUNCTIONS
        or getattr(layer, "data_format", "channels_last") != "channels_last"
        or getattr(layer, "groups", 1) != 1
    )


Shape = tuple[Any, ...]
Rule = Callable[[_Units, Any, Sequence[Labels], Sequence[Shape], Shape], Labels | None]
"""Units, layer, labels and shapes of its inputs, shape of its output → the output's labels; None
where the layer does what is not understood. Shapes are those of one picture, None where free."""


def _kernel(
    units: _Units, layer: Any, given: Sequence[Labels], _shapes: Sequence[Shape], shape: Shape
) -> Labels:
    (read,) = given
    units.join(units.reads.setdefault(layer.name, read), read)
    if layer.name not in units.writes:
        units.writes[layer.name] = units.new(layer.name, shape[-1])
    return units.writes[layer.name]


def _depthwise(
    units: _Units, layer: Any, given: Sequence[Labels], _shapes: Sequence[Shape], _shape: Shape
) -> Labels:
    (read,) = given
    written = np.repeat(read, layer.depth_multiplier)
    units.join(units.reads.setdefault(layer.name, read), read)
    return units.join(units.writes.setdefault(layer.name, written), written)


def _batch_norm(
    units: _Units, layer: Any, given: Sequence[Labels], shapes: Sequence[Shape], shape: Shape
) -> Labels | None:
    if list(layer.axis) != [len(shape)]:
        return None
    (read,) = given
    units.join(units.reads.setdefault(layer.name, read), read)
    return units.writes.setdefault(layer.name, units.reads[layer.name])


def _passing(
    _units: _Units, _layer: Any, given: Sequence[Labels], _shapes: Sequence[Shape], _shape: Shape
) -> Labels:
    return given[0]


def _reshape(
    units: _Units, layer: Any, given: Sequence[Labels], shapes: Sequence[Shape], shape: Shape
) -> Labels | None:
    if None in (*shapes[0], *shape):  # of free size
        return None
    written = units.join_columns(np.broadcast_to(given[0], shapes[0]).reshape(shape))
    return units.join(units.writes.setdefault(layer.name, written), written)


def _depth_to_space(
    units: _Units, layer: Any, given: Sequence[Labels], _shapes: Sequence[Shape], _shape: Shape
) -> Labels:
    return units.join_columns(given[0].reshape(layer.block**2, -1))


def _merge(
    units: _Units, _layer: Any, given: Sequence[Labels], shapes: Sequence[Shape], _shape: Shape
) -> Labels | None:
    if len(set(shapes)) > 1:  # broadcast
        return None
    for other in given[1:]:
        units.join(given[0], other)
    return given[0]


def _concatenate(
    _units: _Units, layer: Any, given: Sequence[Labels], _shapes: Sequence[Shape], shape: Shape
) -> Labels | None:
    return np.concatenate(given) if layer.axis in (-1, len(shape)) else None


_RULES: Sequence[tuple[Sequence[type], Rule]] = (
    (tuple(KERNEL_AXES), _kernel),
    ((L.DepthwiseConv2D,), _depthwise),
    ((L.BatchNormalization,), _batch_norm),
    (_PASSING, _passing),
    ((L.Reshape, L.Flatten), _reshape),
    ((DepthToSpace,), _depth_to_space),
    (_MERGING, _merge),
    ((L.Concatenate,), _concatenate),
)
