"""What of a file LiteRT's GPU delegate leaves to the CPU, or draws otherwise than the CPU does.

Nothing here runs on a GPU. The rules are those that the delegate itself asks before it takes an
operation (``RULES``), and what its makers document or confirm of its arithmetic; each remark
names its source. (LiteRT's own offline check, ``ModelAnalyzer``, calls every file compatible in
ai-edge-litert 2.3.0 and tensorflow 2.21.0, one of CONV_3D and of custom operations too.)
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.model import LiteModel, Op, Subgraph, Tensor
from pipeline.tflite.read import damage_reported

_TENSORFLOW = "https://github.com/tensorflow/tensorflow"
RULES = f"{_TENSORFLOW}/blob/master/tensorflow/lite/tools/versioning/gpu_compatibility.cc"
FIVE_AXES = f"{_TENSORFLOW}/issues/71809"
STATIC_SIZES = f"{_TENSORFLOW}/issues/58746"
TRANSPOSED = f"{_TENSORFLOW}/issues/42649"
CORNERS = f"{_TENSORFLOW}/issues/24986"
QUANTIZED = "https://www.tensorflow.org/lite/performance/gpu_advanced"
MOST_AXES = 4


@dataclass(frozen=True, kw_only=True)
class GpuRemark:
    """One operation, or the whole file, and what a GPU makes of it."""

    operation: str
    """Empty where it is of the whole file."""
    layer: str
    reason: str
    source: str
    """Address of what says so."""


@dataclass(frozen=True, kw_only=True)
class GpuCheck:
    """``left`` are operations that stay on the CPU, ``otherwise`` what is drawn otherwise."""

    left: tuple[GpuRemark, ...]
    otherwise: tuple[GpuRemark, ...]

    @property
    def is_clean(self) -> bool:
        """Whether one run stays on the GPU from its first operation to its last."""
        return not self.left


def gpu_check(model: LiteModel) -> GpuCheck:
    """What is known of ``model`` on LiteRT's GPU delegate, by its first sub-graph."""
    graph = model.subgraphs[0]
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(model.content, 0)
        options = [op.builtinOptions for op in table.subgraphs[0].operators or []]
    rows = [
        _Row(op, graph, option)
        for op, option in zip(graph.ops, options, strict=True)
        if not graph.unpacks_constant(op)
    ]
    return GpuCheck(
        left=tuple(remark for row in rows if (remark := _left(row))),
        otherwise=(*_of_file(graph), *(remark for row in rows for remark in _otherwise(row))),
    )


@dataclass(frozen=True)
class _Row:
    """An operation and its options (None where it has none), by the schema's names."""

    op: Op
    graph: Subgraph
    options: Any

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(tensor for tensor in self.op.inputs if tensor is not None)

    @property
    def computed(self) -> tuple[Tensor, ...]:
        """The inputs that are no constants."""
        return tuple(t for t in self.inputs if self.graph.constant(t) is None)

    def option(self, name: str) -> Any:
        return getattr(self.options, name, None)


def _left(row: _Row) -> GpuRemark | None:
    op = row.op
    tensors = [*row.computed, *op.outputs]
    if op.custom_name or op.name not in _CONDITIONS:
        return _remark(row, "the delegate has no such operation", RULES)
    if any(tensor.free_axes for tensor in tensors):
        return _remark(row, "its sizes are not fixed in the file", STATIC_SIZES)
    if any(len(tensor.shape) > MOST_AXES for tensor in tensors):
        return _remark(row, f"it has more than {MOST_AXES} axes", FIVE_AXES)
    reason = _CONDITIONS[op.name](row)
    return _remark(row, reason, RULES) if reason else None


def _remark(row: _Row, reason: str, source: str) -> GpuRemark:
    return GpuRemark(operation=row.op.label, layer=row.op.layer, reason=reason, source=source)


Condition = Callable[[_Row], str]
"""Why the delegate refuses an operation of this kind; empty where it takes it."""


def _always(row: _Row) -> str:
    del row
    return ""


def _one_computed(row: _Row) -> str:
    if len(row.computed) > 1:
        return "its size is worked out while it runs"
    return "" if row.computed else "it reads a constant"


def _same_axes(row: _Row) -> str:
    """ADD and MUL of a longer and a shorter shape: all axes from the end equal, or 1."""
    shapes = [tensor.shape for tensor in row.inputs]
    if len(shapes) != 2:
        return "it takes exactly two inputs"
    pairs = zip(shapes[0][::-1], shapes[1][::-1], strict=False)
    fits = all(a == b or 1 in (a, b) for a, b in pairs)
    return "" if fits else "its inputs' shapes cannot be spread over each other"


def _mul(row: _Row) -> str:
    shapes = [tensor.shape for tensor in row.inputs]
    if len(shapes) == 2 and len(shapes[0]) == len(shapes[1]):
        signs = {(a > b) - (a < b) for a, b in zip(*shapes, strict=True)}
        return "each input is spread over the other" if {1, -1} <= signs else ""
    return _same_axes(row)


def _depthwise(row: _Row) -> str:
    into, out = row.inputs[0].shape[-1], row.op.outputs[0].shape[-1]
    several = into != out and into != 1
    return "it draws several channels out of each of several" if several else ""


def _fully_connected(row: _Row) -> str:
    if row.option("weightsFormat"):
        return "its weights are stored shuffled"
    if row.option("keepNumDims") and len(row.inputs[0].shape) != len(row.op.outputs[0].shape):
        return "it keeps axes and changes their number"
    return "" if row.computed[:1] == row.inputs[:1] else "it reads a constant"


