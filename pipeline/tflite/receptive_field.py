"""How far a .tflite looks around a pixel, so that large pictures can be drawn in tiles of it.

Along each side, the pixels of every map that one drawn pixel depends on are an interval. It is
followed from the output back to the input, operation by operation (Araujo, Norris & Sim 2019,
"Computing receptive fields of convolutional neural networks"). A drawn pixel whose interval leaves
a map has seen padding in place of what lies beside the tile; every other one is drawn as it would
be in a picture of any size.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.model import Op, Subgraph, Tensor
from pipeline.tflite.read import damage_reported, read_model

_SIDES = (1, 2)  # of [N, H, W, C]
_SAME = schema.Padding.SAME


@dataclass(frozen=True, kw_only=True)
class Reach:
    """What tiles of a file that reads and draws pictures must keep to."""

    scale: Fraction
    """Pixels drawn for each pixel read, along a side."""
    multiple: int
    """Shifting the input by a multiple of it shifts every map by whole pixels."""
    margin: int | None
    """Pixels of the input, at each edge, within which a tile draws other than a larger picture.
    None where that is all of the tile."""


class UnknownReachError(Exception):
    """An operation that does more than look around a pixel; says which."""


def reach(content: bytes) -> Reach:
    """How far a .tflite with one input [1, h, w, c] and one output [1, H, W, C] looks.

    Raises UnknownReachError where an operation looks at all of the picture, or is none of those
    that are known here, and PocketganError where ``content`` is no sound .tflite.
    """
    graph = read_model(content).subgraphs[0]
    source, target = graph.inputs[0], graph.outputs[0]
    if len(source.shape) != 4 or len(target.shape) != 4:
        raise UnknownReachError("it does not turn a picture into a picture")
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(content, 0)
        steps = [
            _Step(op, operator.builtinOptions)
            for op, operator in zip(graph.ops, table.subgraphs[0].operators, strict=True)
        ]
        strides = [_strides(graph, steps, side) for side in _SIDES]
        margins = [_margin(graph, steps, side) for side in _SIDES]
    scales = {1 / each[target] for each in strides if target in each}
    ratios = {Fraction(target.shape[side], source.shape[side]) for side in _SIDES}
    if len(scales) != 1 or ratios != scales:
        raise UnknownReachError("its picture is not one number of times as large as the input")
    (scale,) = scales
    multiple = math.lcm(*(each.numerator for side in strides for each in side.values()))
    inside = [margin for margin in margins if margin is not None]
    margin = math.ceil(max(inside) / scale) if len(inside) == len(margins) else None
    return Reach(scale=scale, multiple=multiple, margin=margin)


class _Step(NamedTuple):
    op: Op
    options: Any
    """The schema's table of them, or None."""


class _Interval(NamedTuple):
    """For each drawn pixel, the first and last pixel of a map that it depends on: int64 [pixels],
    unbounded as if the map went on."""

    first: np.ndarray
    last: np.ndarray


