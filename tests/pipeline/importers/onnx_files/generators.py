"""Generators as others' exporters write them into ONNX; each is given an OnnxWriter.

Channels come first unless a name says otherwise, names are those of PyTorch's exporter.
"""

from typing import Any

import numpy as np
from onnx import TensorProto


def dcgan(w: Any) -> Any:
    """PyTorch's tutorial: transposed convolutions of a latent map of one pixel."""
    x = w.op(
        "Relu", w.norm(w.up(w.input("z", "batch", 6, 1, 1), 6, 8, strides=[1, 1], pads=[0] * 4), 8)
    )
    x = w.op("Relu", w.norm(w.up(x, 8, 4), 4))
    return w.model(w.op("Tanh", w.up(x, 4, 3)))


def linear(w: Any) -> Any:
    """A Linear layer and a view; sizes computed from the batch, as PyTorch exports them."""
    z = w.input("z", "batch", 6)
    x = w.op("Gemm", z, w.weight(8 * 3 * 5, 6), w.weight(8 * 3 * 5), transB=1)
    x = w.op("LeakyRelu", w.norm(x, 8 * 3 * 5), alpha=0.2)
    batch = w.op("Gather", w.op("Shape", x), w.constant(0), axis=0)
    sizes = [w.op("Unsqueeze", batch, w.constant([0])), *(w.constant([n]) for n in (8, 3, 5))]
    x = w.op("Reshape", x, w.op("Concat", *sizes, axis=0))
    return w.model(w.op("Tanh", w.up(w.op("Relu", w.norm(w.up(x, 8, 4), 4)), 4, 1)))


def conditional(w: Any) -> Any:
    """A class that an embedding looks up, joined to the latents."""
    z = w.input("z", "batch", 6)
    label = w.input("label", "batch", dtype=TensorProto.INT64)
    x = w.op("Concat", z, w.op("Gather", w.weight(5, 4), label), axis=1)
    x = w.op("Relu", w.op("Add", w.op("MatMul", x, w.weight(10, 64)), w.weight(64)))
    x = w.op("Reshape", x, w.constant([-1, 4, 4, 4]))
    return w.model(w.op("Sigmoid", w.up(x, 4, 3)))


def cyclegan(w: Any) -> Any:
    """Reflection padding, instance norm, residual blocks, output padding."""
    x = w.input("pictures", 1, 3, 16, 16)

    def normed(x: str, channels: int) -> str:
        ones, zeros = w.constant(np.ones(channels)), w.constant(np.zeros(channels))
        return w.op("Relu", w.op("InstanceNormalization", x, ones, zeros, epsilon=1e-5))

    def reflected(x: str, by: int) -> str:
        return w.op("Pad", x, w.constant([0, 0, by, by] * 2), mode="reflect")

    x = normed(w.conv(reflected(x, 3), 3, 4, 7, pads=[0] * 4), 4)
    x = normed(w.conv(x, 4, 8, strides=[2, 2]), 8)
    x = w.op("Add", x, normed(w.conv(reflected(x, 1), 8, 8, pads=[0] * 4), 8))
    x = normed(w.up(x, 8, 4, 3, output_padding=[1, 1]), 4)
    return w.model(w.op("Tanh", w.conv(reflected(x, 3), 4, 3, 7, pads=[0] * 4)))


def srgan(w: Any) -> Any:
    """PReLU and pixel shuffles; a dense block."""
    x = w.input("pictures", "batch", 3, 8, 8)
    first = w.op("PRelu", w.conv(x, 3, 4), w.weight(4, 1, 1))
    second = w.op("LeakyRelu", w.conv(first, 4, 4), alpha=0.2)
    joined = w.conv(w.op("Concat", first, second, axis=1), 8, 4)
    x = w.op("Add", w.op("Mul", joined, w.constant(0.2)), first)
    x = w.op("DepthToSpace", w.conv(x, 4, 16), blocksize=2, mode="CRD")
    x = w.op("PRelu", x, w.weight(4, 1, 1))
    x = w.op("Tanh", w.conv(x, 4, 3))
    return w.model(w.op("Div", w.op("Add", x, w.constant(1.0)), w.constant(2.0)))


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
    x = w.op("Relu", w.op("Gemm", w.input("z", 2, 6), w.weight(6, 32), w.weight(32)))
    x = w.op("Unsqueeze", w.op("Unsqueeze", x, axes=[2]), axes=[3])
    x = w.op("Reshape", x, w.constant([2, 2, 4, 4]))
    x = w.op("Upsample", x, w.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
    x = w.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0)
    x = w.op("Slice", w.conv(x, 2, 4), axes=[2, 3], starts=[1, 1], ends=[-1, -1])
    x = w.op("Dropout", w.op("Clip", x, min=0.0, max=6.0), ratio=0.5)
    return w.model(w.op("Sigmoid", w.op("Conv", x, w.weight(1, 4, 1, 1))), opset=9)


def of_halves(w: Any) -> Any:
    """Weights of 16 bits, and casts."""
    x = w.op("Cast", w.input("z", "batch", 6), to=TensorProto.FLOAT16)
    weight = w.constant(w.random.normal(0, 0.3, (6, 48)), np.float16)
    x = w.op("Reshape", w.op("MatMul", x, weight), w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Cast", w.op("Tanh", x), to=TensorProto.FLOAT))


def modulated(w: Any) -> Any:
    """StyleGAN's convolution: a kernel that follows from the latents."""
    z = w.input("z", 1, 6)
    style = w.op(
        "Reshape",
        w.op("Gemm", z, w.weight(4, 6), w.positive(4), transB=1),
        w.constant([1, 4, 1, 1]),
    )
    kernel = w.op("Mul", w.weight(3, 4, 3, 3), style)
    squares = w.op("ReduceSum", w.op("Mul", kernel, kernel), w.constant([1, 2, 3]), keepdims=1)
    kernel = w.op("Div", kernel, w.op("Sqrt", w.op("Add", squares, w.constant(1e-8))))
    x = w.op("Conv", w.weight(1, 4, 8, 8), kernel, kernel_shape=[3, 3], pads=[1] * 4)
    return w.model(w.op("Tanh", x))


def attention(w: Any) -> Any:
    """SAGAN's: each pixel looks at all others."""
    x = w.op(
        "Reshape",
        w.op("MatMul", w.input("z", "batch", 6), w.weight(6, 128)),
        w.constant([-1, 8, 4, 4]),
    )
    q, k, v = (w.op("Reshape", w.conv(x, 8, 8, 1), w.constant([0, 8, 16])) for _ in "qkv")
    weights = w.op("Softmax", w.op("MatMul", w.op("Transpose", q, perm=[0, 2, 1]), k), axis=-1)
    seen = w.op("MatMul", v, w.op("Transpose", weights, perm=[0, 2, 1]))
    x = w.op("Add", x, w.op("Reshape", seen, w.constant([0, 8, 4, 4])))
    return w.model(w.op("Tanh", w.up(x, 8, 3)))


def quantized(w: Any) -> Any:
    """QDQ: each tensor rounded to int8 and back."""
    scale, zero = w.constant(0.02), w.constant(0, np.int8)

    def rounded(x: str) -> str:
        return w.op("DequantizeLinear", w.op("QuantizeLinear", x, scale, zero), scale, zero)

    x = w.op("MatMul", rounded(w.input("z", "batch", 6)), w.weight(6, 48))
    x = w.op("Reshape", rounded(x), w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Tanh", x))