def _strided_slice(row: _Row) -> str:
    for option, words in (
        ("shrinkAxisMask", "it drops an axis"),
        ("newAxisMask", "it adds an axis"),
        ("ellipsisMask", "it skips axes by an ellipsis"),
    ):
        if row.option(option):
            return words
    return _slice(row)


def _slice(row: _Row) -> str:
    return "" if len(row.inputs[0].shape) in (3, 4) else "its input has neither 3 nor 4 axes"


def _pad(row: _Row) -> str:
    if row.op.name == "MIRROR_PAD" and row.option("mode") != schema.MirrorPadMode.REFLECT:
        return "it mirrors the edge too (SYMMETRIC)"
    fits = len(row.inputs) > 1 and row.inputs[1].shape in ((3, 2), (4, 2))
    return "" if fits else "its paddings are not those of 3 or 4 axes"


def _reduced(row: _Row) -> str:
    axes = row.graph.constant(row.inputs[1]) if len(row.inputs) > 1 else None
    fits = axes is not None and axes.dtype == "int32"
    return "" if fits else "its axes are no int32 constant"


def _cast(row: _Row) -> str:
    kinds = row.inputs[0].dtype, row.op.outputs[0].dtype
    floats = ("float16", "float32")
    to_bool = "bool" in kinds and any(kind in floats for kind in kinds)
    numbers = set(kinds) <= {"float32", "int32"}
    return "" if to_bool or numbers else f"it turns {kinds[0]} into {kinds[1]}"


def _gather(row: _Row) -> str:
    if row.inputs[0].dtype == "int32":
        return "it gathers int32"
    indices = row.inputs[1]
    fits = len(indices.shape) == 1 and indices.dtype == "int32"
    return "" if fits else "its indices are no row of int32"


def _softmax(row: _Row) -> str:
    return "" if row.option("beta") == 1 else "its beta is not 1"


def _dequantize(row: _Row) -> str:
    return "it reads int16" if row.inputs[0].dtype == "int16" else ""


def _blocks(row: _Row) -> str:
    return "" if (row.option("blockSize") or 0) > 1 else "its block size is 1"


def _conditions() -> dict[str, Condition]:
    table: dict[str, Condition] = {
        "ADD": _same_axes,
        "MUL": _mul,
        "CAST": _cast,
        "DEPTHWISE_CONV_2D": _depthwise,
        "DEQUANTIZE": _dequantize,
        "FULLY_CONNECTED": _fully_connected,
        "GATHER": _gather,
        "SLICE": _slice,
        "SOFTMAX": _softmax,
        "STRIDED_SLICE": _strided_slice,
    }
    for names, condition in (
        ("DEPTH_TO_SPACE SPACE_TO_DEPTH", _blocks),
        ("PAD PADV2 MIRROR_PAD", _pad),
        ("MEAN SUM REDUCE_MAX REDUCE_MIN REDUCE_PROD", _reduced),
        (
            "AVERAGE_POOL_2D MAX_POOL_2D HARD_SWISH QUANTIZE RESHAPE TILE TRANSPOSE "
            "RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR ABS CEIL COS ELU EXP FLOOR GELU LOG LOGISTIC "
            "NEG RSQRT SIGN SIN SQRT SQUARE TANH",
            _one_computed,
        ),
        (
            "ADD_N BATCH_MATMUL CONCATENATION CONV_2D CUMSUM DYNAMIC_UPDATE_SLICE "
            "EMBEDDING_LOOKUP LSTM ONE_HOT PACK PRELU RELU RELU6 RELU_N1_TO_1 LEAKY_RELU SELECT "
            "SELECT_V2 SPLIT SPLIT_V TRANSPOSE_CONV ATAN2 DIV EQUAL FLOOR_DIV FLOOR_MOD GREATER "
            "GREATER_EQUAL LESS LOGICAL_AND LESS_EQUAL MAXIMUM MINIMUM NOT_EQUAL POW "
            "SQUARED_DIFFERENCE SUB STABLEHLO_CLAMP",
            _always,
        ),
    ):
        table |= dict.fromkeys(names.split(), condition)
    return table


_CONDITIONS = _conditions()


def _of_file(graph: Subgraph) -> Iterator[GpuRemark]:
    def of_file(reason: str) -> GpuRemark:
        return GpuRemark(operation="", layer="", reason=reason, source=QUANTIZED)

    floats = any(tensor.is_float for op in graph.ops for tensor in op.outputs)
    if any(t.scales and t.dtype in ("int8", "uint8") for op in graph.ops for t in op.outputs):
        yield of_file(
            "a GPU computes in float: int8 weights are widened once, and the rounding between "
            "operations is imitated. So int8 makes nothing faster there, and draws otherwise"
        )
    elif floats:
        yield of_file(
            "a GPU may compute in half precision, about three digits, unless the app forbids it"
        )


def _otherwise(row: _Row) -> Iterator[GpuRemark]:
    if row.op.name == "TRANSPOSE_CONV":
        yield _remark(row, "was reported to draw otherwise on some phones' GPUs", TRANSPOSED)
    if row.op.name == "RESIZE_BILINEAR" and row.option("alignCorners"):
        reason = "aligned corners were reported to be drawn blank by its OpenGL part"
        yield _remark(row, reason, CORNERS)
