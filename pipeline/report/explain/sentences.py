"""Why a file costs what it costs, in sentences: each topic's heading → what is said of it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from deploy.rounds import SPREAD_LIMIT
from pipeline.report.cores import core_of, int8_instruction, lacks_dot_product
from pipeline.report.explain.advice import TILE, advice
from pipeline.report.explain.compared import (
    Kind,
    counterparts,
    kinds,
    rounded_and_float,
    rounded_in_words,
)
from pipeline.report.explain.limits import limits
from pipeline.report.explain.schema import (
    CostUnit,
    ExplainedFile,
    ExplainedOperation,
    Explanation,
    FastPath,
)
from pipeline.report.explain.wording import (
    cost_in_words,
    count_in_words,
    kind_in_words,
    named,
    percent,
)
from pipeline.report.gpu import reasons_in_words
from pipeline.report.quantities import listed, times_of

WORTH_A_WORD = 0.02
"""Share of the cost from which on a kind of operation is named."""
MOST_KINDS = 4
ALIKE = 1.05
"""Costs whose ratio lies within are the same."""
ADDS_UP = 0.03
"""How far the sum of the parts may lie from the whole."""
MOSTLY_ENTERING_MS = 0.005
"""The runtime itself takes tenths of a microsecond and more to be entered and left."""
ROUNDING = ("QUANTIZE", "DEQUANTIZE")


def sections(explanation: Explanation) -> dict[str, list[str]]:
    """Topics in the order in which a reader asks; one that has nothing to say is left out."""
    topics = {
        "What it costs": _cost(explanation),
        "Where that goes": _where(explanation),
        "Off the fast path": _slow_paths(explanation),
        "int8 against float32": _types(explanation),
        "Distance from the limit": limits(explanation),
        "What would change it": advice(explanation),
        "On a phone's GPU": _gpu(explanation),
    }
    return {topic: said for topic, each in topics.items() if (said := list(each))}


_HOW: dict[CostUnit, str] = {
    "instructions": "counted while the core is emulated: exact, and no time",
    "ms": "the quickest inference, as neighbours on the machine only add to it",
    "cycles": "its compiler's estimate",
}


def _cost(explanation: Explanation) -> Iterator[str]:
    file, other, unit = explanation.file, explanation.other, explanation.unit
    yield (
        f"{file.name} ({file.precision}, {_macs_in_words(file)}) takes "
        f"{cost_in_words(file.whole, unit)} an inference on {explanation.target} ({_HOW[unit]})."
    )
    if explanation.spread is not None and explanation.spread > SPREAD_LIMIT:
        yield (
            f"Do not trust it to the last digit: the medians of two processes lie "
            f"{explanation.spread:.0%} apart, so other programs were busy."
        )
    if other is None:
        if explanation.other_absent:
            yield f"There is nothing to compare it with: {explanation.other_absent}."
        return
    if explanation.other_is_twin:
        name = f"its own layers take in {other.precision} (a file made of it to compare with)"
    else:
        name = f"{other.name} takes"
    yield (
        f"That is {times_of(file.whole / other.whole)} the {cost_in_words(other.whole, unit)} "
        f"that {name}."
    )


def _macs_in_words(file: ExplainedFile) -> str:
    if file.macs is None:
        return f"an unknown number of multiply-accumulates: {file.macs_unknown}"
    return f"{count_in_words(file.macs)} multiply-accumulates"


def _where(explanation: Explanation) -> Iterator[str]:
    file = explanation.file
    total = file.total or 1.0
    every = kinds(file)
    large = [kind for kind in every if kind.cost / total >= WORTH_A_WORD][:MOST_KINDS]
    parts = [f"{_kind(kind)} {percent(kind.cost / total)}" for kind in large]
    rest = sum(kind.cost for kind in every[len(large) :])
    number = len(file.operations) - sum(len(kind.members) for kind in large)
    if number:
        others = "the other operation" if number == 1 else f"the other {number} operations"
        parts.append(f"{others} {percent(rest / total)}")
    yield f"By kind of operation: {listed(parts)}."
    dearest = max(file.operations, key=lambda operation: operation.cost)
    if len(file.operations) > 1:
        yield f"The dearest single one is {named(dearest)}: {percent(dearest.cost / total)}."
    if explanation.unit == "ms" and file.whole < MOSTLY_ENTERING_MS:
        yield (
            "Entering and leaving the runtime is in the first one's cost, and in so quick a file "
            "that is much of it."
        )
    yield from _adds_up(explanation)


def _kind(kind: Kind) -> str:
    return kind_in_words(kind.operation, len(kind.members))


def _adds_up(explanation: Explanation) -> Iterator[str]:
    """Whether the parts make the whole."""
    file = explanation.file
    ratio = file.total / file.whole
    if abs(ratio - 1) <= ADDS_UP:
        yield f"Together they make {100 * ratio:.1f} % of what the whole file takes."
    else:
        yield (
            f"Together they make {100 * ratio:.1f} % of what the whole file takes: read the shares "
            "with that much care. Where times are measured, a quieter machine mends it."
        )


def _slow_paths(explanation: Explanation) -> Iterator[str]:
    file, name = explanation.file, _FAST[explanation.fast_path]
    outside = [each for each in file.operations if each.on_fast_path is False]
    if outside:
        share = sum(each.cost for each in outside) / (file.total or 1.0)
        yield (
            f"{name} leaves {len(outside)} of {len(file.operations)} operations to the CPU's plain "
            f"kernels{_share_in_words(explanation, share)}."
        )
        yield from _why_off(outside)
    elif all(each.on_fast_path for each in file.operations):
        yield f"{name} runs every operation."
    yield from _dot_product(explanation)
    rounding = [each for each in file.operations if each.operation in ROUNDING]
    if rounding and file.precision == "mixed":
        share = sum(each.cost for each in rounding) / (file.total or 1.0)
        yield (
            f"{len(rounding)} operations only go between int8 and float or between scales "
            f"(QUANTIZE, DEQUANTIZE): {percent(share)} of the cost."
        )


_FAST: dict[FastPath, str] = {
    "XNNPACK": "XNNPACK, LiteRT's library of fast kernels,",
    "NPU": "The NPU",
}


def _share_in_words(explanation: Explanation, share: float) -> str:
    """An NPU's compiler counts nothing of what it leaves."""
    if explanation.fast_path == "NPU":
        return ", and nobody counts what they take there"
    return f", and they take {percent(share)} of the cost"


