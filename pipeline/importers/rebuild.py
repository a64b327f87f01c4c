"""Functional models of any Keras, rebuilt of tf_keras layers, nested models laid flat."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import tensorflow as tf

from pipeline.importers.layer_mapping import NoTwinError, Twin, is_operation, twin_of
from pipeline.importers.loaded import SourceLayer

Call = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], Any]


def functional(model: Any) -> Any | None:
    """The graph of layers that a model is; None where it is code of somebody's.

    Keras 3 keeps it inside a sequential model.
    """
    graph = getattr(model, "_functional", None) or model
    return graph if hasattr(graph, "_nodes_by_depth") else None


def compute(graph: Any, inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a graph of layers, at inference, through its own layers."""

    def call(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], _: Any) -> Any:
        return layer(*args, **kwargs)

    return run(graph, inputs, call)


class Rebuilding:
    """Puts twins of a graph's layers behind some tensors of tf_keras."""

    def __init__(self) -> None:
        self.rows: list[SourceLayer] = []
        self._twins: dict[int, Twin] = {}
        self._names: set[str] = set()

    def outputs(self, graph: Any, inputs: Sequence[Any]) -> list[Any]:
        """What the twins give; raises NoTwinError where a layer has none."""
        return run(graph, inputs, self._call)

    def copy_weights(self) -> None:
        """From each layer to its twin."""
        for twin in self._twins.values():
            twin.copy_weights()

    def _call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], given: Any) -> Any:
        inner = functional(layer)
        if inner is not None:
            return run(inner, tf.nest.flatten(args), self._call)
        operands = [*args, *(value for value in kwargs.values() if value is not None)]
        if id(layer) not in self._twins:
            twin = twin_of(layer, self._unused(layer.name), operands)
            self._twins[id(layer)] = twin
            self.rows.append(_row(layer, twin, given))
        if is_operation(layer):
            operands = [operand for operand in operands if not isinstance(operand, int | float)]
            return self._twins[id(layer)](operands if len(operands) > 1 else operands[0])
        if len(operands) > 1:
            # What compresses models builds them anew from tensors alone.
            raise NoTwinError(f"layer '{layer.name}' is called with more than its input")
        return self._twins[id(layer)](operands[0])

    def _unused(self, name: str) -> str:
        """The name, with a number where another nested model has a layer of that name."""
        number, unused = 1, name
        while unused in self._names:
            number += 1
            unused = f"{name}_{number}"
        self._names.add(unused)
        return unused


def _row(layer: Any, twin: Twin, given: Any) -> SourceLayer:
    return SourceLayer(
        name=layer.name,
        type=type(layer).__name__,
        shape=tuple(tf.nest.flatten(given)[0].shape),
        weights=sum(weight.size for weight in twin.weights),
        became=tuple(part.name for part in twin.parts),
        note=twin.note,
    )


def run(graph: Any, inputs: Sequence[Any], call: Call) -> list[Any]:
    """Walk through a graph of layers; ``call`` gets layer, arguments, and what it gave once."""
    made = dict(zip(map(id, graph.inputs), inputs, strict=True))

    def filled(given: Any) -> Any:
        return tf.nest.map_structure(lambda value: made.get(id(value), value), given)

    for node in _nodes(graph):
        layer, args, kwargs = _call_of(node)
        passed = {key: value for key, value in kwargs.items() if key not in ("training", "mask")}
        outputs = call(layer, filled(args), filled(passed), node.outputs)
        made |= zip(map(id, tf.nest.flatten(node.outputs)), tf.nest.flatten(outputs), strict=True)
    return [made[id(tensor)] for tensor in graph.outputs]


def _nodes(graph: Any) -> Iterator[Any]:
    """Every use of a layer, each after those whose output it reads."""
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        yield from (node for node in graph._nodes_by_depth[depth] if not node.is_input)


def _call_of(node: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """Layer and arguments: of Keras 3, or of Keras 2."""
    if hasattr(node, "operation"):
        return node.operation, node.arguments.args, node.arguments.kwargs
    return node.layer, node.call_args, node.call_kwargs
