"""How far a file is from the least that it could cost on a target."""

from collections.abc import Iterator

from pipeline.report.cores import core_of, cycle_peak, needed_instructions
from pipeline.report.explain.compared import kinds
from pipeline.report.explain.schema import ExplainedFile, ExplainedOperation, Explanation
from pipeline.report.explain.wording import count_in_words, named, percent
from pipeline.report.quantities import listed, significant, times

WORTH_A_WORD = 0.02
MEMORY_BINDS = 0.5
"""Share of the time that memory takes at least, from which on it is what binds."""
MOST = 4
"""Operations that are named."""


def limits(explanation: Explanation) -> Iterator[str]:
    """Of a counted core the instructions and cycles, of this machine the memory."""
    if explanation.unit == "cycles":
        yield from _npu(explanation)
    elif explanation.unit == "instructions":
        yield from _instructions(explanation)
        yield from _cycles(explanation)
    else:
        yield from _rates(explanation.file)
        yield from _memory(explanation)


def _npu(explanation: Explanation) -> Iterator[str]:
    """The multiply-accumulates a cycle that its name says, as in "npu:ethos-u55-128"."""
    file, width = explanation.file, explanation.target.rpartition("-")[2]
    macs = sum(each.macs for each in file.operations if each.on_fast_path)
    if not width.isdigit() or not macs:
        return
    least = macs / int(width)
    yield (
        f"It does {width} multiply-accumulates a cycle at peak, so that its own take at least "
        f"{count_in_words(least)} cycles, {percent(least / file.whole)} of the estimate."
    )
    parts = [
        f"{named(each)} {significant(each.macs / each.cost)}"
        for each in sorted(file.operations, key=lambda operation: -operation.cost)[:MOST]
        if each.macs and each.cost / file.total >= WORTH_A_WORD
    ]
    if parts:
        yield f"Multiply-accumulates a cycle that it reaches: {listed(parts)}."


def _instructions(explanation: Explanation) -> Iterator[str]:
    file = explanation.file
    if not file.macs or file.macs_int8 is None:
        return
    other = file.macs - file.macs_int8
    needed = needed_instructions(explanation.target, int8=file.macs_int8, other=other)
    yield (
        f"Its multiply-accumulates alone need {count_in_words(needed)} instructions, "
        f"{percent(needed / file.whole)} of those executed; the rest loads, stores, widens, rounds "
        "and counts."
    )
    parts = [
        f"{named(each)} {times(each.cost / least)}"
        for each in sorted(file.operations, key=lambda operation: -operation.cost)[:MOST]
        if each.cost / file.total >= WORTH_A_WORD and (least := _least(explanation.target, each))
    ]
    if parts:
        yield f"Instructions executed, over that least: {listed(parts)}."


def _least(target: str, operation: ExplainedOperation) -> float:
    other = operation.macs - operation.macs_int8
    return needed_instructions(target, int8=operation.macs_int8, other=other)


def _cycles(explanation: Explanation) -> Iterator[str]:
    """Two lower bounds: by instructions issued, and by vector multiply-accumulates."""
    file, peak = explanation.file, cycle_peak(explanation.target)
    if peak is None or not file.macs or file.macs_int8 is None:
        return
    issued = file.whole / peak.instructions
    summed = file.macs_int8 / peak.int8 + (file.macs - file.macs_int8) / peak.other
    yield (
        f"In cycles: {core_of(explanation.target)} starts {peak.instructions} instructions a cycle "
        f"at best, so those executed take at least {count_in_words(issued)}; and it sums "
        f"{peak.int8} products of int8 or {peak.other} of float a cycle at peak (LLVM's model of "
        f"its pipelines), so the multiply-accumulates take at least {count_in_words(summed)}. "
        f"{'The first' if issued >= summed else 'The second'} is the nearer limit; waiting for "
        "memory comes on top."
    )


def _rates(file: ExplainedFile) -> Iterator[str]:
    """Multiply-accumulates a second, the quickest kind beside the slowest."""
    rates = {
        kind.operation: kind.macs / kind.cost / 1e6
        for kind in kinds(file)
        if kind.macs and kind.cost / file.total >= WORTH_A_WORD
    }
    if rates:
        parts = [f"{name} {significant(rate)}" for name, rate in rates.items()]
        yield f"Billions of multiply-accumulates a second: {listed(parts)}."


def _memory(explanation: Explanation) -> Iterator[str]:
    file, bandwidth = explanation.file, explanation.bandwidth
    if bandwidth is None:
        return
    needed_ms = 1000 * file.traffic / bandwidth
    share = needed_ms / file.whole
    yield (
        f"Its weights and maps are {count_in_words(file.traffic)} bytes: to pass them through "
        f"memory once at {bandwidth / 1e9:.1f} GB/s (measured here, one thread) takes "
        f"{significant(needed_ms)} ms, {percent(share)} of the time: {_what_binds(share)}."
    )


def _what_binds(share: float) -> str:
    if share > 1:
        return "it is quicker than that, as its weights stay in caches between inferences"
    return "memory is what binds it" if share > MEMORY_BINDS else "memory is not what binds it"
