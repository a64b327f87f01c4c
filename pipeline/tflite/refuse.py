"""No silent float: a file that calls itself int8 computes in integers only."""

from collections.abc import Sequence

from deploy.errors import PocketganError
from pipeline.tflite.count import float_ops
from pipeline.tflite.model import LiteModel

_REMEDIES = {
    "MUL": "A batch norm is left over; put it right behind a Dense or convolution layer.",
    "ADD": "A batch norm is left over; put it right behind a Dense or convolution layer.",
    "RSQRT": "Instance and layer norms have no int8 form; use batch norm.",
    "QUANTIZE": "The input is float; convert with int8 input and output.",
    "DEQUANTIZE": "The output is float; convert with int8 input and output.",
}
_OTHERWISE = "Replace the layer by one that has an int8 form (see README, networks)."


def refuse_float(model: LiteModel, variant: str) -> None:
    """PocketganError that names every float operation, its layer and the remedy."""
    found = float_ops(model)
    if not found:
        return
    listed = "; ".join(f"{op.op} in {op.layer} ({op.reason})" for op in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    raise PocketganError(
        f"variant {variant} is not int8 through and through: {listed}{more}.",
        _remedy([op.op for op in found]),
    )


def _remedy(ops: Sequence[str]) -> str:
    # What stands between float and int8 is a consequence; the operation in between is the cause.
    causes = [op for op in ops if op not in ("QUANTIZE", "DEQUANTIZE")] or ops
    return _REMEDIES.get("RSQRT" if "RSQRT" in causes else causes[0], _OTHERWISE)