def _why_off(outside: Sequence[ExplainedOperation]) -> Iterator[str]:
    reasons: dict[str, Counter[str]] = {}
    for each in outside:
        reasons.setdefault(each.why_off, Counter())[each.operation] += 1
    for reason, names in reasons.items():
        yield f"{listed([f'{name} ({number})' for name, number in names.items()])}: {reason}."


def _dot_product(explanation: Explanation) -> Iterator[str]:
    """What the core's instructions do to int8 multiply-accumulates."""
    file, core = explanation.file, core_of(explanation.target)
    if not core or not file.macs_int8:
        return
    if lacks_dot_product(explanation.target):
        yield (
            f"{core} has no dot product, the instruction that sums 16 products of int8 at once "
            "(SDOT): int8 kernels multiply, widen and add in steps there. Float32 needs one "
            "instruction (FMLA) for 4 products, with or without it."
        )
    elif file.dot_products is not None:
        width, name = int8_instruction(explanation.target)
        share = file.dot_products * width / file.macs_int8
        yield (
            f"{core} sums 16 products of int8 in one instruction ({name}): "
            f"{count_in_words(file.dot_products)} of them were counted, enough for "
            f"{percent(min(share, 1.0))} of its int8 multiply-accumulates."
        )


def _types(explanation: Explanation) -> Iterator[str]:
    pair = rounded_and_float(explanation)
    if pair is None:
        if explanation.other is not None:
            yield from _by_kind(explanation.file, explanation.other, explanation.other.name)
        return
    rounded, floats = pair
    ratio = rounded.whole / floats.whole
    name = rounded_in_words(rounded)
    instead = "bytes only" if rounded.bytes < floats.bytes else "nothing here"
    verdict = (
        f"{name} is the cheaper one" if ratio < 1 else f"{name} costs more, and buys {instead}"
    )
    if max(ratio, 1 / ratio) <= ALIKE:
        verdict = f"they cost alike, and {name} buys {instead}"
    yield (
        f"In all {name} has {times_of(ratio)} the cost of float32 and "
        f"{times_of(rounded.bytes / floats.bytes)} its bytes: {verdict}."
    )
    yield from _by_kind(rounded, floats, "float32")
    yield from _outlier(rounded, floats)


