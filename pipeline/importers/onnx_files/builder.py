"""Layers of tf_keras for the operations of an ONNX graph, one operation after the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tf_keras

from pipeline.importers.layer_mapping import UnmappedLayerError
from pipeline.importers.onnx_files.graph import Graph, Node
from pipeline.importers.onnx_files.layout import (
    MAP_RANK,
    Factor,
    Factors,
    Layout,
    LayoutError,
    map_order,
    same_factors,
)
from pipeline.networks.layers import DepthToSpace

L = tf_keras.layers
Crop = tuple[tuple[int, int], tuple[int, int]]
"""Rows and columns of a map that are still to be cut off at its start and end."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """What an operation gives: a tensor of tf_keras, and where the numbers of ONNX lie in it."""

    tensor: Any
    layout: Layout
    mover: str = ""
    """The last operation that only moved numbers, which is done when a layer wants them moved."""
    crop: Crop | None = None
    """What belongs off the tensor, but not before batch norm and activation: there they fold."""


class Builder:
    """Holds what the operations of a graph have become, and brings it into the order of need.

    ``moves`` says what the operations that only move numbers make of a layout, ``pointwise`` which
    others leave each number in its place.
    """

    def __init__(
        self,
        graph: Graph,
        moves: Mapping[str, Callable[[Graph, Node, Layout], Layout]],
        pointwise: frozenset[str],
    ) -> None:
        self.graph = graph
        self.values: dict[str, Value] = {}
        self._moves, self._pointwise = moves, pointwise
        self._weights: list[tuple[tf_keras.layers.Layer, Sequence[np.ndarray]]] = []
        self._names: set[str] = set()

    def apply(self, layer_class: type, tensors: Any, name: str, **settings: Any) -> Any:
        """What a new layer gives for tensors; it is called ``name``, or nearly so."""
        return layer_class(name=self.unused(name), **settings)(tensors)

    def unused(self, name: str) -> str:
        """The name, with a number where another layer or input has it; it is taken from now on."""
        unused, number = name, 1
        while unused.lower() in self._names:
            number += 1
            unused = f"{name}_{number}"
        self._names.add(unused.lower())
        return unused

    def weigh(self, tensor: Any, *weights: np.ndarray) -> None:
        """Remember the weights of the layer that gave a tensor."""
        self._weights.append((tensor._keras_history.layer, weights))

    def set_weights(self) -> None:
        """Give every layer its own."""
        for layer, weights in self._weights:
            layer.set_weights([np.asarray(weight, np.float32) for weight in weights])

    def bias_behind(self, node: Node, length: int) -> tuple[np.ndarray | None, str]:
        """The constant of each channel that is added next, if one is, and the name of the sum."""
        (name,) = node.outputs
        reader = self.graph.only_reader(name)
        if reader is None or reader.op != "Add":
            return None, name
        operands = [self.graph.constants.get(each) for each in reader.inputs]
        added = next((operand for operand in operands if operand is not None), None)
        sides = 1 if node.op in ("MatMul", "Gemm") else 3
        if added is None or added.size != length or ((1,) * sides + added.shape)[-sides] != length:
            return None, name  # or one number a row, and not a channel
        return added.reshape(length), reader.outputs[0]

    def uncropped(self, name: str) -> Value:
        """What was computed under that name, perhaps with borders that are still to go."""
        if name in self.graph.constants:
            raise ValueError(f"'{name}' is a constant where a layer has its input")
        return self.values[name]

    def value(self, name: str) -> Value:
        """What was computed under that name."""
        value = self.uncropped(name)
        if value.crop is None:
            return value
        tensor = self.apply(L.Cropping2D, value.tensor, f"{value.mover}_crop", cropping=value.crop)
        self.values[name] = replace(value, tensor=tensor, crop=None, mover="")
        return self.values[name]

    def move(self, node: Node) -> Value:
        """Regroup, where a table entry says how."""
        value = self.value(node.inputs[0])
        layout = self._moves[node.op](self.graph, node, value.layout)
        return replace(value, layout=layout, mover=node.name)

    def map(self, name: str, node: Node) -> Value:
        """A value as maps [N, H, W, C], the channels in whatever order."""
        value = self.value(name)
        axes, stored = value.layout.axes, value.layout.stored
        if len(axes) != MAP_RANK:
            raise UnmappedLayerError(
                f"operation '{node.name}' ({node.op}) reads {len(axes)} axes, and not maps"
            )
        wanted = map_order(axes)
        if stored[:-1] == wanted[:-1] and same_factors(stored[-1], wanted[-1]):
            return value
        channels = tuple(factor for axis in stored for factor in axis if factor in axes[1])
        return self.settle(value, (*wanted[:-1], channels), node.name)

    def plain(self, name: str, node: Node) -> Value:
        """A value as it lies in ONNX; of maps the channels are last all the same."""
        value = self.value(name)
        axes = value.layout.axes
        return self.settle(value, map_order(axes) if len(axes) == MAP_RANK else axes, node.name)

    def settle(self, value: Value, wanted: tuple[Factors, ...], reader: str) -> Value:
        """The value stored with those axes, as the operation ``reader`` wants it.

        Raises UnmappedLayerError where the batch would move.
        """
        stored = value.layout.stored
        if stored == wanted:
            return value
        if stored[0] != wanted[0]:
            raise UnmappedLayerError(f"what '{reader}' reads has its batch elsewhere")
        name, tensor = value.mover or reader, value.tensor
        block = _sub_pixel_block(stored, wanted)
        if block:
            tensor = self.apply(DepthToSpace, tensor, name, block=block)
        else:
            tensor = self._moved(tensor, name, stored, wanted)
        return Value(tensor=tensor, layout=Layout(value.layout.axes, wanted))

    def _moved(
        self, tensor: Any, name: str, stored: tuple[Factors, ...], wanted: tuple[Factors, ...]
    ) -> Any:
        now = [factor for axis in stored[1:] for factor in axis]
        then = [factor for axis in wanted[1:] for factor in axis]
        if now != then:
            tensor = self._reshaped(tensor, name, [factor.size for factor in now])
            order = [now.index(factor) + 1 for factor in then]
            tensor = self.apply(L.Permute, tensor, f"{name}_permute", dims=order)
        return self._reshaped(tensor, name, Layout(wanted, wanted).stored_shape)

    def _reshaped(self, tensor: Any, name: str, shape: Sequence[int]) -> Any:
        if tuple(tensor.shape[1:]) == tuple(shape):
            return tensor
        return self.apply(L.Reshape, tensor, name, target_shape=tuple(shape))

    def output_order(self, name: str, layout: Layout) -> tuple[Factors, Factors]:
        """The last stored axis of what a layer with a kernel gives: in ONNX's order, and in the
        order in which those who read it will want it, so that nothing need be moved then."""
        while (reader := self.graph.only_reader(name)) is not None:
            if reader.op in self._moves:
                try:
                    layout = self._moves[reader.op](self.graph, reader, layout)
                except (LayoutError, UnmappedLayerError):
                    break
            elif reader.op not in self._pointwise:
                break
            name = reader.outputs[0]
        axes, own = layout.axes, layout.stored[-1]
        wanted = map_order(axes) if len(axes) == MAP_RANK else axes
        order = tuple(factor for axis in wanted for factor in axis if factor in own)
        return own, order


def new_axis(length: int) -> Factors:
    """An axis of that length whose numbers have never been elsewhere."""
    return (Factor(length),) if length > 1 else ()


def _sub_pixel_block(stored: tuple[Factors, ...], wanted: tuple[Factors, ...]) -> int:
    """Side of the blocks where sub-pixel shuffling leads from one to the other, else 0."""
    if not len(stored) == len(wanted) == MAP_RANK or not (wanted[1] and wanted[2]):
        return 0
    (*rows, down), (*columns, right) = wanted[1], wanted[2]
    is_shuffle = (tuple(rows), tuple(columns)) == stored[1:3] and stored[3] == (
        down,
        right,
        *wanted[3],
    )
    return down.size if is_shuffle and down.size == right.size else 0
