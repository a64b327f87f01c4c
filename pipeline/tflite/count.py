"""What a .tflite costs and holds: kernels and their zeros, parameters, bytes, multiplications.

Constants that several operations share are one set of weights in the file and count once, for the
first operation that reads them. What only unpacks a constant (DEQUANTIZE, DENSIFY) is looked
through: the constant belongs to the operation behind it.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deploy.errors import PocketganError
from pipeline.tflite.model import LiteModel, Op, Tensor

# Which inputs hold weights that multiply activations or are looked up.
KERNEL_INPUTS = {
    "FULLY_CONNECTED": (1,),
    "CONV_2D": (1,),
    "DEPTHWISE_CONV_2D": (1,),
    "TRANSPOSE_CONV": (1,),
    "CONV_3D": (1,),
    "CONV_3D_TRANSPOSE": (1,),
    "BATCH_MATMUL": (0, 1),
    "EMBEDDING_LOOKUP": (1,),
    "GATHER": (0,),
}
# Plain integers of these types are shapes and indices; with a scale they are biases.
_INDEX_TYPES = ("bool", "int32", "int64", "uint32", "uint64", "string", "resource", "variant")
_NARROW = ("int8", "uint8", "int4", "uint4", "int2")
STRUCTURE = "(file structure)"
Shape = tuple[int, ...]


class Constant(NamedTuple):
    """A stored tensor, and the operation and input that it is for."""

    op: Op
    slot: int
    tensor: Tensor

    @property
    def is_parameter(self) -> bool:
        """Whether it was learnt: not a shape, an index or a single number."""
        tensor = self.tensor
        return bool(tensor.shape) and (tensor.dtype not in _INDEX_TYPES or bool(tensor.scales))

    @property
    def is_kernel(self) -> bool:
        return self.slot in KERNEL_INPUTS.get(self.op.name, ()) and self.is_parameter


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """The weights of one operation as they lie in the file. ``bytes`` includes sparse indices."""

    layer: str
    op: str
    shape: tuple[int, ...]
    dtype: str
    size: int
    zeros: int
    bytes: int


def op_counts(model: LiteModel) -> dict[str, int]:
    """How often each operation occurs, the commonest first; custom ones by their own name."""
    return dict(Counter(op.label for op in model.ops).most_common())


def constants(model: LiteModel) -> list[Constant]:
    """Every constant that an operation reads, once, for the first operation that reads it."""
    first: dict[int, Constant] = {}
    for subgraph in model.subgraphs:
        for op in subgraph.ops:
            if subgraph.unpacks_constant(op):
                continue
            for slot, tensor in enumerate(map(subgraph.constant, op.inputs)):
                if tensor is not None:
                    first.setdefault(tensor.buffer_index, Constant(op, slot, tensor))
    return list(first.values())


def kernels(model: LiteModel) -> list[Kernel]:
    """The weights of every operation that has some, in order of the operations.

    Raises PocketganError where weights cannot be decoded.
    """
    return [kernel(constant) for constant in constants(model) if constant.is_kernel]


def kernel(constant: Constant) -> Kernel:
    """One operation's weights, their zeros counted; raises as ``kernels`` does."""
    tensor = constant.tensor
    return Kernel(
        layer=constant.op.layer,
        op=constant.op.name,
        shape=tensor.shape,
        dtype=tensor.dtype,
        size=tensor.size,
        zeros=tensor.zeros(),
        bytes=tensor.stored_bytes,
    )


def zero_share(layer_kernels: Sequence[Kernel]) -> float | None:
    """Zero weights over all weights of some kernels, 0..1; None where there are none."""
    size = sum(kernel.size for kernel in layer_kernels)
    return sum(kernel.zeros for kernel in layer_kernels) / size if size else None


def parameters(model: LiteModel) -> int:
    """Elements of all weights and biases; shapes, indices and single numbers are not parameters."""
    return sum(c.tensor.size for c in constants(model) if c.is_parameter)


def total_macs(model: LiteModel) -> int:
    """Multiply-accumulates of one run (see ``macs`` for what counts)."""
    return sum(op.macs for op in model.ops)


def int8_macs(model: LiteModel) -> int:
    """Those of ``total_macs`` that int8 instructions may carry out."""
    return sum(op.macs for op in model.ops if is_int8(op))


def is_int8(op: Op) -> bool:
    """Whether int8 instructions may carry out its multiply-accumulates.

    It reads weights of at most 8 bits and its activations are not int16: float activations count,
    because a dynamic-range kernel quantizes them on its way in. Weights that are widened to float
    before it reads them do not.
    """
    slots = KERNEL_INPUTS.get(op.name, ())
    weights = [op.inputs[slot] for slot in slots if slot < len(op.inputs)]
    narrow = [weight for weight in weights if weight and weight.dtype in _NARROW]
    return bool(narrow) and all(tensor.dtype != "int16" for tensor in op.outputs)


def bytes_by_layer(model: LiteModel) -> dict[str, int]:
    """Bytes of the file by the layer that reads them, in order; the rest is ``STRUCTURE``.

    The rest is names, shapes, quantization scales, signatures, metadata and padding.
    """
    layers: dict[str, int] = {}
    for constant in constants(model):
        layer = constant.op.layer
        layers[layer] = layers.get(layer, 0) + constant.tensor.stored_bytes
    return {**layers, STRUCTURE: model.size - sum(layers.values())}


