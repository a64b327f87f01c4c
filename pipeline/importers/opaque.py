"""A generator of which nothing but its drawing is known.

A frozen TensorFlow graph, or what such a graph hands on to another runtime.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from deploy.errors import PocketganError, one_line
from pipeline.importers.alpha import on_white
from pipeline.importers.foreign import Foreign, ForeignProgram
from pipeline.importers.input_adapter import InputAdapter
from pipeline.importers.loaded import TRIAL_INPUTS, LoadedGenerator, alike
from pipeline.importers.model_input import ModelInput
from pipeline.networks.pixels import PixelRange

_KEEP_NUMBERS = (
    *("Identity", "StopGradient", "Reshape", "Cast", "Squeeze", "ExpandDims", "EnsureShape"),
    *("Transpose", "StridedSlice", "DepthToSpace"),
)


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
    definition = frozen.graph.as_graph_def()
    _seed(definition)
    return FrozenGraph(
        definition.SerializeToString(deterministic=True),
        tuple(tensor.name for tensor in frozen.inputs),
        tuple(tensor.name for tensor in frozen.outputs),
        next((spec.shape[0] for spec in specs if spec.shape.rank > 1), None),
    )


def _seed(definition: Any) -> None:
    """Give every random operation a seed of its own, where it has none: no run is random."""
    of_functions = (node for function in definition.library.function for node in function.node_def)
    for number, node in enumerate((*definition.node, *of_functions), start=1):
        if {"seed", "seed2"} <= node.attr.keys():
            seeds = node.attr["seed"], node.attr["seed2"]
            if not any(seed.i for seed in seeds):
                seeds[1].i = number


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
    """Computes a frozen graph, for any batch size, of inputs in the types that it takes."""

    def __init__(self, graph: FrozenGraph, **kwargs: Any) -> None:
        super().__init__(trainable=False, autocast=False, **kwargs)
        self._batch, self._function = graph.batch, graph_function(graph)

    def call(self, inputs: Any) -> Any:
        """The graph's outputs: one tensor, or a list."""
        tensors = tf.nest.flatten(inputs)
        rows = {each.shape[0] for each in tensors if each.shape.rank}
        if self._batch is None or self._batch in rows:
            outputs = self._function(*tensors)
        else:
            outputs = self._in_batches(tensors)
        return outputs if len(outputs) > 1 else outputs[0]

    def _in_batches(self, tensors: list[Any]) -> list[Any]:
        """Fill up the last batch with zeros, draw batch by batch, and leave those zeros out.

        Batches of a known number are drawn one after the other, without a loop in the graph:
        TFLite's calibrator crashes on loops.
        """
        shared = [_is_shared(port.shape, self._batch) for port in self._function.inputs]
        first = next(each for each, same in zip(tensors, shared, strict=True) if not same)
        rows = first.shape[0] or tf.shape(first)[0]
        lacking = -rows % self._batch
        batches = tuple(
            tf.reshape(
                tf.pad(tensor, [[0, lacking], *[[0, 0]] * (len(tensor.shape) - 1)]),
                [-1, self._batch, *tensor.shape[1:]],
            )
            for tensor, is_shared in zip(tensors, shared, strict=True)
            if not is_shared
        )

        def draw(*batch: Any) -> Any:
            own = iter(batch)
            pairs = zip(tensors, shared, strict=True)
            return self._function(*(each if is_shared else next(own) for each, is_shared in pairs))

        if isinstance(rows, int):
            one_by_one = [draw(*batch) for batch in zip(*map(tf.unstack, batches), strict=True)]
            return [tf.concat(values, 0)[:rows] for values in zip(*one_by_one, strict=True)]
        outputs = self._function.outputs
        drawn_batches = tf.map_fn(
            lambda batch: tuple(draw(*batch)),
            batches,
            fn_output_signature=tuple(tf.TensorSpec(o.shape, o.dtype) for o in outputs),
        )
        return [
            tf.reshape(values, [-1, *output.shape[1:]])[:rows]
            for values, output in zip(drawn_batches, outputs, strict=True)
        ]