class _Window(NamedTuple):
    """An operation along one side: pixel o of its output is made of ``size`` pixels of the input,
    ``dilation`` apart, from ``stride`` · o − ``before`` on."""

    size: int
    stride: Fraction
    before: int = 0
    dilation: int = 1

    def back(self, of: _Interval) -> _Interval:
        """The pixels of the input that those of the output are made of."""
        span = (self.size - 1) * self.dilation
        if self.stride >= 1:
            return _Interval(
                of.first * int(self.stride) - self.before,
                of.last * int(self.stride) - self.before + span,
            )
        up = int(1 / self.stride)  # pixel i of the input is in up · i − before to that + span
        return _Interval(-((span - of.first - self.before) // up), (of.last + self.before) // up)


def _strides(graph: Subgraph, steps: list[_Step], side: int) -> dict[Tensor, Fraction]:
    """Pixels of the input from one pixel of a map to the next."""
    strides = {graph.inputs[0]: Fraction(1)}
    for step in steps:
        for source in _maps(graph, step.op):
            if source in strides:
                stride = strides[source] * _window(step, source, side).stride
                for output in step.op.outputs:
                    if strides.setdefault(output, stride) != stride:
                        raise UnknownReachError(f"{step.op.label} joins maps of two scales")
    return strides


def _margin(graph: Subgraph, steps: list[_Step], side: int) -> int | None:
    """Drawn pixels at an edge that depend on padding; None where all do."""
    pixels = np.arange(graph.outputs[0].shape[side])
    intervals = {graph.outputs[0]: _Interval(pixels, pixels)}
    padded = np.zeros(len(pixels), bool)
    for step in reversed(steps):
        written = [intervals[output] for output in step.op.outputs if output in intervals]
        if not written:
            continue
        for source in _maps(graph, step.op):
            interval = _window(step, source, side).back(_joined(written))
            padded |= (interval.first < 0) | (interval.last >= source.shape[side])
            old = [intervals[source]] if source in intervals else []
            intervals[source] = _joined([*old, interval])
    inside = np.flatnonzero(~padded)
    if not len(inside):
        return None
    return int(max(inside[0], len(pixels) - 1 - inside[-1]))


def _joined(intervals: list[_Interval]) -> _Interval:
    return _Interval(
        np.minimum.reduce([interval.first for interval in intervals]),
        np.maximum.reduce([interval.last for interval in intervals]),
    )


def _maps(graph: Subgraph, op: Op) -> Iterator[Tensor]:
    """The inputs of an operation that are maps [1, H, W, C], not weights or other constants."""
    if op.name in _WEIGHTED:
        inputs = [op.inputs[_WEIGHTED[op.name]]]
    else:
        inputs = [tensor for tensor in op.inputs if graph.constant(tensor) is None]
    for tensor in inputs:
        if tensor is not None:
            if len(tensor.shape) != 4:
                raise UnknownReachError(f"{op.label} reads no map")
            yield tensor


_WEIGHTED = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 0, "TRANSPOSE_CONV": 2}
"""Operations with weights, and the number of the input that is a map."""


# ---------------------------------------------------------------------- operations


def _window(step: _Step, source: Tensor, side: int) -> _Window:
    name, output = step.op.name, step.op.outputs[0]
    if len(output.shape) != 4:
        raise UnknownReachError(f"{step.op.label} makes no map")
    if name in _WINDOWS:
        return _WINDOWS[name](step, source, side)
    if name not in _POINTWISE or source.shape[side] != output.shape[side]:
        raise UnknownReachError(f"{step.op.label} looks at more than a pixel's surroundings")
    if name == "CONCATENATION" and step.options.axis not in (3, -1):
        raise UnknownReachError(f"{step.op.label} joins maps side by side")
    return _Window(1, Fraction(1))


_POINTWISE = (
    *("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "CONCATENATION"),
    *("RELU", "RELU6", "RELU_N1_TO_1", "LEAKY_RELU", "PRELU", "ELU", "GELU", "HARD_SWISH"),
    *("TANH", "LOGISTIC", "ABS", "NEG", "EXP", "SQUARE", "SQRT", "RSQRT", "QUANTIZE", "DEQUANTIZE"),
    "CAST",
)
"""Operations that read one pixel for each they write."""


def _before(step: _Step, *, size: int, stride: int, small: int, large: int) -> int:
    """Padding before the first pixel; ``large`` is the map of more pixels, which is padded."""
    if step.options.padding != _SAME:
        return 0
    return max((small - 1) * stride + size - large, 0) // 2


def _convolution(step: _Step, source: Tensor, side: int) -> _Window:
    options, kernel = step.options, step.op.inputs[1]
    if kernel is None:
        raise UnknownReachError(f"{step.op.label} has no weights")
    stride = (options.strideH, options.strideW)[side - 1]
    dilation = (options.dilationHFactor, options.dilationWFactor)[side - 1]
    return _sliding(step, source, side, (kernel.shape[side], stride, dilation))


def _pooling(step: _Step, source: Tensor, side: int) -> _Window:
    options = step.options
    size = (options.filterHeight, options.filterWidth)[side - 1]
    return _sliding(step, source, side, (size, (options.strideH, options.strideW)[side - 1], 1))


def _sliding(step: _Step, source: Tensor, side: int, window: tuple[int, int, int]) -> _Window:
    size, stride, dilation = window
    output = step.op.outputs[0].shape[side]
    spread = (size - 1) * dilation + 1
    before = _before(step, size=spread, stride=stride, small=output, large=source.shape[side])
    return _Window(size, Fraction(stride), before, dilation)


def _transposed(step: _Step, source: Tensor, side: int) -> _Window:
    kernel = step.op.inputs[1]
    if kernel is None:
        raise UnknownReachError(f"{step.op.label} has no weights")
    size, stride = kernel.shape[side], (step.options.strideH, step.options.strideW)[side - 1]
    output = step.op.outputs[0].shape[side]
    before = _before(step, size=size, stride=stride, small=source.shape[side], large=output)
    return _Window(size, Fraction(1, stride), before)


def _blocks(step: _Step, _: Tensor, __: int) -> _Window:
    """Depth to space: a block of pixels is made of one."""
    return _Window(step.options.blockSize, Fraction(1, step.options.blockSize))


def _gathered(step: _Step, _: Tensor, __: int) -> _Window:
    """Space to depth: a pixel is made of a block."""
    return _Window(step.options.blockSize, Fraction(step.options.blockSize))


def _padded(step: _Step, source: Tensor, side: int) -> _Window:
    amounts = step.op.inputs[1]
    if amounts is None or not amounts.is_constant:
        raise UnknownReachError(f"{step.op.label} pads by what only a run tells")
    return _Window(1, Fraction(1), int(amounts.data()[side, 0]))


def _resized(step: _Step, source: Tensor, side: int) -> _Window:
    ratio = Fraction(step.op.outputs[0].shape[side], source.shape[side])
    if step.options.alignCorners or 1 not in (ratio.numerator, ratio.denominator):
        raise UnknownReachError(f"{step.op.label} resizes by no whole number")
    nearest = step.op.name == "RESIZE_NEAREST_NEIGHBOR"
    if ratio < 1:
        return _Window(int(1 / ratio) if nearest else int(1 / ratio) + 1, 1 / ratio)
    up = int(ratio)
    if nearest:
        return _Window(up, 1 / ratio)
    # A pixel of the input reaches as far as its neighbours'.
    return _Window(2 * up, 1 / ratio, up // 2 if step.options.halfPixelCenters else up)


_WINDOWS: dict[str, Callable[[_Step, Tensor, int], _Window]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "TRANSPOSE_CONV": _transposed,
    "AVERAGE_POOL_2D": _pooling,
    "MAX_POOL_2D": _pooling,
    "DEPTH_TO_SPACE": _blocks,
    "SPACE_TO_DEPTH": _gathered,
    "PAD": _padded,
    "PADV2": _padded,
    "MIRROR_PAD": _padded,
    "RESIZE_NEAREST_NEIGHBOR": _resized,
    "RESIZE_BILINEAR": _resized,
}
