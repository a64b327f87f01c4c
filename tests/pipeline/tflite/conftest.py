"""One small generator as every kind of file, and a way to build files the converter would not."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

# Zeros planted in each kernel; no other weight rounds to zero.
PLANTED = {"dense": 960, "conv2d_transpose": 360, "depthwise_conv2d": 40, "picture": 120}


@pytest.fixture(scope="session")
def planted() -> dict[str, int]:
    return PLANTED


@pytest.fixture(scope="session")
def generator() -> Any:
    """Latents [1, 16] -> images [1, 8, 8, 3] through each kind of layer, with planted zeros."""
    import tf_keras

    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            tf_keras.Input((16,), batch_size=1),
            layers.Dense(4 * 4 * 5, name="dense"),
            layers.LeakyReLU(0.2, name="leaky"),
            layers.Reshape((4, 4, 5), name="reshape"),
            layers.Conv2DTranspose(
                6, 4, strides=2, padding="same", activation="relu", name="conv2d_transpose"
            ),
            layers.DepthwiseConv2D(3, padding="same", name="depthwise_conv2d"),
            layers.ReLU(name="relu"),
            layers.Conv2D(3, 3, padding="same", activation="tanh", name="picture"),
        ],
        name="generator",
    )
    rng = np.random.default_rng(1)
    for layer in model.layers:
        layer.set_weights([_weights(rng, array.shape) for array in layer.get_weights()])
        if layer.name in PLANTED:
            kernel, bias = layer.get_weights()
            kernel.flat[rng.choice(kernel.size, PLANTED[layer.name], replace=False)] = 0
            layer.set_weights([kernel, bias])
    return model


def _weights(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Between 0.5 and 1 in size, so that none but a planted zero becomes zero in int8."""
    return rng.choice([-1.0, 1.0], shape) * rng.uniform(0.5, 1.0, shape)


@pytest.fixture(scope="session")
def variant(generator: Any) -> Callable[[str], bytes]:
    """The generator as a file of the named kind, converted once a session."""
    import tensorflow as tf

    from pipeline.tflite import convert

    latents = np.random.default_rng(2).normal(size=(16, 16)).astype(np.float32)

    def sparse(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]

    def sparse_int8(converter: Any) -> None:
        float_borders(converter)
        converter.optimizations.append(tf.lite.Optimize.EXPERIMENTAL_SPARSITY)
        converter.inference_input_type = converter.inference_output_type = tf.int8

    def float_borders(converter: Any) -> None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([latent[None]] for latent in latents)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]

    makers: dict[str, Callable[[], bytes]] = {
        "float32": lambda: convert.to_float32(generator),
        "float16": lambda: convert.to_float16(generator),
        "dynamic-range": lambda: convert.to_dynamic_range(generator),
        "int8": lambda: convert.to_int8_post_training(generator, latents),
        "int16x8": lambda: convert.to_int16x8(generator, latents),
        "int8 inside float borders": lambda: convert.convert(generator, 1, configure=float_borders),
        "sparse": lambda: convert.convert(generator, 1, configure=sparse),
        "sparse int8": lambda: convert.convert(generator, 1, configure=sparse_int8),
    }
    return cache(lambda name: makers[name]())


@pytest.fixture(scope="session")
def pack() -> Callable[..., bytes]:
    """A file with one sub-graph out of the schema's own objects."""

    def pack(
        tensors: Sequence[Any],
        buffers: Sequence[np.ndarray],
        ops: Sequence[tuple[str, Sequence[int], Sequence[int]]],
        inputs: Sequence[int] = (0,),
        outputs: Sequence[int] = (),
    ) -> bytes:
        """Buffer 0 is the empty one; ``buffers`` follow. An op is (name, inputs, outputs)."""
        names = sorted({name for name, *_ in ops})
        model = schema.ModelT(
            version=3,
            operatorCodes=[
                schema.OperatorCodeT(builtinCode=getattr(schema.BuiltinOperator, name))
                for name in names
            ],
            subgraphs=[
                schema.SubGraphT(
                    tensors=list(tensors),
                    inputs=np.array(inputs, np.int32),
                    outputs=np.array(outputs, np.int32),
                    operators=[
                        schema.OperatorT(
                            opcodeIndex=names.index(name),
                            inputs=np.array(reads, np.int32),
                            outputs=np.array(makes, np.int32),
                        )
                        for name, reads, makes in ops
                    ],
                )
            ],
            buffers=[schema.BufferT()]
            + [schema.BufferT(data=np.frombuffer(b.tobytes(), np.uint8)) for b in buffers],
        )
        builder = flatbuffers.Builder(1024)
        builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    return pack


@pytest.fixture(scope="session")
def tensor() -> Callable[..., Any]:
    """A tensor for ``pack``: shape, type, and buffer 0 (computed) unless another is given."""

    def tensor(
        shape: Sequence[int], dtype: str = "INT8", buffer: int = 0, name: str = "t", **more: Any
    ) -> Any:
        return schema.TensorT(
            shape=np.array(shape, np.int32),
            type=getattr(schema.TensorType, dtype),
            buffer=buffer,
            name=name,
            **more,
        )

    return tensor
