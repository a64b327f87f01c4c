"""No silent float: a file that calls itself int8 computes in integers only."""

from collections.abc import Sequence
from typing import NamedTuple

from deploy.errors import PocketganError
from pipeline.tflite.count import KERNEL_INPUTS
from pipeline.tflite.model import LiteModel, Op

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
