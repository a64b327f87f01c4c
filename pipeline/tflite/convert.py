"""From a tf_keras generator to the bytes of a .tflite file: fixed batch, named input and output."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.tflite.rewrite import without_ballast

Configure = Callable[[Any], None]
_LOOPS = {"While", "StatelessWhile", "LoopCond"}

LATENT, PICTURE, OUTPUT = "latent", "picture", "image"
"""Names that a file gives what it reads, a vector or a picture, and what it draws."""
PICTURE_RANK = 4


def convert(
    model: tf_keras.Model,
    batch: int,
    *,
    configure: Configure = lambda _: None,
    refuse_loops: bool = False,
    signed: bool = True,
) -> bytes:
    """Convert a generator [N, L] or [N, H, W, C] → [N, H', W', C'] with N fixed to ``batch``.

    A fixed batch spares the SHAPE, STRIDED_SLICE and PACK operations that a free one brings.
    ``configure`` sets the converter's options. With ``refuse_loops`` a loop raises ValueError. Not
    ``signed`` is a file for a look: the same operations in two thirds of the time, no signature.
    """
    shape = [batch, *model.input_shape[1:]]
    name = PICTURE if len(shape) == PICTURE_RANK else LATENT

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name=name)], autograph=False)
    @tf.autograph.experimental.do_not_convert
    def draw(inputs: Any) -> dict[str, Any]:
        return {OUTPUT: model(inputs, training=False)}

    # The converter goes through a saved model to write a signature; models with fake quantization
    # cannot be saved as such, but their variables can.
    owner = tf.Module()
    owner.variables_of_model = model.variables
    owner.draw = draw.get_concrete_function()
    if refuse_loops and _has_loops(owner.draw.graph):
        raise ValueError("error: a loop in its graph, whose ranges cannot be read off")
    saved = owner if signed else None
    converter = tf.lite.TFLiteConverter.from_concrete_functions([owner.draw], saved)
    configure(converter)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # of TensorFlow 1
        return bytes(converter.convert())


def why_unconverted(error: Exception) -> str:
    """The part of the converter's pages that says what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    named = [line for line in lines if line.startswith(("TF Select ops:", "Custom ops:"))]
    telling = named or [line for line in lines if "error:" in line]
    return " ".join((telling or lines or [type(error).__name__])[-1].split())[:300]


def to_float32(model: tf_keras.Model, batch: int = 1, *, signed: bool = True) -> bytes:
    """Weights, activations, input and output in float32."""
    return convert(model, batch, signed=signed)


def to_float16(model: tf_keras.Model, batch: int = 1) -> bytes:
    """Weights in float16, widened to float32 when the file is loaded."""
    return convert(model, batch, configure=partial(_optimize, weights=tf.float16))


def to_dynamic_range(model: tf_keras.Model, batch: int = 1) -> bytes:
    """Weights in int8; activations in float32, rounded for each multiplication."""
    return convert(model, batch, configure=_optimize)


def to_int8_post_training(
    model: tf_keras.Model, latents: np.ndarray, batch: int = 1, *, signed: bool = True
) -> bytes:
    """All int8, the ranges read off ``latents`` float32 [N, L], N a multiple of ``batch``.

    Raises ValueError for a graph with a loop: that stays in float, and the calibrator may crash.
    """
    batches, ops = _batches(latents, batch), tf.lite.OpsSet.TFLITE_BUILTINS_INT8
    rounded = partial(_optimize, batches=batches, ops=ops, edges=tf.int8)
    return convert(model, batch, configure=rounded, refuse_loops=True, signed=signed)


def to_int16x8(model: tf_keras.Model, latents: np.ndarray, batch: int = 1) -> bytes:
    """Weights in int8, activations, input and output in int16."""
    batches = _batches(latents, batch)
    ops = tf.lite.OpsSet.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
    return convert(
        model, batch, configure=partial(_optimize, batches=batches, ops=ops, edges=tf.int16)
    )


def to_int8_trained(model: tf_keras.Model, batch: int = 1, *, signed: bool = True) -> bytes:
    """All int8, the ranges those of a quantization-aware model."""
    return convert(model, batch, configure=partial(_optimize, edges=tf.int8), signed=signed)


def to_int8_student(model: tf_keras.Model, batch: int = 1, *, signed: bool = True) -> bytes:
    """``to_int8_trained`` without what no runtime reads: of a student's file that is much."""
    return without_ballast(to_int8_trained(model, batch, signed=signed))


def _has_loops(graph: Any) -> bool:
    """Whether a graph holds a loop, in its functions too."""
    definition = graph.as_graph_def()
    of_functions = (node for function in definition.library.function for node in function.node_def)
    return any(node.op in _LOOPS for node in (*definition.node, *of_functions))


def _batches(latents: np.ndarray, batch: int) -> list[list[np.ndarray]]:
    starts = range(0, len(latents) - batch + 1, batch)
    return [[latents[start : start + batch]] for start in starts]


def _optimize(
    converter: Any,
    *,
    weights: Any = None,
    batches: list[list[np.ndarray]] | None = None,
    ops: Any = None,
    edges: Any = tf.float32,
) -> None:
    """Round; ``batches`` is what ranges are read off, ``edges`` the type of input and output."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if weights is not None:
        converter.target_spec.supported_types = [weights]
    if batches is not None:
        converter.representative_dataset = lambda: iter(batches)
        converter.target_spec.supported_ops = [ops]
    converter.inference_input_type = converter.inference_output_type = edges