def _by_kind(file: ExplainedFile, other: ExplainedFile, name: str) -> Iterator[str]:
    """Where two files differ, by the kinds that cost most."""
    ours: defaultdict[str, float] = defaultdict(float)
    theirs: defaultdict[str, float] = defaultdict(float)
    for operation, match in zip(file.operations, counterparts(file, other), strict=True):
        if match is not None:
            ours[operation.operation] += operation.cost
            theirs[operation.operation] += match.cost
    large = [
        kind
        for kind in dict.fromkeys([*ours, *theirs])
        if ours[kind]
        and theirs[kind]
        and max(ours[kind] / file.whole, theirs[kind] / other.whole) >= WORTH_A_WORD
    ]
    parts = [f"{kind} {times_of(ours[kind] / theirs[kind])}" for kind in large]
    if parts:
        yield f"Operation by operation, of what {name} takes: {listed(parts)}."
    alone = [
        f for f, m in zip(file.operations, counterparts(file, other), strict=True) if m is None
    ]
    if alone:
        share = sum(each.cost for each in alone) / (file.total or 1.0)
        names = listed([f"{n} ({c})" for n, c in Counter(e.operation for e in alone).items()])
        yield f"Only in {file.name}: {names}, {percent(share)} of its cost."


def _outlier(rounded: ExplainedFile, floats: ExplainedFile) -> Iterator[str]:
    """The one operation that int8 makes dearest, where it is worth a word."""
    pairs = [
        (operation, operation.cost / match.cost)
        for operation, match in zip(rounded.operations, counterparts(rounded, floats), strict=True)
        if match is not None and match.cost and operation.cost >= WORTH_A_WORD * rounded.whole
    ]
    if not pairs:
        return
    operation, ratio = max(pairs, key=lambda pair: pair[1])
    channels = operation.shape[-1] if operation.shape else TILE
    few = ""
    if channels < TILE and operation.macs:
        few = (
            f": it gives {channels} channel{'s' * (channels > 1)}, and int8 kernels work on {TILE} "
            "or more at once"
        )
    if ratio > ALIKE:
        name, times_float = rounded_in_words(rounded), times_of(ratio)
        yield f"{name} is worst in {named(operation)}, {times_float} its cost in float32{few}."


def _gpu(explanation: Explanation) -> Iterator[str]:
    left = explanation.left_by_gpu
    if left:
        yield (
            f"Not GPU-clean: LiteRT's GPU delegate leaves {len(left)} operation"
            f"{'s' * (len(left) > 1)} to the CPU, and each change of place costs a copy. "
            f"{reasons_in_words(left)}."
        )
    else:
        yield "GPU-clean: no operation is known to fall back to the CPU in LiteRT's GPU delegate."
    others: dict[str, list[str]] = {}
    for each in explanation.otherwise_on_gpu:
        others.setdefault(f"{each.reason} ({each.source})", []).append(each.operation)
    for reason, names in others.items():
        kinds_of = f"{listed(list(dict.fromkeys(names)))} " if any(names) else ""
        text = f"{kinds_of}{reason}."
        yield text[0].upper() + text[1:]
