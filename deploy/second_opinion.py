"""Does ``litert-benchmark`` agree with ``local`` on how fast a variant is?

Both run the same kernels in processes of their own, on random inputs, but share no code above the
runtime (``deploy/targets/litert_benchmark.py`` says what each times). Ours brackets ``invoke()``;
theirs also holds the way of the buffers through the runtime's other interface, a few microseconds a
call. And theirs are rounded to 0.01 ms, which alone is 2.5 % of 0.2 ms: below that, a difference
says nothing and no verdict is given.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from deploy.jobs import Measurement

OURS, THEIRS = "local", "litert-benchmark"
LIMIT = 0.10
SHORTEST_MS = 0.2
DECIMALS = 2
"""Of a millisecond: theirs have no more."""


@dataclass(frozen=True)
class Opinion:
    """Medians of one variant with one number of threads, ms."""

    variant: str
    threads: int
    ours_ms: float
    theirs_ms: float

    @property
    def ratio(self) -> float:
        """Ours over theirs."""
        return self.ours_ms / self.theirs_ms

    @property
    def judged(self) -> bool:
        """Whether the variant is slow enough for a difference to mean something."""
        return min(self.ours_ms, self.theirs_ms) >= SHORTEST_MS

    @property
    def agrees(self) -> bool:
        return abs(self.ratio - 1) <= LIMIT


def opinions(measurements: Sequence[Measurement]) -> list[Opinion]:
    """One for each variant and number of threads that both targets timed, in order of ours."""
    theirs = {_key(m): m.p50_ms for m in measurements if m.target == THEIRS}
    both = []
    for ours in measurements:
        second = theirs.get(_key(ours))
        if ours.target == OURS and ours.p50_ms is not None and second is not None:
            both.append(Opinion(ours.variant, ours.threads, ours.p50_ms, second))
    return both


def remarks(measurements: Sequence[Measurement]) -> list[str]:
    """What the second opinion is: agreement, each disagreement, and what it cannot judge."""
    compared = opinions(measurements)
    sentences = []
    if agreeing := [_named(it) for it in compared if it.judged and it.agrees]:
        sentences.append(f"{THEIRS} agrees with {OURS} within {LIMIT:.0%}: {', '.join(agreeing)}.")
    sentences += [_disagreement(it) for it in compared if it.judged and not it.agrees]
    if short := [_named(it) for it in compared if not it.judged]:
        sentences.append(
            f"Too fast for {THEIRS} to judge, below {SHORTEST_MS:g} ms at its steps of "
            f"{10**-DECIMALS:g} ms: {', '.join(short)}."
        )
    return sentences


def _disagreement(it: Opinion) -> str:
    return (
        f"{_named(it)}: {OURS} measured {it.ours_ms:.3f} ms, {THEIRS} {it.theirs_ms:.{DECIMALS}f} "
        f"ms ({it.ratio - 1:+.0%}; they should lie within {LIMIT:.0%}): measure again on a quiet "
        "machine."
    )


def _named(it: Opinion) -> str:
    return it.variant if it.threads == 1 else f"{it.variant} with {it.threads} threads"


def _key(measurement: Measurement) -> tuple[str, str, int]:
    return measurement.variant, measurement.sha256, measurement.threads
