"""Multiply-accumulates of one operation, from its shapes alone.

A multiply-accumulate is one weight times one activation added to a sum. Every weight counts, zeros
and taps that fall on padding included; biases, activations and element-wise operations do not.
"""

import math
from collections.abc import Callable, Sequence

from pipeline.tflite.model import Tensor


def macs(op: str, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> int:
    """Multiply-accumulates of one run of ``op`` at the batch its shapes say; 0 where none.

    Raises IndexError where a tensor has too few dimensions for the operation.
    """
    count = _COUNTS.get(op)
    if count is None:
        return 0
    return count([tensor.shape if tensor else () for tensor in inputs], outputs[0].shape)


Shape = tuple[int, ...]


def _fully_connected(inputs: list[Shape], output: Shape) -> int:
    """Weights [out, in]: each output value sums over ``in``."""
    return math.prod(output) * inputs[1][1]


def _conv(inputs: list[Shape], output: Shape) -> int:
    """Kernel [out, height, width, in a group]: each output value sums over all but ``out``."""
    _out, height, width, depth = _of_rank(inputs[1], 4)
    return math.prod(output) * height * width * depth


def _depthwise(inputs: list[Shape], output: Shape) -> int:
    """Kernel [1, height, width, out]: each output value sees one channel."""
    _one, height, width, _out = _of_rank(inputs[1], 4)
    return math.prod(output) * height * width


def _transpose_conv(inputs: list[Shape], output: Shape) -> int:
    """Kernel [out, height, width, in]: each input value meets every tap and output channel."""
    out, height, width, _in = _of_rank(inputs[1], 4)
    return math.prod(inputs[2]) * height * width * out


def _conv_3d(inputs: list[Shape], output: Shape) -> int:
    """Kernel [depth, height, width, in, out]."""
    return math.prod(output) * math.prod(_of_rank(inputs[1], 5)[:4])


def _conv_3d_transpose(inputs: list[Shape], output: Shape) -> int:
    """Kernel [depth, height, width, out, in]."""
    return math.prod(inputs[2]) * math.prod(_of_rank(inputs[1], 5)[:4])


def _batch_matmul(inputs: list[Shape], output: Shape) -> int:
    """[..., M, K] times [..., K, N]; the left side may be stored [..., K, M]."""
    rows = output[-2]
    return math.prod(output) * (inputs[0][-1] * inputs[0][-2] // rows) if rows else 0


def _of_rank(shape: Shape, rank: int) -> Shape:
    if len(shape) != rank:
        raise IndexError(f"a kernel of shape {shape} should have {rank} dimensions")
    return shape


_COUNTS: dict[str, Callable[[list[Shape], Shape], int]] = {
    "FULLY_CONNECTED": _fully_connected,
    "CONV_2D": _conv,
    "DEPTHWISE_CONV_2D": _depthwise,
    "TRANSPOSE_CONV": _transpose_conv,
    "CONV_3D": _conv_3d,
    "CONV_3D_TRANSPOSE": _conv_3d_transpose,
    "BATCH_MATMUL": _batch_matmul,
}
