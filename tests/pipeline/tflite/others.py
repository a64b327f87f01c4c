"""Files as others make them: free sizes, several signatures, loops, custom operations."""

import tempfile
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.rewrite import pack

KERNEL = np.random.default_rng(1).normal(size=(3, 3, 3, 8)).astype("f")
FREE_MACS = 2 * 9 * 3 * 8
"""Of ``enlarger``, each pixel that goes in."""
JUDGE_MACS = 4 * 4 * 9 * 3 * 8
TURN_MACS = 4 * 4 * 9 * 3 * 3


def file_of(function: Callable[..., Any], *specs: tf.TensorSpec, custom: bool = False) -> bytes:
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], tf.Module())
    converter.allow_custom_ops = custom
    return bytes(converter.convert())


def picture(*shape: int | None, name: str = "photo") -> tf.TensorSpec:
    return tf.TensorSpec(shape, tf.float32, name=name)


def enlarged(photo: Any) -> dict[str, Any]:
    maps = tf.nn.relu(tf.nn.conv2d(photo, KERNEL, 1, "SAME"))
    shape = tf.shape(photo)
    size = [shape[0], 2 * shape[1], 2 * shape[2], 3]
    return {"image": tf.nn.conv2d_transpose(maps, KERNEL, size, 2)}


def judged(photo: Any) -> dict[str, Any]:
    return {"score": tf.reduce_mean(tf.nn.conv2d(photo, KERNEL, 1, "SAME"), [1, 2, 3])}


@cache
def enlarger() -> bytes:
    """Pictures [?, ?, ?, 3] → twice as large; sizes inside are known only when it runs."""
    return file_of(enlarged, picture(None, None, None, 3))


@cache
def judge_of_any_batch() -> bytes:
    return file_of(judged, picture(None, 4, 4, 3))


@cache
def enlarger_and_judge() -> bytes:
    """Two signatures: "draw" of ``enlarger``, and "judge" of pictures [1, 4, 4, 3]."""
    return signatures_of(
        draw=tf.function(enlarged, [picture(None, None, None, 3)]),
        judge=tf.function(judged, [picture(1, 4, 4, 3)]),
    )


@cache
def looping() -> bytes:
    """A convolution in a loop of as many turns as an input says, and one behind it."""

    def loop(photo: Any, turns: Any) -> dict[str, Any]:
        kernel = KERNEL[..., :3]
        _, maps = tf.while_loop(
            lambda turn, _: turn < turns,
            lambda turn, maps: (turn + 1, tf.nn.conv2d(maps, kernel, 1, "SAME")),
            [0, photo],
        )
        return {"image": tf.nn.conv2d(maps, kernel, 1, "SAME")}

    return file_of(loop, picture(1, 4, 4, 3), tf.TensorSpec((), tf.int32, name="turns"))


@cache
def with_custom_operation(*shape: int | None) -> bytes:
    def custom(photo: Any) -> dict[str, Any]:
        return {"image": tf.math.erfinv(tf.nn.conv2d(photo, KERNEL, 1, "SAME"))}

    return file_of(custom, picture(*(shape or (1, 4, 4, 3))), custom=True)


@cache
def two_signatures_with_loops() -> bytes:
    """Signatures "first" and "second", each with a loop of three turns, which differ."""

    def loop(factor: float) -> Callable[..., Any]:
        def repeated(photo: Any) -> dict[str, Any]:
            _, image = tf.while_loop(
                lambda turn, _: turn < 3, lambda turn, x: (turn + 1, x * factor), [0, photo]
            )
            return {"image": image}

        return repeated

    return signatures_of(
        first=tf.function(loop(2.0), [picture(1, 4, 4, 3)]),
        second=tf.function(loop(3.0), [picture(1, 4, 4, 3)]),
    )


@cache
def latent_reader() -> bytes:
    return file_of(lambda latent: {"image": tf.tanh(latent)}, tf.TensorSpec((1, 8), name="latent"))


def signatures_of(**functions: Any) -> bytes:
    signatures = {key: each.get_concrete_function() for key, each in functions.items()}
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(tf.Module(), folder, signatures=signatures)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=list(signatures)
        )
        return bytes(converter.convert())


def as_old_converters_wrote(content: bytes) -> bytes:
    """The same without saying which sizes are free."""
    model = schema.ModelT.InitFromPackedBuf(content)
    for tensor in model.subgraphs[0].tensors:
        tensor.shapeSignature = None
    return pack(model)


def long_chain(length: int) -> bytes:
    """Additions, each of the one before and the same constant."""
    shape = np.array([1, 8], np.int32)
    tensors = [schema.TensorT(shape=shape, name=f"t{n}") for n in range(length + 1)]
    constant = schema.TensorT(shape=shape, name="c", buffer=1)
    graph = schema.SubGraphT(
        tensors=[*tensors, constant],
        inputs=np.array([0], np.int32),
        outputs=np.array([length], np.int32),
        operators=[
            schema.OperatorT(
                inputs=np.array([n, length + 1], np.int32), outputs=np.array([n + 1], np.int32)
            )
            for n in range(length)
        ],
    )
    values = np.frombuffer(np.ones(8, np.float32).tobytes(), np.uint8)
    model = schema.ModelT(
        version=3,
        operatorCodes=[schema.OperatorCodeT(builtinCode=schema.BuiltinOperator.ADD)],
        subgraphs=[graph],
        buffers=[schema.BufferT(), schema.BufferT(data=values)],
    )
    return pack(model)
