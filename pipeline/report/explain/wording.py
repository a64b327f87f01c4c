"""How an explanation names operations and writes what they cost."""

from collections.abc import Sequence

from pipeline.report.explain.schema import CostUnit, ExplainedOperation
from pipeline.report.quantities import significant

_PLAIN = {
    "TRANSPOSE_CONV": "transposed convolution",
    "CONV_2D": "convolution",
    "DEPTHWISE_CONV_2D": "depthwise convolution",
    "FULLY_CONNECTED": "dense layer",
    "RESIZE_NEAREST_NEIGHBOR": "nearest-neighbour resizing",
    "RESIZE_BILINEAR": "bilinear resizing",
    "DEPTH_TO_SPACE": "depth to space",
    "LEAKY_RELU": "leaky ReLU",
    "BATCH_MATMUL": "matrix product",
    "QUANTIZE": "rounding to int8",
    "DEQUANTIZE": "widening to float",
}
_PLURALS = {"nearest-neighbour resizing", "bilinear resizing", "depth to space", "leaky ReLU"}
_PLURALS |= {"rounding to int8", "widening to float"}


def kind_in_words(operation: str, number: int = 1) -> str:
    """As in "3 transposed convolutions (TRANSPOSE_CONV)"; "TANH" where no plain word is shorter."""
    plain = _PLAIN.get(operation)
    if plain is None:
        return f"{number} {operation}" if number > 1 else operation
    if number > 1 and plain not in _PLURALS:
        return f"{number} {plain}s ({operation})"
    return f"{number} × {plain} ({operation})" if number > 1 else f"{plain} ({operation})"


def cost_in_words(cost: float, unit: CostUnit) -> str:
    """As in "20.3 million instructions" or "1.12 ms"."""
    if unit == "ms":
        return f"{significant(cost)} ms"
    return f"{count_in_words(cost)} {unit}"


def count_in_words(number: float) -> str:
    """As in "51.7 million"."""
    for size, name in ((1e9, "billion"), (1e6, "million"), (1e3, "thousand")):
        if number >= size:
            return f"{significant(number / size)} {name}"
    return f"{number:,.0f}"


def number_of(number: int, thing: str) -> str:
    """As in "1 operation" or "2 operations"."""
    return f"{number} {thing}{'s' * (number != 1)}"


def percent(share: float) -> str:
    """As in "96.5 %"; "under 0.1 %" of what there is hardly any of."""
    return "under 0.1 %" if 0 < share < 0.001 else f"{100 * share:.1f} %"


def shape_in_words(shape: Sequence[int]) -> str:
    """Without the batch: as in "14×14×64"."""
    return "×".join(map(str, shape[1:] if len(shape) > 1 else shape))


def named(operation: ExplainedOperation) -> str:
    """As in "TRANSPOSE_CONV in upsample"."""
    return f"{operation.operation} in {operation.layer}"