# What to do about float arithmetic in a file that calls itself int8.
_REMEDIES = {
    "MUL": "A batch norm is left over; put it right behind a Dense or convolution layer.",
    "ADD": "A batch norm is left over; put it right behind a Dense or convolution layer.",
    "RSQRT": "Instance and layer norms have no int8 form; use batch norm.",
    "QUANTIZE": "The input is float; convert with int8 input and output.",
    "DEQUANTIZE": "The output is float; convert with int8 input and output.",
}
_OTHERWISE = "Replace the layer by one that has an int8 form (see README, networks)."


class FloatOp(NamedTuple):
    """An operation that touches floating point, and which of its tensors says so."""

    op: str
    layer: str
    reason: str


def float_ops(model: LiteModel) -> list[FloatOp]:
    """Every operation with a float input, output or constant, in order.

    QUANTIZE and DEQUANTIZE at the border of an integer network are among them: a file called int8
    takes and gives int8.
    """
    reasons = ((op, _float_reason(op)) for op in model.ops)
    return [FloatOp(op.label, op.layer, reason) for op, reason in reasons if reason]


def refuse_float(model: LiteModel, variant: str) -> None:
    """PocketganError that names every float operation, its layer and the remedy."""
    floats = float_ops(model)
    if not floats:
        return
    listed = "; ".join(f"{op.op} in {op.layer} ({op.reason})" for op in floats[:8])
    more = f" and {len(floats) - 8} more" if len(floats) > 8 else ""
    raise PocketganError(
        f"variant {variant} is not int8 through and through: {listed}{more}.",
        _remedy([op.op for op in floats]),
    )


def _remedy(ops: Sequence[str]) -> str:
    # What stands between float and int8 is a consequence; the operation in between is the cause.
    causes = [op for op in ops if op not in ("QUANTIZE", "DEQUANTIZE")] or ops
    return _REMEDIES.get("RSQRT" if "RSQRT" in causes else causes[0], _OTHERWISE)


def _float_reason(op: Op) -> str:
    for slot, tensor in enumerate(op.inputs):
        if tensor is not None and tensor.is_float:
            is_kernel = slot in KERNEL_INPUTS.get(op.name, ())
            return (
                f"its weights are {tensor.dtype}" if is_kernel else f"its input is {tensor.dtype}"
            )
    dtypes = [tensor.dtype for tensor in op.outputs if tensor.is_float]
    return f"its output is {dtypes[0]}" if dtypes else ""


VIEWS = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")
"""Operations that only call the same bytes by another shape."""


def traffic(model: LiteModel) -> int:
    """Every tensor's bytes once: no inference can read its weights and write its results in less.

    What stays in a cache between two operations, or two inferences, need not pass memory. Weights
    are unpacked once, before the first inference.
    """
    constants = {t.buffer_index: t.stored_bytes for t in model.tensors if t.is_constant}
    moved = [tensor for subgraph in model.subgraphs for tensor in subgraph.inputs]
    for subgraph in model.subgraphs:
        for op in subgraph.ops:
            if op.name not in VIEWS and not subgraph.unpacks_constant(op):
                moved += op.outputs
    return sum(constants.values()) + sum(tensor.dense_bytes for tensor in moved)


def macs(op: str, inputs: Sequence[Shape], outputs: Sequence[Shape]) -> int:
    """Multiply-accumulates of one run of ``op`` on tensors of these shapes; 0 where none.

    A multiply-accumulate is one weight times one activation added to a sum. Every weight counts,
    zeros and taps that fall on padding included; biases, activations and element-wise operations
    do not.

    Raises IndexError where a tensor has too few dimensions for the operation.
    """
    if op == "BATCH_MATMUL":
        # [..., M, K] times [..., K, N]; the left side may be stored [..., K, M].
        rows = outputs[0][-2]
        return math.prod(outputs[0]) * (inputs[0][-1] * inputs[0][-2] // rows) if rows else 0
    if op not in _SUMMED_AXES:
        return 0
    rank, axes = _SUMMED_AXES[op]
    kernel = inputs[1]
    if len(kernel) != rank:
        raise IndexError(f"a kernel of shape {kernel} should have {rank} dimensions")
    values = inputs[2] if op in _SCATTERING else outputs[0]
    return math.prod(values) * math.prod(kernel[axis] for axis in axes)


# Rank of the kernel, and those of its axes that are multiplied for each value.
_SUMMED_AXES = {
    "FULLY_CONNECTED": (2, (1,)),  # [out, in]
    "CONV_2D": (4, (1, 2, 3)),  # [out, height, width, in a group]
    "DEPTHWISE_CONV_2D": (4, (1, 2)),  # [1, height, width, out]
    "TRANSPOSE_CONV": (4, (0, 1, 2)),  # [out, height, width, in]
    "CONV_3D": (5, (0, 1, 2, 3)),  # [depth, height, width, in, out]
    "CONV_3D_TRANSPOSE": (5, (0, 1, 2, 3)),  # [depth, height, width, out, in]
}
# Here each input value meets every tap and output channel; else each output value is a sum.
_SCATTERING = ("TRANSPOSE_CONV", "CONV_3D_TRANSPOSE")
