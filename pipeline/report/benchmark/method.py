"""How the figures of a page or a terminal were measured: what was done, not what is usual."""

from collections.abc import Mapping, Sequence
from typing import Any

from deploy.jobs import Measurement
from deploy.rounds import ENOUGH_RUNS, SPREAD_LIMIT


def method(measurements: Sequence[Measurement], plan: Mapping[str, Any]) -> list[str]:
    """Sentences, of what ``measurements`` hold only."""
    done = [m for m in measurements if m.error is None]
    sentences = [times(done), inputs(plan)]
    if any(m.peak_rss_kb for m in done):
        sentences.append("Peak memory is above an idle interpreter, in a fresh process.")
    if any(m.instructions for m in done):
        sentences.append(
            "Instructions are counted between two marks around the inference, not timed."
        )
    return [sentence for sentence in sentences if sentence]


def times(done: Sequence[Measurement]) -> str:
    """How often each file ran; empty where nothing was timed."""
    timed = [m for m in done if m.p50_ms or m.mean_ms]
    runs = [m.runs for m in timed if m.runs]
    if not runs:
        return ""
    sentence = f"One inference after the other, {span(runs)} of each file"
    rounds = [m.rounds for m in timed]
    if max(rounds) > 1:
        sentence += (
            f", in {span(rounds)} fresh processes that take turns; the spread is how far their "
            f"medians lie apart, and more than {SPREAD_LIMIT:.0%} deserves no trust (~)"
        )
    return f"{sentence}. {standard(min(runs))}"


def standard(fewest: int) -> str:
    if fewest >= ENOUGH_RUNS:
        return f"That is MLPerf's single stream, which asks for {ENOUGH_RUNS:,} or more."
    return f"MLPerf's single stream asks for {ENOUGH_RUNS:,} or more: this is a quick look."


def inputs(plan: Mapping[str, Any]) -> str:
    if plan.get("latents"):
        return "Inputs are those of --latents, where the target takes them."
    return f"Inputs are random, by seed {plan['seed']}." if "seed" in plan else ""


def span(numbers: Sequence[int]) -> str:
    """64, or 8 to 64."""
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
