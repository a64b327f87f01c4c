"""Rounds: each job in several fresh processes that take turns, and what they gave, pooled.

A clock that slows down or a neighbour that wakes up must hit all variants alike, so each round
takes the jobs in another order.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from deploy.agent import summarize
from deploy.jobs import FIGURES, WHERE_ASKED_FOR, Histogram, Job, Measurement

# MLPerf's single stream asks for this many samples.
ENOUGH_RUNS = 1024
# Rounds whose medians differ by more than this share deserve no trust.
SPREAD_LIMIT = 0.10
# A 90th percentile above so many medians is somebody else's: a file does the same work each time.
TAIL_LIMIT = 2.0
# From this temperature on, °C, processors begin to slow themselves down.
HOT_CELSIUS = 80.0
# Share of the frequency whose loss is worth a word.
FREQUENCY_LOSS = 0.10
# A sustained run whose end is slower than its start by more than this share.
SLOWDOWN = 0.05


def schedule(jobs: int, rounds: int, seed: int) -> list[list[int]]:
    """The order in which each round takes jobs 0…``jobs`` - 1: a fresh shuffle a round."""
    shuffle = random.Random(seed).sample
    return [shuffle(range(jobs), jobs) for _ in range(rounds)]


def run_rounds(
    jobs: Sequence[Job],
    run: Callable[[Job], Measurement],
    *,
    rounds: int,
    seed: int,
    on_progress: Callable[[int, int], object] | None = None,
) -> Iterator[list[Measurement]]:
    """Run each of ``jobs`` once a round; yield one pooled measurement a job after each round.

    A job that failed is left out of later rounds: it would fail again, perhaps slowly. The others
    go on. ``jobs`` should keep their samples. ``on_progress(done, total)`` counts runs of ``run``.
    """
    answers: list[list[Measurement]] = [[] for _ in jobs]
    done, total = 0, len(jobs) * rounds
    for order in schedule(len(jobs), rounds, seed):
        for index in order:
            if all(answer.error is None for answer in answers[index]):
                answers[index].append(run(jobs[index]))
            done += 1
            if on_progress is not None:
                on_progress(done, total)
        yield [combine(answer, rounds) for answer in answers]


def combine(rounds: Sequence[Measurement], planned: int = 0) -> Measurement:
    """Pool measurements of one job: percentiles over all samples, medians of what comes once.

    Where a target has no samples to tell, its own percentiles are what comes once. Peak memory is
    the highest of the rounds. A round that failed, or fewer of them than ``planned``, make the
    whole carry an error, beside the figures of the others.

    Raises:
        ValueError: some rounds hold samples and others none, or there is no round.
    """
    good = [measurement for measurement in rounds if measurement.error is None]
    if not good:
        return rounds[0]
    peaks = [m.peak_rss_kb for m in good if m.peak_rss_kb is not None]
    hashes = {m.output_sha256 for m in good}
    fields = good[0].model_dump() | _times(good)
    fields |= {
        "rounds": len(good),
        "peak_rss_kb": max(peaks, default=None),
        "output_sha256": hashes.pop() if len(hashes) == 1 else None,
        "sustained": next((m.sustained for m in good if m.sustained), None),
        "energy_mj": next((m.energy_mj for m in good if m.energy_mj), None),
        "energy_source": next((m.energy_source for m in good if m.energy_source), None),
        "after": good[-1].after,
    }
    reasons = {"output_sha256": "the rounds gave different outputs"}
    for measurement in good:
        reasons |= measurement.absent
    wanted = (*FIGURES, *(name for name in WHERE_ASKED_FOR if name in reasons))
    fields["absent"] = {name: reasons[name] for name in wanted if fields[name] is None}
    cautions = dict.fromkeys(w for m in good for w in m.warnings)
    fields["warnings"] = [*cautions, *doubts(fields, good)]
    planned = max(planned, len(rounds))
    if len(good) < planned:
        then = next((f", then: {m.error}" for m in rounds if m.error is not None), "")
        fields["error"] = f"{len(good)} of {planned} rounds went well{then or ' until now'}"
    return Measurement.model_validate(fields)


def _times(good: Sequence[Measurement]) -> dict[str, Any]:
    """The time figures of all rounds together; none where the target is not timed.

    The spread is that of the rounds' medians or, where a tool shows no median, of their means.
    """
    names = ("init_ms", "first_ms", "p50_ms", "p90_ms", "p99_ms", "mean_ms", "per_second")
    values_by_name = {
        name: [v for m in good if (v := getattr(m, name)) is not None] for name in names
    }
    figures = {name: statistics.median(values) for name, values in values_by_name.items() if values}
    if not figures:
        return {}
    figures["spread"] = spread(values_by_name["p50_ms"] or values_by_name["mean_ms"])
    with_samples = {measurement.samples_ns is not None for measurement in good}
    if with_samples == {False}:
        return figures | {
            "min_ms": min((m.min_ms for m in good if m.min_ms is not None), default=None),
            "runs": sum(m.runs for m in good if m.runs is not None) or None,
        }
    if with_samples == {True, False}:
        raise ValueError("rounds with samples and rounds without cannot be pooled")
    samples = [sample for m in good for sample in m.samples_ns or ()]
    return figures | {
        **summarize(samples),
        "overhead_ns": statistics.median_low(m.overhead_ns for m in good if m.overhead_ns),
        "histogram": histogram(samples),
        "samples_ns": samples,
    }


def histogram(samples_ns: Sequence[int], bins: int = 24) -> Histogram:
    """Counts of ``samples_ns`` between edges that grow by one factor, fastest to slowest run."""
    low, high = min(samples_ns), max(samples_ns) + 1
    edges = np.geomspace(low, high, bins + 1)
    counts, _ = np.histogram(samples_ns, edges)
    return Histogram(edges_ms=tuple((edges / 1e6).tolist()), counts=tuple(counts.tolist()))


def spread(medians_ms: Sequence[float]) -> float | None:
    """How far apart the rounds' medians lie, relative to their median; None for one round."""
    if len(medians_ms) < 2:
        return None
    return (max(medians_ms) - min(medians_ms)) / statistics.median(medians_ms)


