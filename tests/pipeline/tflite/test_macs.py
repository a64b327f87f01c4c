"""Every count here is worked out by hand from the layer's definition."""

import math
from typing import Any

import pytest

from pipeline.tflite import convert, count
from pipeline.tflite.macs import macs
from pipeline.tflite.model import Tensor
from pipeline.tflite.read import read_model


def shaped(*shape: int) -> Tensor:
    return Tensor(0, "t", shape, "int8")


@pytest.mark.parametrize(
    ("op", "inputs", "output", "expected"),
    [
        ("FULLY_CONNECTED", [(3, 8), (5, 8)], (3, 5), 3 * 5 * 8),
        ("CONV_2D", [(1, 9, 9, 4), (6, 3, 3, 4)], (1, 7, 7, 6), 7 * 7 * 6 * 3 * 3 * 4),
        # Two groups: each output channel sees half of the eight input channels.
        ("CONV_2D", [(1, 5, 5, 8), (6, 3, 3, 4)], (1, 5, 5, 6), 5 * 5 * 6 * 3 * 3 * 4),
        ("DEPTHWISE_CONV_2D", [(1, 8, 8, 4), (1, 3, 3, 8)], (1, 4, 4, 8), 4 * 4 * 8 * 3 * 3),
        (
            "TRANSPOSE_CONV",
            [(4,), (6, 4, 4, 5), (2, 7, 7, 5)],
            (2, 14, 14, 6),
            2 * 7 * 7 * 5 * 4 * 4 * 6,
        ),
        ("CONV_3D", [(1, 4, 4, 4, 2), (3, 3, 3, 2, 7)], (1, 2, 2, 2, 7), 8 * 7 * 27 * 2),
        (
            "CONV_3D_TRANSPOSE",
            [(5,), (2, 2, 2, 7, 3), (1, 4, 4, 4, 3)],
            (1, 8, 8, 8, 7),
            64 * 3 * 8 * 7,
        ),
        ("BATCH_MATMUL", [(2, 3, 4), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        # The left side stored transposed.
        ("BATCH_MATMUL", [(2, 4, 3), (2, 4, 5)], (2, 3, 5), 2 * 3 * 5 * 4),
        ("BATCH_MATMUL", [(0, 4), (4, 5)], (0, 5), 0),
        ("TANH", [(1, 8)], (1, 8), 0),
    ],
)
def test_macs_of_one_operation(
    op: str, inputs: list[tuple[int, ...]], output: tuple[int, ...], expected: int
) -> None:
    assert macs(op, [shaped(*shape) for shape in inputs], [shaped(*output)]) == expected


@pytest.mark.parametrize("op", ["FULLY_CONNECTED", "CONV_2D", "TRANSPOSE_CONV", "BATCH_MATMUL"])
def test_macs_refuses_tensors_with_too_few_dimensions(op: str) -> None:
    with pytest.raises(IndexError):
        macs(op, [shaped(4), shaped(4), shaped(4)], [shaped(4)])


@pytest.mark.parametrize(
    ("layer", "settings", "shape", "weights", "biases", "expected"),
    [
        ("Dense", {"units": 7}, (5,), 5 * 7, 7, 5 * 7),
        ("Conv2D", {"filters": 6, "kernel_size": 3, "strides": 2}, (9, 9, 4), 216, 6, 16 * 216),
        (
            "Conv2D",
            {"filters": 6, "kernel_size": 3, "padding": "same"},
            (9, 9, 4),
            216,
            6,
            81 * 216,
        ),
        (
            "DepthwiseConv2D",
            {"kernel_size": 3, "strides": 2, "padding": "same", "depth_multiplier": 2},
            (8, 8, 4),
            72,
            8,
            16 * 72,
        ),
        (
            "Conv2DTranspose",
            {"filters": 6, "kernel_size": 4, "strides": 2, "padding": "same"},
            (7, 7, 5),
            480,
            6,
            49 * 480,
        ),
        ("Conv2DTranspose", {"filters": 6, "kernel_size": 3}, (7, 7, 5), 270, 6, 49 * 270),
        ("Conv3D", {"filters": 2, "kernel_size": 2}, (4, 4, 4, 3), 48, 2, 27 * 48),
    ],
)
def test_converted_layers_have_the_weights_and_macs_of_their_definition(
    layer: str,
    settings: dict[str, Any],
    shape: tuple[int, ...],
    weights: int,
    biases: int,
    expected: int,
) -> None:
    import tf_keras

    source = tf_keras.Input((math.prod(shape),), batch_size=1)
    made = getattr(tf_keras.layers, layer)(name="x", **settings)
    model = tf_keras.Model(source, made(tf_keras.layers.Reshape(shape)(source)))
    made.bias.assign([0.5 + i for i in range(biases)])
    read = read_model(convert.to_float32(model))
    assert count.total_macs(read) == expected
    assert [(kernel.layer, kernel.size) for kernel in count.kernels(read)] == [("x", weights)]
    assert count.parameters(read) == weights + biases
