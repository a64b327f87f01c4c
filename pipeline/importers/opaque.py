"""A generator that is known by what it draws only: a frozen TensorFlow graph inside one layer."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

_MOVES_ONLY = ("Identity", "StopGradient", "Reshape", "Cast", "Squeeze", "ExpandDims")


@dataclass(frozen=True)
class Frozen:
    """A TensorFlow graph without variables: everything that it needs is in its bytes."""

    graph: bytes
    """A serialized GraphDef."""
    inputs: tuple[str, ...]
    """Names of tensors, in order."""
    outputs: tuple[str, ...]

    @property
    def definition(self) -> Any:
        """The GraphDef."""
        return tf.compat.v1.GraphDef.FromString(self.graph)

    def constants(self) -> Iterator[tuple[str, np.ndarray]]:
        """Name and values of every float constant: the weights, and single numbers."""
        for node in self.definition.node:
            if node.op == "Const" and tf.dtypes.as_dtype(node.attr["dtype"].type).is_floating:
                yield node.name, tf.make_ndarray(node.attr["value"].tensor)

    def operations(self) -> set[str]:
        """Which operations occur, in functions too."""
        definition = self.definition
        nodes = [*definition.node, *(n for f in definition.library.function for n in f.node_def)]
        return {node.op for node in nodes}

    def last_operation(self) -> str:
        """The operation that computes the (first) output, looked through what moves numbers."""
        nodes = {node.name: node for node in self.definition.node}
        node = nodes[self.outputs[0].split(":")[0]]
        while node.op in _MOVES_ONLY:
            node = nodes[node.input[0].split(":")[0]]
        return str(node.op)


def freeze(function: Callable[..., Any], specs: Sequence[tf.TensorSpec]) -> Frozen:
    """The graph that ``function`` computes for tensors of these shapes and types."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(concrete)
    return Frozen(
        frozen.graph.as_graph_def().SerializeToString(deterministic=True),
        tuple(tensor.name for tensor in frozen.inputs),
        tuple(tensor.name for tensor in frozen.outputs),
    )


class Opaque(tf_keras.layers.Layer):  # type: ignore[misc]
    """Computes a frozen graph; ``batch`` where the graph takes no other number of rows."""

    def __init__(self, frozen: Frozen, batch: int | None = None, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self._batch = batch
        wrapped = tf.compat.v1.wrap_function(
            lambda: tf.import_graph_def(frozen.definition, name=""), []
        )
        named = wrapped.graph.as_graph_element
        self._function = wrapped.prune(
            [named(name) for name in frozen.inputs], [named(name) for name in frozen.outputs]
        )

    def call(self, inputs: Any) -> Any:
        """The graph's outputs: one tensor, or a list."""
        tensors = tf.nest.flatten(inputs)
        if self._batch in (None, tensors[0].shape[0]):
            outputs = self._function(*tensors)
        else:
            outputs = self._in_batches(tensors)
        return outputs if len(outputs) > 1 else outputs[0]

    def _in_batches(self, tensors: list[Any]) -> list[Any]:
        """Fill up the last batch with zeros, draw batch by batch, and leave those zeros out."""
        rows = tf.shape(tensors[0])[0]
        lacking = -rows % self._batch
        batches = [
            tf.reshape(
                tf.pad(tensor, [[0, lacking], *[[0, 0]] * (len(tensor.shape) - 1)]),
                [-1, self._batch, *tensor.shape[1:]],
            )
            for tensor in tensors
        ]
        outputs = self._function.outputs
        drawn = tf.map_fn(
            lambda batch: tuple(self._function(*batch)),
            tuple(batches),
            fn_output_signature=tuple(tf.TensorSpec(o.shape, o.dtype) for o in outputs),
        )
        return [
            tf.reshape(values, [-1, *output.shape[1:]])[:rows]
            for values, output in zip(drawn, outputs, strict=True)
        ]
