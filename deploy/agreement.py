"""Whether two targets agree: on the picture that they draw of an input, and on how fast they do.

``litert-benchmark`` is the second opinion on the times of ``local``. Both run the same kernels in
processes of their own, on random inputs, but share no code above the runtime
(``deploy/targets/litert_benchmark.py`` says what each times). Ours brackets ``invoke()``; theirs
also holds the way of the buffers through the runtime's other interface, a few microseconds a call.
And theirs are rounded to 0.01 ms, which alone is 2.5 % of 0.2 ms: below that, a difference says
nothing and no verdict is given.
"""

import base64
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deploy.jobs import Agreement, Measurement, Output

FIRST_OPINION, SECOND_OPINION = "local", "litert-benchmark"
OPINION_LIMIT = 0.10
SHORTEST_MS = 0.2
SECOND_OPINION_DECIMALS = 2
"""Of a millisecond: it has no more."""


def compare(measurement: Measurement, reference: Measurement) -> Agreement | None:
    """How far ``measurement``'s outputs lie from those of ``reference``, of the same inputs.

    None where either kept no outputs, or outputs of other kinds, or of none that can be compared
    (texts, or a board's broken bytes): nothing can be said then. Where one kept fewer inputs'
    outputs, those are compared.
    """
    if not measurement.outputs or not reference.outputs:
        return None
    ours, theirs = measurement.outputs, reference.outputs
    if [_kind(output) for output in ours] != [_kind(output) for output in theirs]:
        return None
    try:
        apart = np.concatenate([_distances(a, b) for a, b in zip(ours, theirs, strict=True)])
    except (TypeError, ValueError, zlib.error):
        return None
    integers = all(np.dtype(output.dtype).kind in "iu" for output in ours)
    return Agreement(
        reference=reference.target,
        equal=not apart.any(),
        largest=float(apart.max(initial=0.0)),
        share=float(np.mean(apart != 0)) if apart.size else 0.0,
        within_one=float(np.mean(apart <= 1)) if integers and apart.size else None,
    )


def _kind(output: Output) -> tuple[str, tuple[int, ...]]:
    return output.dtype, output.shape[1:]


def _distances(ours: Output, theirs: Output) -> np.ndarray:
    """Absolute differences, float64 [values]; a NaN or infinity on one side only is as far as can
    be."""
    a, b = decode(ours), decode(theirs)
    both = min(len(a), len(b))
    a, b = a[:both].astype(np.float64).ravel(), b[:both].astype(np.float64).ravel()
    with np.errstate(invalid="ignore"):  # infinity less infinity
        apart = np.abs(a - b)
    apart[(a == b) | np.isnan(a) & np.isnan(b)] = 0.0
    apart[~np.isfinite(apart)] = np.finfo(np.float64).max
    return apart


def decode(output: Output) -> np.ndarray:
    """The values of ``output``, in its own dtype and shape.

    Raises:
        ValueError: the data is not what dtype and shape promise.
    """
    packed = base64.b64decode(output.data, validate=True)
    dtype = np.dtype(output.dtype).newbyteorder("<")
    size = math.prod(output.shape) * dtype.itemsize
    unpacker = zlib.decompressobj()
    raw = unpacker.decompress(packed, size + 1)  # never more than promised, whoever packed it
    return np.frombuffer(raw, dtype).reshape(output.shape)


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
        return abs(self.ratio - 1) <= OPINION_LIMIT


def opinions(measurements: Sequence[Measurement]) -> list[Opinion]:
    """One for each variant and number of threads that both targets timed, in order of ours."""
    theirs = {_timed_alike(m): m.p50_ms for m in measurements if m.target == SECOND_OPINION}
    return [
        Opinion(ours.variant, ours.threads, ours.p50_ms, second)
        for ours in measurements
        if ours.target == FIRST_OPINION and ours.p50_ms is not None
        if (second := theirs.get(_timed_alike(ours))) is not None
    ]


def remarks(measurements: Sequence[Measurement]) -> list[str]:
    """What the second opinion is: agreement, each disagreement, and what it cannot judge."""
    compared = opinions(measurements)
    sentences = []
    if agreeing := ", ".join(_named(it) for it in compared if it.judged and it.agrees):
        agree = f"{SECOND_OPINION} agrees with {FIRST_OPINION} within {OPINION_LIMIT:.0%}"
        sentences.append(f"{agree}: {agreeing}.")
    sentences += [
        f"{_named(it)}: {FIRST_OPINION} measured {it.ours_ms:.3f} ms, {SECOND_OPINION} "
        f"{it.theirs_ms:.{SECOND_OPINION_DECIMALS}f} ms ({it.ratio - 1:+.0%}; they should lie "
        f"within {OPINION_LIMIT:.0%}): measure again on a quiet machine."
        for it in compared
        if it.judged and not it.agrees
    ]
    if short := [_named(it) for it in compared if not it.judged]:
        sentences.append(
            f"Too fast for {SECOND_OPINION} to judge, below {SHORTEST_MS:g} ms at its steps of "
            f"{10**-SECOND_OPINION_DECIMALS:g} ms: {', '.join(short)}."
        )
    return sentences


def _named(it: Opinion) -> str:
    return it.variant if it.threads == 1 else f"{it.variant} with {it.threads} threads"


def _timed_alike(measurement: Measurement) -> tuple[str, str, int]:
    return measurement.variant, measurement.sha256, measurement.threads