def is_long_tail(p50_ms: float | None, p90_ms: float) -> bool:
    """Whether a 90th percentile tells of whoever else worked meanwhile, and not of the file."""
    return p50_ms is not None and p90_ms > TAIL_LIMIT * p50_ms


def doubts(fields: dict[str, Any], good: Sequence[Measurement]) -> list[str]:
    """What a reader must know before trusting the times, and what heat did, or may have done."""
    warnings = []
    if fields["spread"] is not None and fields["spread"] > SPREAD_LIMIT:
        warnings.append(
            f"the rounds' medians lie {fields['spread']:.0%} apart (trust ends at "
            f"{SPREAD_LIMIT:.0%}): the machine was busy"
        )
    if fields["p90_ms"] is not None and is_long_tail(fields["p50_ms"], fields["p90_ms"]):
        warnings.append(
            f"the 90th percentile is {fields['p90_ms'] / fields['p50_ms']:.1f} times the median "
            f"(trust ends at {TAIL_LIMIT:g}): others worked meanwhile"
        )
    timed = fields["p50_ms"] is not None and fields["runs"] is not None
    if timed and fields["runs"] < ENOUGH_RUNS:
        warnings.append(f"{fields['runs']} runs; MLPerf's single stream asks for {ENOUGH_RUNS}")
    conditions = [c for m in good for c in (m.before, m.after) if c is not None]
    hottest = max((c.celsius for c in conditions if c.celsius is not None), default=0.0)
    if hottest >= HOT_CELSIUS:
        warnings.append(f"the processor was {hottest:.0f} °C hot: it may have slowed itself down")
    mhz = [c.mhz for c in conditions if c.mhz is not None]
    if mhz and mhz[-1] < mhz[0] * (1 - FREQUENCY_LOSS):
        warnings.append(f"the processor's frequency fell from {mhz[0]:.0f} to {mhz[-1]:.0f} MHz")
    warnings += [
        f"slows down by {m.sustained.last_ms / m.sustained.first_ms - 1:.0%} under load"
        for m in good
        if m.sustained and m.sustained.last_ms > m.sustained.first_ms * (1 + SLOWDOWN)
    ]
    return warnings
