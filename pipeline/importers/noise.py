"""Noise that a generator of TensorFlow draws for itself, as StyleGAN injects it."""

from dataclasses import replace
from typing import Any

import tensorflow as tf

from pipeline.importers.loaded import LoadedGenerator
from pipeline.importers.opaque import FrozenGraph, freeze, graph_function, whole_shape

_NORMAL = ("RandomStandardNormal", "TruncatedNormal")
"""Operations whose mean is 0, and which draw anew each time. Those of a seed that is given draw the
same, or are seeded by uniform ones. These are left: they are a dropout's mostly, whose mean is no
number that they draw."""
NOTE = "the noise that it draws for itself is fixed at its mean"


def with_fixed_noise(loaded: LoadedGenerator) -> LoadedGenerator | None:
    """The generator with all normal noise at its mean, opaque; None where it draws none.

    A student draws the same picture of the same latents, and so has to its teacher.
    """
    if loaded.program is not None:
        return None
    specs = [
        tf.TensorSpec(whole_shape(each, loaded.batch), each.dtype, name=each.name)
        for each in loaded.inputs
    ]
    try:
        graph = freeze(loaded.compute, specs)
    except (ValueError, TypeError, tf.errors.OpError):
        return None
    definition = graph.definition
    noises = [node for node in definition.node if node.op in _NORMAL]
    if not noises:
        return None
    for node in noises:
        _set_to_zeros(definition, node)
    without = FrozenGraph(
        definition.SerializeToString(deterministic=True), graph.inputs, graph.outputs, graph.batch
    )
    draw = graph_function(without)
    return replace(
        loaded,
        compute=lambda *tensors: list(draw(*map(tf.convert_to_tensor, tensors))),
        functional=None,
        why_opaque="it draws noise for itself",
        notes=(*loaded.notes, NOTE),
    )


def _set_to_zeros(definition: Any, node: Any) -> None:
    """Make a random operation, in place, one that gives zeros of the same shape and type."""
    number, (shape, *after) = node.attr["dtype"], node.input
    zero = definition.node.add(name=f"{node.name}/mean", op="Const")
    zero.input.append(f"^{shape.partition(':')[0]}")  # else it is in no turn of the loop around it
    zero.attr["dtype"].CopyFrom(number)
    zero.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(0, tf.DType(number.type), []))
    size_type = tf.compat.v1.AttrValue(type=node.attr["T"].type)
    node.op = "Fill"
    del node.input[:]
    node.input.extend([shape, zero.name, *after])
    node.attr.clear()
    node.attr["T"].CopyFrom(number)
    node.attr["index_type"].CopyFrom(size_type)
