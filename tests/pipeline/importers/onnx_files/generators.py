"""Generators as others' exporters write them into ONNX; each is given an OnnxWriter.

Channels come first unless a name says otherwise, names are those of PyTorch's exporter.
"""

from typing import Any

import numpy as np
from onnx import TensorProto


def dcgan(w: Any) -> Any:
    """PyTorch's tutorial: transposed convolutions of a latent map of one pixel."""
    x = w.up(w.input("z", "batch", 6, 1, 1), 6, 24, strides=[1, 1], pads=[0] * 4)
    x = w.op("Relu", w.norm(x, 24))
    x = w.op("Relu", w.norm(w.up(x, 24, 16), 16))
    return w.model(w.op("Tanh", w.up(x, 16, 3)))


def linear(w: Any) -> Any:
    """A Linear layer and a view; sizes computed from the batch, as PyTorch exports them."""
    x = w.linear(w.input("z", "batch", 6), 6, 24 * 3 * 5)
    x = w.op("LeakyRelu", w.norm(x, 24 * 3 * 5), alpha=0.2)
    batch = w.op("Gather", w.op("Shape", x), w.constant(0), axis=0)
    sizes = [w.op("Unsqueeze", batch, w.constant([0])), *(w.constant([n]) for n in (24, 3, 5))]
    x = w.op("Reshape", x, w.op("Concat", *sizes, axis=0))
    return w.model(w.op("Tanh", w.up(w.op("Relu", w.norm(w.up(x, 24, 16), 16)), 16, 1)))


def conditional(w: Any) -> Any:
    """A class that an embedding looks up, joined to the latents."""
    z = w.input("z", "batch", 6)
    label = w.input("label", "batch", dtype=TensorProto.INT64)
    x = w.op("Concat", z, w.op("Gather", w.weight(5, 4, scale=1.0), label), axis=1)
    x = w.op("MatMul", x, w.weight(10, 24 * 16, scale=0.8))
    x = w.op("Relu", w.op("Add", x, w.weight(24 * 16)))
    x = w.op("Reshape", x, w.constant([-1, 24, 4, 4]))
    x = w.op("Relu", w.norm(w.up(x, 24, 16), 16))
    return w.model(w.op("Sigmoid", w.up(x, 16, 3)))


def cyclegan(w: Any) -> Any:
    """Reflection padding, instance norm, residual blocks, output padding."""
    x = w.input("pictures", 1, 3, 16, 16)

    def normed(x: str, channels: int) -> str:
        ones, zeros = w.constant(np.ones(channels)), w.constant(np.zeros(channels))
        normal: str = w.op("InstanceNormalization", x, ones, zeros, epsilon=1e-5)
        return normal

    def reflected(x: str, by: int) -> str:
        padded: str = w.op("Pad", x, w.constant([0, 0, by, by] * 2), mode="reflect")
        return padded

    x = w.op("Relu", normed(w.conv(reflected(x, 3), 3, 8, 7, pads=[0] * 4), 8))
    x = w.op("Relu", normed(w.conv(x, 8, 16, strides=[2, 2]), 16))
    inner = w.op("Relu", normed(w.conv(reflected(x, 1), 16, 16, pads=[0] * 4), 16))
    x = w.op("Add", x, normed(w.conv(reflected(inner, 1), 16, 16, pads=[0] * 4), 16))
    x = w.op("Relu", normed(w.up(x, 16, 8, 3, output_padding=[1, 1]), 8))
    return w.model(w.op("Tanh", w.conv(reflected(x, 3), 8, 3, 7, pads=[0] * 4)))


def srgan(w: Any) -> Any:
    """PReLU and pixel shuffles; a residual around them."""
    x = w.input("pictures", "batch", 3, 8, 8)
    first = w.op("PRelu", w.conv(x, 3, 12, 9), w.weight(12, 1, 1))
    second = w.op("PRelu", w.norm(w.conv(first, 12, 12), 12), w.weight(12, 1, 1))
    x = w.op("Add", first, w.norm(w.conv(second, 12, 12), 12))
    x = w.op("DepthToSpace", w.conv(x, 12, 48), blocksize=2, mode="CRD")
    x = w.op("PRelu", x, w.weight(12, 1, 1))
    x = w.op("Tanh", w.conv(x, 12, 3, 9))
    return w.model(w.op("Div", w.op("Add", x, w.constant(1.0)), w.constant(2.0)))


def esrgan(w: Any) -> Any:
    """Dense blocks, added in part; Resize by a factor, of pictures of any size; a new opset."""
    first = w.conv(w.input("pictures", "batch", 3, "height", "width"), 3, 12)
    seen = [first]
    for number in range(1, 4):
        joined = w.op("Concat", *seen, axis=1) if number > 1 else first
        seen.append(w.op("LeakyRelu", w.conv(joined, 12 * number, 12), alpha=0.2))
    x = w.op("Mul", w.conv(w.op("Concat", *seen, axis=1), 48, 12), w.constant(0.2))
    x = w.op("Add", x, first)
    factors = w.constant([1.0, 1.0, 2.0, 2.0])
    settings = {"mode": "nearest", "nearest_mode": "floor"}
    settings |= {"coordinate_transformation_mode": "asymmetric"}
    x = w.conv(w.op("Resize", x, "", factors, **settings), 12, 12)
    x = w.conv(w.op("LeakyRelu", x, alpha=0.2), 12, 3)
    return w.model(w.op("Clip", x, w.constant(0.0), w.constant(1.0)), opset=22)


