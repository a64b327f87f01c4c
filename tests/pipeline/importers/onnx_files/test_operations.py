"""Each operation as layers of tf_keras, held against onnxruntime on pictures of an odd shape."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from pipeline.importers.teacher import Teacher, load_teacher

Write = Callable[[Any, str], str]
"""A writer and a map [N, 4, 8, 12] → a map that follows from it."""


@pytest.fixture
def check(
    writer: Any, saved: Callable[..., Path], drawn: Callable[..., np.ndarray]
) -> Callable[..., Teacher]:
    """A function that writes a generator with an operation in it and compares what it draws."""

    def compare(write: Write, opset: int = 17) -> Teacher:
        pictures = writer.input("pictures", "batch", 3, 8, 12)
        inside = write(writer, writer.conv(pictures, 3, 4))
        shape = onnx.shape_inference.infer_shapes(writer.model(inside, opset=opset))
        (info,) = (i for i in (*shape.graph.value_info, *shape.graph.output) if i.name == inside)
        channels = info.type.tensor_type.shape.dim[1].dim_value
        weight, bias = writer.weight(3, channels, 1, 1), writer.weight(3)
        output = writer.op("Tanh", writer.op("Conv", inside, weight, bias, kernel_shape=[1, 1]))
        path = saved(writer.model(output, opset=opset))
        teacher = load_teacher(path, input_pixels=(0, 1))
        inputs = np.random.default_rng(5).uniform(size=(3, 8, 12, 3)).astype(np.float32)
        pictures = teacher.model(inputs, training=False).numpy()
        wanted = drawn(path, inputs.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
        np.testing.assert_allclose(pictures, wanted, rtol=0, atol=1e-5)
        return teacher

    return compare


def types(teacher: Teacher) -> list[str]:
    """Those of the layers between the first convolution and the last."""
    return [type(layer).__name__ for layer in teacher.model.layers][2:-2]


def block(x: int, up: int) -> Any:
    return np.array([1, 1, x, up], np.float32)


MAPPED: dict[str, tuple[Write, list[str]]] = {
    "Relu": (lambda w, x: w.op("Relu", x), ["ReLU"]),
    "LeakyRelu": (lambda w, x: w.op("LeakyRelu", x, alpha=0.3), ["LeakyReLU"]),
    "LeakyRelu by default": (lambda w, x: w.op("LeakyRelu", x), ["LeakyReLU"]),
    "PRelu a channel": (lambda w, x: w.op("PRelu", x, w.weight(4, 1, 1)), ["PReLU"]),
    "PRelu of one slope": (lambda w, x: w.op("PRelu", x, w.constant([0.2])), ["LeakyReLU"]),
    "Elu": (lambda w, x: w.op("Elu", x, alpha=0.7), ["ELU"]),
    "Selu": (lambda w, x: w.op("Selu", x), ["Activation"]),
    "Softplus": (lambda w, x: w.op("Softplus", x), ["Activation"]),
    "Sigmoid": (lambda w, x: w.op("Sigmoid", x), ["Activation"]),
    "HardSigmoid": (lambda w, x: w.op("HardSigmoid", x, alpha=0.3), ["BatchNormalization", "ReLU"]),
    "HardSwish": (lambda w, x: w.op("HardSwish", x), ["DepthwiseConv2D", "ReLU", "Multiply"]),
    "swish in two": (
        lambda w, x: w.op("Mul", x, w.op("Sigmoid", x)),
        ["Activation", "Multiply"],
    ),
    "Clip": (
        lambda w, x: w.op("Clip", x, w.constant(-0.2), w.constant(0.3)),
        ["BatchNormalization", "ReLU", "DepthwiseConv2D"],
    ),
    "Clip from above": (
        lambda w, x: w.op("Clip", x, "", w.constant(0.3)),
        ["BatchNormalization", "ReLU", "DepthwiseConv2D"],
    ),
    "Clip from the smallest float": (
        lambda w, x: w.op("Clip", x, w.constant(-3.4028235e38), w.constant(0.3)),
        ["BatchNormalization", "ReLU", "DepthwiseConv2D"],
    ),
    "Clip from zero": (lambda w, x: w.op("Clip", x, w.constant(0.0), w.constant(0.5)), ["ReLU"]),
    "Identity and Dropout": (lambda w, x: w.op("Dropout", w.op("Identity", x)), []),
    "Neg": (lambda w, x: w.op("Neg", x), ["BatchNormalization"]),
    "BatchNormalization": (lambda w, x: w.norm(x, 4), ["BatchNormalization"]),
    "InstanceNormalization": (
        lambda w, x: w.op("InstanceNormalization", x, w.weight(4), w.weight(4), epsilon=1e-3),
        ["GroupNormalization"],
    ),
    "group norm as PyTorch writes it": (lambda w, x: group_norm(w, x), None),
    "Add a number": (lambda w, x: w.op("Add", x, w.constant(0.5)), ["BatchNormalization"]),
    "number minus": (lambda w, x: w.op("Sub", w.constant(0.5), x), ["BatchNormalization"]),
    "Div by channel": (
        lambda w, x: w.op("Div", x, w.positive(4, 1, 1)),
        ["BatchNormalization"],
    ),
    "Mul by channel": (
        lambda w, x: w.op("Mul", x, w.positive(1, 4, 1, 1)),
        ["BatchNormalization"],
    ),
    "Sub by channel": (lambda w, x: w.op("Sub", x, w.weight(4, 1, 1)), ["BatchNormalization"]),
    "Add of two": (lambda w, x: w.op("Add", x, w.op("Tanh", x)), ["Activation", "Add"]),
    "Sub of two": (lambda w, x: w.op("Sub", w.op("Tanh", x), x), ["Activation", "Subtract"]),
    "Concat of channels": (
        lambda w, x: w.op("Concat", x, w.op("Tanh", x), axis=1),
        ["Activation", "Concatenate"],
    ),
    "Concat of columns": (
        lambda w, x: w.op("Concat", x, w.op("Tanh", x), axis=-1),
        ["Activation", "Concatenate"],
    ),
    "Conv of stride 2, padded by PyTorch": (
        lambda w, x: w.conv(x, 4, 5, strides=[2, 2]),
        ["ZeroPadding2D", "Conv2D"],
    ),
    "Conv of stride 2 that is same": (
        lambda w, x: w.conv(x, 4, 5, 4, strides=[2, 2], pads=[1] * 4),
        ["Conv2D"],
    ),
    "Conv padded on one side": (
        lambda w, x: w.conv(x, 4, 5, pads=[0, 2, 1, 0]),
        ["ZeroPadding2D", "Conv2D"],
    ),
    "Conv SAME_UPPER": (
        lambda w, x: w.op("Conv", x, w.weight(5, 4, 2, 2), auto_pad="SAME_UPPER"),
        ["Conv2D"],
    ),
    "Conv SAME_LOWER": (
        lambda w, x: w.op("Conv", x, w.weight(5, 4, 2, 2), auto_pad="SAME_LOWER"),
        ["ZeroPadding2D", "Conv2D"],
    ),
    "Conv VALID": (
        lambda w, x: w.op("Conv", x, w.weight(5, 4, 2, 2), auto_pad="VALID"),
        ["Conv2D"],
    ),
    "Conv dilated": (
        lambda w, x: w.conv(x, 4, 5, dilations=[2, 2], pads=[2] * 4),
        ["Conv2D"],
    ),
    "Conv depthwise": (lambda w, x: w.conv(x, 4, 4, group=4), ["DepthwiseConv2D"]),
    "Conv depthwise, two of each": (lambda w, x: w.conv(x, 4, 8, group=4), ["DepthwiseConv2D"]),
    "Conv in groups": (lambda w, x: w.conv(x, 4, 6, group=2), ["Conv2D"]),
    "Conv and its bias behind it": (
        lambda w, x: w.op(
            "Add", w.op("Conv", x, w.weight(5, 4, 1, 1)), w.constant(np.ones([1, 5, 1, 1]))
        ),
        ["Conv2D"],
    ),
    "Conv of one channel and a number behind it": (
        lambda w, x: w.op("Add", w.op("Conv", x, w.weight(1, 4, 1, 1)), w.constant(0.5)),
        ["Conv2D"],
    ),
    "ConvTranspose that is same": (lambda w, x: w.up(x, 4, 5), ["Conv2DTranspose"]),
    "ConvTranspose without padding": (
        lambda w, x: w.up(x, 4, 5, pads=[0] * 4),
        ["Conv2DTranspose"],
    ),
    "ConvTranspose with output padding": (
        lambda w, x: w.up(x, 4, 5, 3, output_padding=[1, 1]),
        ["Conv2DTranspose", "Cropping2D"],
    ),
    "ConvTranspose cropped behind its norm": (
        lambda w, x: w.op("Relu", w.norm(w.up(x, 4, 5, 3, output_padding=[1, 1]), 5)),
        ["Conv2DTranspose", "BatchNormalization", "ReLU", "Cropping2D"],
    ),
    "ConvTranspose in groups": (lambda w, x: w.up(x, 4, 6, group=2), ["Conv2DTranspose"]),
    "ConvTranspose dilated": (
        lambda w, x: w.up(x, 4, 5, 3, dilations=[2, 2], strides=[1, 1], pads=[2] * 4),
        ["Conv2DTranspose"],
    ),
    "ConvTranspose narrower than its stride": (
        lambda w, x: w.up(x, 4, 5, 2, pads=[0] * 4, strides=[3, 3], output_padding=[1, 1]),
        ["Conv2DTranspose"],
    ),
    "ConvTranspose SAME_UPPER": (
        lambda w, x: w.op(
            "ConvTranspose", x, w.weight(4, 5, 5, 5), strides=[2, 2], auto_pad="SAME_UPPER"
        ),
        ["Conv2DTranspose"],
    ),
    "Pad with zeros": (
        lambda w, x: w.op("Pad", x, w.constant([0, 0, 1, 2, 0, 0, 0, 3])),
        ["ZeroPadding2D"],
    ),
    "Pad by reflection": (
        lambda w, x: w.op("Pad", x, w.constant([0, 0, 1, 2, 0, 0, 0, 3]), mode="reflect"),
        ["ReflectionPadding2D"],
    ),
    "Slice of rows and columns": (
        lambda w, x: w.op(
            "Slice", x, w.constant([1, 2]), w.constant([5, 2**40]), w.constant([2, 3])
        ),
        ["Cropping2D", "Cropping2D"],
    ),
    "Slice of channels": (
        lambda w, x: w.op("Slice", x, w.constant([1]), w.constant([-1]), w.constant([1])),
        ["Part"],
    ),
    "DepthToSpace DCR": (lambda w, x: w.op("DepthToSpace", x, blocksize=2), ["DepthToSpace"]),
    "DepthToSpace CRD": (
        lambda w, x: w.op("DepthToSpace", w.conv(x, 4, 8), blocksize=2, mode="CRD"),
        ["Conv2D", "DepthToSpace"],
    ),
    "pixel shuffle as PyTorch wrote it once": (
        lambda w, x: pixel_shuffle(w, w.op("Relu", w.norm(w.conv(x, 4, 8), 8))),
        ["Conv2D", "BatchNormalization", "ReLU", "DepthToSpace"],
    ),
    "two pixel shuffles": (
        lambda w, x: w.op(
            "DepthToSpace",
            w.op("DepthToSpace", w.conv(x, 4, 32), blocksize=2, mode="CRD"),
            blocksize=2,
            mode="CRD",
        ),
        None,
    ),
    "SpaceToDepth": (lambda w, x: w.op("SpaceToDepth", x, blocksize=2), None),
    "channel shuffle": (
        lambda w, x: w.op(
            "Reshape",
            w.op(
                "Transpose",
                w.op("Reshape", x, w.constant([0, 2, 2, 8, 12])),
                perm=[0, 2, 1, 3, 4],
            ),
            w.constant([0, 4, 8, 12]),
        ),
        [],
    ),
    "Flatten counted from behind": (
        lambda w, x: w.op("Reshape", w.op("Flatten", x, axis=-3), w.constant([0, 4, 8, 12])),
        [],
    ),
    "MaxPool": (
        lambda w, x: w.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]),
        ["MaxPooling2D"],
    ),
    "AveragePool": (
        lambda w, x: w.op("AveragePool", x, kernel_shape=[3, 3], pads=[1] * 4, strides=[1, 1]),
        ["AveragePooling2D"],
    ),
    "squeeze and excite": (
        lambda w, x: w.op("Mul", x, w.op("Sigmoid", w.conv(w.op("GlobalAveragePool", x), 4, 4, 1))),
        ["GlobalAveragePooling2D", "Conv2D", "Activation", "Multiply"],
    ),
    "Resize nearest": (
        lambda w, x: w.op(
            "Resize",
            x,
            "",
            w.constant([1.0, 1.0, 2.0, 3.0]),
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        ["UpSampling2D"],
    ),
    "Resize nearest by half pixels": (
        lambda w, x: w.op("Resize", x, "", "", w.constant([1, 4, 16, 24]), mode="nearest"),
        ["UpSampling2D"],
    ),
    "Resize bilinear": (
        lambda w, x: w.op("Resize", x, "", w.constant([1.0, 1.0, 2.0, 2.0]), mode="linear"),
        ["UpSampling2D"],
    ),
    "Resize bilinear to other sizes": (
        lambda w, x: w.op(
            "Resize",
            x,
            "",
            "",
            w.constant([1, 4, 9, 5]),
            mode="linear",
            coordinate_transformation_mode="pytorch_half_pixel",
        ),
        ["Resizing"],
    ),
}


def group_norm(w: Any, x: str) -> str:
    flat = w.op("Reshape", x, w.constant([0, 2, -1]))
    normed = w.op("InstanceNormalization", flat, w.constant([1.0, 1.0]), w.constant([0.0, 0.0]))
    whole = w.op("Reshape", normed, w.op("Shape", x))
    return w.op("Add", w.op("Mul", whole, w.weight(4, 1, 1)), w.weight(4, 1, 1))


def pixel_shuffle(w: Any, x: str) -> str:
    split = w.op("Reshape", x, w.constant([-1, 2, 2, 2, 8, 12]))
    moved = w.op("Transpose", split, perm=[0, 1, 4, 2, 5, 3])
    return w.op("Reshape", moved, w.constant([-1, 2, 16, 24]))


@pytest.mark.parametrize("name", MAPPED)
def test_operation_becomes_layers_that_draw_the_same(
    name: str, check: Callable[..., Teacher]
) -> None:
    write, expected = MAPPED[name]
    teacher = check(write)
    assert not teacher.is_opaque, teacher.notes
    if expected is not None:
        assert types(teacher) == expected


def first_rows(w: Any, x: str, count: int) -> str:
    return w.op("Slice", x, w.constant([0]), w.constant([count]), w.constant([2]))


NAMED: dict[str, tuple[Write, str]] = {
    "what joins the batch with channels": (
        lambda w, x: w.op(
            "Reshape", w.op("Reshape", x, w.constant([-1, 8, 12])), w.constant([-1, 4, 8, 12])
        ),
        "(Reshape) has no layer here: its batch",
    ),
    "what tf_keras refuses": (
        lambda w, x: w.conv(x, 4, 4, strides=[2, 2], dilations=[2, 2], pads=[2] * 4),
        "(Conv) has no layer here: `strides > 1`",
    ),
    "a constant beside maps": (
        lambda w, x: w.op("Concat", x, w.weight(1, 1, 8, 12), axis=1),
        "(Concat) has no layer here",
    ),
    "a sum by column, as many as channels": (
        lambda w, x: w.op("Add", w.op("Conv", x, w.weight(12, 4, 1, 1)), w.weight(12)),
        "(Add) is not by channel",
    ),
    "linear resizing by a factor that leaves a rest": (
        lambda w, x: w.op(
            "Resize", first_rows(w, x, 5), "", w.constant([1.0, 1.0, 1.5, 1.5]), mode="linear"
        ),
        "(Resize) takes other pixels",
    ),
}


@pytest.mark.parametrize("name", NAMED)
def test_operation_without_a_layer_is_named(name: str, check: Callable[..., Teacher]) -> None:
    write, words = NAMED[name]
    assert words in check(write).notes[-1]
