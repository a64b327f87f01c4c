"""A generator of which nothing but its drawing is known: a frozen TensorFlow graph as one layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from deploy.errors import PocketganError, one_line
from pipeline.importers.input_adapter import InputAdapter
from pipeline.importers.loaded import TRIAL_INPUTS, LoadedGenerator, alike

_KEEP_NUMBERS = ("Identity", "StopGradient", "Reshape", "Cast", "Squeeze", "ExpandDims")


@dataclass(frozen=True)
class FrozenGraph:
    """A TensorFlow graph without variables: everything that it needs is in its bytes."""

    graph: bytes
    """A serialized GraphDef."""
    inputs: tuple[str, ...]
    """Names of tensors, in order."""
    outputs: tuple[str, ...]
    batch: int | None = None
    """The only batch size that it takes; None where any will do."""

    @property
    def definition(self) -> Any:
        return tf.compat.v1.GraphDef.FromString(self.graph)

    def last_operation(self) -> str:
        """The operation that computes the first output, before those that only move numbers."""
        nodes = {node.name: node for node in self.definition.node}
        node = nodes[self.outputs[0].split(":")[0]]
        while node.op in _KEEP_NUMBERS:
            node = nodes[node.input[0].split(":")[0]]
        return str(node.op)


def freeze(function: Callable[..., Any], specs: Sequence[tf.TensorSpec]) -> FrozenGraph:
    """The graph that ``function`` computes for tensors of these shapes (all of one batch size)."""
    concrete = tf.function(function, autograph=False).get_concrete_function(*specs)
    frozen = convert_variables_to_constants_v2(concrete)
    return FrozenGraph(
        frozen.graph.as_graph_def().SerializeToString(deterministic=True),
        tuple(tensor.name for tensor in frozen.inputs),
        tuple(tensor.name for tensor in frozen.outputs),
        specs[0].shape[0],
    )


def graph_function(graph: FrozenGraph) -> Any:
    """A function of TensorFlow that computes ``graph``: its inputs → list of its outputs.

    Raises what TensorFlow raises for a graph that it cannot run.
    """
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph.definition, name=""), [])
    element = wrapped.graph.as_graph_element
    return wrapped.prune(
        [element(name) for name in graph.inputs], [element(name) for name in graph.outputs]
    )


class Opaque(tf_keras.layers.Layer):  # type: ignore[misc]
    """Computes a frozen graph, for any batch size."""

    def __init__(self, graph: FrozenGraph, **kwargs: Any) -> None:
        super().__init__(trainable=False, **kwargs)
        self._batch, self._function = graph.batch, graph_function(graph)

    def call(self, inputs: Any) -> Any:
        """The graph's outputs: one tensor, or a list."""
        tensors = tf.nest.flatten(inputs)
        if self._batch in (None, tensors[0].shape[0]):
            outputs = self._function(*tensors)
        else:
            outputs = self._in_batches(tensors)
        return outputs if len(outputs) > 1 else outputs[0]

    def _in_batches(self, tensors: list[Any]) -> list[Any]:
        """Fill up the last batch with zeros, draw batch by batch, and leave those zeros out.

        Batches of a known number are drawn one after the other, without a loop in the graph:
        TFLite's calibrator crashes on loops.
        """
        rows = tensors[0].shape[0] or tf.shape(tensors[0])[0]
        lacking = -rows % self._batch
        batches = tuple(
            tf.reshape(
                tf.pad(tensor, [[0, lacking], *[[0, 0]] * (len(tensor.shape) - 1)]),
                [-1, self._batch, *tensor.shape[1:]],
            )
            for tensor in tensors
        )
        if isinstance(rows, int):
            drawn = [
                self._function(*batch) for batch in zip(*map(tf.unstack, batches), strict=True)
            ]
            return [tf.concat(values, 0)[:rows] for values in zip(*drawn, strict=True)]
        outputs = self._function.outputs
        drawn_batches = tf.map_fn(
            lambda batch: tuple(self._function(*batch)),
            batches,
            fn_output_signature=tuple(tf.TensorSpec(o.shape, o.dtype) for o in outputs),
        )
        return [
            tf.reshape(values, [-1, *output.shape[1:]])[:rows]
            for values, output in zip(drawn_batches, outputs, strict=True)
        ]


def freeze_generator(
    path: Path, loaded: LoadedGenerator, adapter: InputAdapter
) -> tuple[tf_keras.Model, FrozenGraph, str]:
    """The forward function as a model of one layer, its graph, and its last operation.

    ``path`` names the generator in errors. Raises PocketganError where it cannot be frozen, or
    draws otherwise then.
    """
    try:
        inner = freeze(
            lambda *tensors: loaded.compute(*tensors)[0],
            [
                tf.TensorSpec([loaded.batch, *each.shape], each.dtype, name=each.name)
                for each in loaded.inputs
            ],
        )
        port = tf_keras.Input(adapter.shape)
        pictures = Opaque(inner)(adapter.split(port))
        whole = tf_keras.Model(port, tf.cast(pictures, tf.float32))
        shape = [loaded.batch, *adapter.shape]
        graph = freeze(whole, [tf.TensorSpec(shape, tf.float32, name="given")])
        model = opaque_model(graph, adapter.shape)
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise PocketganError(
            f"{path} cannot be turned into a fixed graph: {one_line(error, 300)}",
            "Save it as a functional Keras model, or with a signature [None, ...] → pictures.",
        ) from error
    inputs = adapter.random_inputs(loaded.batch or TRIAL_INPUTS)
    (wanted,) = loaded.compute(*adapter.source_inputs(inputs))
    if not alike(np.asarray(wanted), model(inputs, training=False).numpy()):
        raise PocketganError(
            f"{path} draws otherwise as a fixed graph.",
            "It keeps a state, or depends on the batch: save it without.",
        )
    return model, graph, inner.last_operation()


def opaque_model(graph: FrozenGraph, shape: tuple[int, ...]) -> tf_keras.Model:
    """A model around a frozen graph whose one input has ``shape``, the batch left out."""
    port = tf_keras.Input(shape, name="given")
    return tf_keras.Model(port, Opaque(graph, name="opaque")(port), name="teacher")