def of_tensorflow(w: Any) -> Any:
    """tf2onnx: channels last at both ends, transposed before and behind each convolution."""
    x = w.op("MatMul", w.input("z:0", "unk__1", 6), w.weight(6, 4 * 5 * 8))
    x = w.op("Reshape", w.op("Add", x, w.weight(160)), w.constant([-1, 4, 5, 8]))
    x = w.op("Transpose", w.op("LeakyRelu", x, alpha=0.3), perm=[0, 3, 1, 2])
    kernel = w.weight(8, 4, 4, 4)
    x = w.op("ConvTranspose", x, kernel, strides=[2, 2], pads=[1] * 4)
    x = w.op("Relu", w.op("Add", x, w.weight(1, 4, 1, 1)))
    x = w.op("Transpose", w.conv(x, 4, 3), perm=[0, 2, 3, 1])
    return w.model(w.op("Tanh", x), shape=["unk__1", 8, 10, 3])


def of_opset_9(w: Any) -> Any:
    """Settings where newer versions have inputs; Upsample."""
    x = w.op("Relu", w.linear(w.input("z", 2, 6), 6, 24 * 16))
    x = w.op("Unsqueeze", w.op("Unsqueeze", x, axes=[2]), axes=[3])
    x = w.op("Reshape", x, w.constant([2, 24, 4, 4]))
    x = w.op("Upsample", x, w.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
    x = w.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0)
    x = w.op("Slice", w.conv(x, 24, 16), axes=[2, 3], starts=[1, 1], ends=[-1, -1])
    x = w.op("Dropout", w.op("Clip", x, min=0.0, max=6.0), ratio=0.5)
    return w.model(w.op("Sigmoid", w.conv(x, 16, 1)), opset=9)


def of_halves(w: Any) -> Any:
    """Weights of 16 bits, and casts."""
    x = w.op("Cast", w.input("z", "batch", 6), to=TensorProto.FLOAT16)
    weight = w.constant(w.random.normal(0, 0.3, (6, 48)), np.float16)
    x = w.op("Reshape", w.op("MatMul", x, weight), w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Cast", w.op("Tanh", x), to=TensorProto.FLOAT))


def modulated(w: Any) -> Any:
    """StyleGAN's convolution: a kernel that follows from the latents."""
    z, x = w.input("z", 1, 6), w.weight(1, 8, 8, 8, scale=1.0)
    for out in (8, 3):
        style = w.op("Reshape", w.linear(z, 6, 8, w.positive(8)), w.constant([1, 8, 1, 1]))
        kernel = w.op("Mul", w.weight(out, 8, 3, 3), style)
        squares = w.op("ReduceSum", w.op("Mul", kernel, kernel), w.constant([1, 2, 3]), keepdims=1)
        kernel = w.op("Div", kernel, w.op("Sqrt", w.op("Add", squares, w.constant(1e-8))))
        x = w.op("Conv", x, kernel, kernel_shape=[3, 3], pads=[1] * 4)
        x = w.op("LeakyRelu", x, alpha=0.2) if out > 3 else x
    return w.model(w.op("Tanh", x))


def attention(w: Any) -> Any:
    """SAGAN's: each pixel looks at all others."""
    x = w.linear(w.input("z", "batch", 6), 6, 8 * 16)
    x = w.op("Reshape", x, w.constant([-1, 8, 4, 4]))
    q, k, v = (w.op("Reshape", w.conv(x, 8, 8, 1), w.constant([0, 8, 16])) for _ in "qkv")
    weights = w.op("Softmax", w.op("MatMul", w.op("Transpose", q, perm=[0, 2, 1]), k), axis=-1)
    seen = w.op("MatMul", v, w.op("Transpose", weights, perm=[0, 2, 1]))
    x = w.op("Add", x, w.op("Reshape", seen, w.constant([0, 8, 4, 4])))
    return w.model(w.op("Tanh", w.up(w.op("Relu", w.up(x, 8, 8)), 8, 3)))


def quantized(w: Any) -> Any:
    """QDQ: values rounded to int8 and back, kernels stored as int8, a scale for each channel."""

    def rounded(x: str) -> str:
        ends = w.constant(0.02), w.constant(0, np.int8)
        value: str = w.op("DequantizeLinear", w.op("QuantizeLinear", x, *ends), *ends)
        return value

    def kernel(*shape: int) -> str:
        values = w.constant(w.random.integers(-127, 128, shape), np.int8)
        scales = w.constant(w.random.uniform(0.001, 0.004, shape[0]))
        zeros = w.constant(np.zeros(shape[0]), np.int8)
        restored: str = w.op("DequantizeLinear", values, scales, zeros, axis=0)
        return restored

    x = w.op("Gemm", rounded(w.input("z", "batch", 6)), kernel(8 * 16, 6), transB=1)
    x = w.op("Reshape", rounded(w.op("Relu", x)), w.constant([-1, 8, 4, 4]))
    x = w.op("ConvTranspose", x, kernel(8, 3, 4, 4), strides=[2, 2], pads=[1] * 4)
    return w.model(w.op("Tanh", rounded(x)))


def own_inputs(name: str, inputs: np.ndarray) -> list[np.ndarray]:
    """Inputs of a teacher as those of its file."""
    if name == "conditional":
        return [inputs[:, :6], inputs[:, 6:].argmax(1)]
    if name == "dcgan":
        return [inputs[:, :, None, None]]
    return [inputs.transpose(0, 3, 1, 2) if inputs.ndim == 4 else inputs]