def _is_shared(shape: tf.TensorShape, batch: int | None) -> bool:
    """Whether an input of that shape takes one number for all pictures, and no batch of them."""
    return shape.rank == 0 or shape[0] not in (None, batch)


def whole_shape(each: ModelInput, batch: int | None) -> list[int | None]:
    """With the batch, where there is one."""
    return [batch, *each.shape] if each.has_batch else list(each.shape)


@dataclass(frozen=True, kw_only=True)
class OpaqueGenerator:
    """All that is needed to draw: what an opaque teacher is saved as."""

    graph: FrozenGraph
    """The one input → pictures, or what ``program`` reads."""
    shape: tuple[int, ...]
    """Of the one input, without the batch."""
    program: ForeignProgram | None = None
    """Draws the pictures; None where the graph does."""
    pictures: tuple[int, ...] = ()
    """Shape of a picture that ``program`` draws."""
    on_white: PixelRange | None = None
    """Black and white in what it draws with alpha, which is laid on white; None where it is not."""

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.graph.graph) + len(self.program.content if self.program else b"")

    def model(self) -> tf_keras.Model:
        """A model around it, with one input and one output."""
        port = tf_keras.Input(self.shape, name="given")
        output = Opaque(self.graph, name="opaque")(port)
        if self.program is not None:
            output = Foreign(self.program, self.pictures, name=self.program.runtime)(output)
        model = tf_keras.Model(port, output, name="teacher")
        return model if self.on_white is None else on_white(model, self.on_white)


def freeze_generator(
    path: Path, loaded: LoadedGenerator, adapter: InputAdapter
) -> tuple[tf_keras.Model, OpaqueGenerator, str]:
    """The generator as an opaque one, its model, and its last operation.

    ``path`` names the generator in errors. Raises PocketganError where it cannot be frozen, or
    draws otherwise then.
    """
    inputs = adapter.random_inputs(loaded.batch or TRIAL_INPUTS)
    pictures = np.asarray(loaded.picture(*adapter.source_inputs(inputs)))
    try:
        if loaded.program is None:
            opaque, last_operation = _frozen(loaded, adapter)
        else:
            graph = freeze(adapter.split, [tf.TensorSpec([None, *adapter.shape], tf.float32)])
            opaque = OpaqueGenerator(
                graph=graph,
                shape=adapter.shape,
                program=loaded.program,
                pictures=pictures.shape[1:],
            )
            last_operation = loaded.program.last_operation
        model = opaque.model()
        again = model(inputs, training=False).numpy()
    except (ValueError, TypeError, tf.errors.OpError) as error:
        raise PocketganError(
            f"{path} cannot be turned into a fixed graph: {one_line(error, 300)}",
            "Save it as a functional Keras model, or with a signature [None, ...] → pictures.",
        ) from error
    if not alike(pictures, again, loaded.precision):
        raise PocketganError(
            f"{path} draws otherwise as a fixed graph.",
            "It keeps a state, or depends on the batch: save it without.",
        )
    return model, opaque, last_operation


def _frozen(loaded: LoadedGenerator, adapter: InputAdapter) -> tuple[OpaqueGenerator, str]:
    """What TensorFlow draws, and its last operation."""
    inner = freeze(
        loaded.picture,
        [
            tf.TensorSpec(whole_shape(each, loaded.batch), each.dtype, name=each.name)
            for each in loaded.inputs
        ],
    )
    port = tf_keras.Input(adapter.shape)
    pictures = Opaque(inner)(adapter.split(port))
    whole = tf_keras.Model(port, tf.cast(pictures, tf.float32))
    spec = tf.TensorSpec([loaded.batch, *adapter.shape], tf.float32, name="given")
    return OpaqueGenerator(graph=freeze(whole, [spec]), shape=adapter.shape), inner.last_operation()
