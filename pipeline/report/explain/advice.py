"""What would make a file cheaper on a target: each advice with what it gained where measured."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from pipeline.report.explain.compared import rounded_and_float, rounded_in_words
from pipeline.report.explain.gains import gain_in_words, pays
from pipeline.report.explain.schema import ExplainedOperation, Explanation
from pipeline.report.explain.wording import number_of, percent
from pipeline.report.quantities import listed, times_of

WORTH_A_CHANGE = 0.02
"""Share of the cost from which on an operation is worth a change of the network."""
TILE = 8
"""Kernels work on so many output channels at once, or on twice as many."""
DEARER = 1.05
_NUMBERS = {2: "two", 4: "four", 9: "nine"}
_ACTIVATIONS = ("LEAKY_RELU", "PRELU", "ELU", "GELU", "HARD_SWISH")
_NORM = ("MEAN", "RSQRT", "SQUARED_DIFFERENCE", "SQUARE", "SUM")
_WITH_KERNELS = ("CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D")
SUITE, EXPLAIN, NPU = "docs/suite.md", "docs/explain.md", "docs/npu.md"
NOT_ON_NPUS = f"No change of a network was measured on an NPU; {NPU} compares files."


def advice(explanation: Explanation) -> Iterator[str]:
    """Each in a sentence or two; what does not pay on the target is left out."""
    said = [sentence for each in _ADVICE for sentence in each(explanation)]
    if explanation.fast_path == "NPU":
        said = [*_dense_on_npu(explanation), *said] or [NOT_ON_NPUS]
    nothing = f"Nothing that was measured in {SUITE} and {EXPLAIN} would make it cheaper here."
    yield from said or [nothing]


def _dense_on_npu(explanation: Explanation) -> Iterator[str]:
    share = _share(explanation, "FULLY_CONNECTED")
    if share >= WORTH_A_CHANGE:
        yield (
            f"A dense layer ({percent(share)}) uses each weight once, so that reading them is what "
            "it waits for: fewer weights, or more zeros among them, pay here, as this compiler "
            "packs weights. Compiled for npu:ethos-u55-128, one generator with 76 % zeros left "
            f"0.65× of the estimated time of its dense twin; see {NPU}. Not compiled for this file."
        )


def _with_gain(text: str, change: str, explanation: Explanation) -> Iterator[str]:
    """The advice, if it pays there, with what is left of the cost."""
    if explanation.fast_path == "XNNPACK" and pays(change, explanation.target):
        place = SUITE if change in ("sub_pixel", "depthwise", "no_resizing") else EXPLAIN
        left = gain_in_words(change, explanation.target)
        of = "" if explanation.file.precision == "int8" else " of int8 files, not measured of these"
        yield f"{text} Measured{of}, it left {left}; see {place}."


def _share(explanation: Explanation, *names: str) -> float:
    file = explanation.file
    cost = sum(each.cost for each in file.operations if each.operation in names)
    return cost / (file.total or 1.0)


def _fixed_batch(explanation: Explanation) -> Iterator[str]:
    computed = [each for each in explanation.file.operations if each.size_is_computed]
    if any(each.on_fast_path is False for each in computed):
        text = (
            "Convert it with a batch of 1 (in Keras, Input(…, batch_size=1)): its sizes are then "
            f"fixed, and XNNPACK can take {number_of(len(computed), 'operation')} more."
        )
        yield from _with_gain(text, "fixed_batch", explanation)


def _transposed(explanation: Explanation) -> Iterator[str]:
    share = _share(explanation, "TRANSPOSE_CONV")
    operations = explanation.file.operations
    times = _enlarged([each for each in operations if each.operation == "TRANSPOSE_CONV"])
    if share < WORTH_A_CHANGE or not times:
        return
    text = f"In place of its transposed convolutions ({percent(share)}), "
    sub_pixel = f"a convolution to {times} the channels, then depth to space (sub-pixel)."
    depthwise = "nearest-neighbour resizing, then a depthwise and a 1×1 convolution."
    changes = [
        *_with_gain(text + sub_pixel, "sub_pixel", explanation),
        *_with_gain(text + depthwise, "depthwise", explanation),
    ]
    yield from changes
    if changes:
        yield "Such a network has to be trained anew: `pocketgan compress` does it, from this one."


def _enlarged(operations: Sequence[ExplainedOperation]) -> str:
    """As in "four times", or "four or 16 times": in pixels. Empty where none enlarges anything."""
    factors = {4 if each.enlarges is None else each.enlarges for each in operations}
    words = [_NUMBERS.get(factor, str(factor)) for factor in sorted(factors) if factor > 1]
    return f"{' or '.join(words)} times" if words else ""


def _resizing(explanation: Explanation) -> Iterator[str]:
    operations = explanation.file.operations
    pairs = [
        (one, next_one)
        for one, next_one in pairwise(operations)
        if one.operation.startswith("RESIZE_")
        and next_one.operation == "CONV_2D"
        and _enlarged([one])
    ]
    share = sum(one.cost + next_one.cost for one, next_one in pairs)
    share /= explanation.file.total or 1.0
    if share >= WORTH_A_CHANGE:
        times = _enlarged([one for one, _ in pairs])
        text = (
            f"In place of resizing and the convolution behind it ({percent(share)}), a convolution "
            f"to {times} the channels, then depth to space (sub-pixel)."
        )
        yield from _with_gain(text, "no_resizing", explanation)


def _activation(explanation: Explanation) -> Iterator[str]:
    share = _share(explanation, *_ACTIVATIONS)
    if share >= WORTH_A_CHANGE:
        text = (
            f"ReLU in place of the activations that are operations of their own ({percent(share)}):"
            " it becomes part of the layer before it."
        )
        yield from _with_gain(text, "relu", explanation)


def _norm(explanation: Explanation) -> Iterator[str]:
    share = _share(explanation, *_NORM)
    if share >= WORTH_A_CHANGE and _share(explanation, "RSQRT"):
        text = (
            "Batch norm in place of instance, layer or group norm, whose sums and roots are "
            f"operations of their own ({percent(share)}): it folds into the layer before."
        )
        yield from _with_gain(text, "batch_norm", explanation)


def _rounding(explanation: Explanation) -> Iterator[str]:
    share = _share(explanation, "QUANTIZE", "DEQUANTIZE")
    # Where nothing is int8, DEQUANTIZE widens weights that are stored in half precision.
    # Where all is integers, QUANTIZE goes from one scale to another, and nothing is in float.
    if share >= WORTH_A_CHANGE and explanation.file.precision == "mixed":
        yield (
            f"Inputs and outputs in int8, and nothing in between that has no int8 form: QUANTIZE "
            f"and DEQUANTIZE take {percent(share)} here, and that is what can be gained. "
            "`pocketgan inspect` names what is in float."
        )


def _width(explanation: Explanation) -> Iterator[str]:
    file = explanation.file
    uneven = [each for each in file.operations if _is_uneven(each)]
    share = sum(each.cost for each in uneven) / (file.total or 1.0)
    if share >= WORTH_A_CHANGE:
        widths = listed([f"{each.shape[-1]} in {each.layer}" for each in uneven[:3]])
        text = (
            f"Channels in multiples of {TILE}, as kernels work on {TILE} or {2 * TILE} at once: "
            f"there are {widths}{' and others' if len(uneven) > 3 else ''}."
        )
        yield from _with_gain(text, "width", explanation)


def _is_uneven(operation: ExplainedOperation) -> bool:
    channels = operation.shape[-1] if operation.shape else 0
    return operation.operation in _WITH_KERNELS and channels > TILE and channels % TILE != 0


def _round(explanation: Explanation) -> Iterator[str]:
    pair = rounded_and_float(explanation)
    if pair and explanation.file is pair[1] and pair[1].whole > DEARER * pair[0].whole:
        left = times_of(pair[0].whole / pair[1].whole)
        name = rounded_in_words(pair[0])
        yield f"{name} in place of float32: it takes {left} of the cost here, as measured above."


def _ship_float(explanation: Explanation) -> Iterator[str]:
    pair = rounded_and_float(explanation)
    if pair and explanation.file is pair[0] and pair[0].whole > DEARER * pair[1].whole:
        yield "If speed there matters more than bytes, ship float32: it is the cheaper one here."


_ADVICE: tuple[Callable[[Explanation], Iterator[str]], ...] = (
    _fixed_batch,
    _transposed,
    _resizing,
    _norm,
    _rounding,
    _activation,
    _width,
    _round,
    _ship_float,
)
