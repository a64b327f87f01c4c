"""Every variant on every target, with one method: interleaved rounds, outputs compared.

A clock that slows down or a neighbour that wakes up must hit all variants alike. So each job runs
in several fresh processes, a round at a time, and each round takes the jobs in another order; what
the rounds gave is pooled.
"""

import random
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np

from deploy.agent import summarize
from deploy.agreement import compare
from deploy.errors import PocketganError
from deploy.jobs import FIGURES, Agreement, Histogram, Job, Measurement, describe_file, failure
from deploy.targets.local import Local
from deploy.targets.target import Session, Target, TargetLostError

# MLPerf's single stream asks for this many samples.
ENOUGH_RUNS = 1024
# Rounds whose medians differ by more than this share deserve no trust.
SPREAD_LIMIT = 0.10
# From this temperature on, °C, processors begin to slow themselves down.
HOT_CELSIUS = 80.0
# Share of the frequency whose loss is worth a word.
FREQUENCY_LOSS = 0.10
# A sustained run whose end is slower than its start by more than this share.
SLOWDOWN = 0.05

REFERENCE_SECONDS = 120.0

# Of the time limit, for the timed runs; the rest is for loading, drawing, and a machine in a mood.
BUDGET = 0.5
# Seconds of timed runs in one process: enough for MLPerf's 1,024 samples where a run takes 40 ms,
# in the usual four rounds. Slower files have fewer samples, and the report says so.
LONGEST_TIMING = 10.0

LATE = "timed in a later call than others of this target: ratios hold the drift between the calls"

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, processes done there and processes in all."""


@dataclass(frozen=True, kw_only=True)
class MeasuringPlan:
    """How to measure. MLPerf's single stream: one query at a time, at least 1,024 samples."""

    threads: Sequence[int] = (1,)
    rounds: int = 4
    """Fresh processes a variant and thread count, interleaved."""
    runs: int = 2 * ENOUGH_RUNS
    """Timed runs of all rounds together, rounded up to a multiple of ``rounds``."""
    warmup: int = 256
    """Most runs a process makes before the clock counts."""
    seed: int = 0
    """Of the random inputs and of the order within a round."""
    latents: Path | None = None
    """.npy file, float32 [N, L], instead of random inputs."""
    keep_samples: bool = False
    """Keep the time of each run, in order of the rounds."""
    sustain_s: float | None = None
    """Seconds of running without a pause, in the last process of each job; None: not at all."""
    time_limit: float = 120.0
    """Seconds one process may take (without the sustained part)."""
    costs_only: bool = False
    """Neither compare what is drawn with this machine's, nor pack the files to weigh them."""


def measure(
    variants: Mapping[str, Path],
    targets: Sequence[Target],
    *,
    plan: MeasuringPlan,
    earlier: Sequence[Measurement] = (),
    on_progress: Progress | None = None,
    on_round: Callable[[list[Measurement]], object] | None = None,
) -> list[Measurement]:
    """Measure each of ``variants`` (name → .tflite) on each of ``targets``.

    Args:
        earlier: measurements of an earlier, interrupted call: those without an error are not
            repeated.
        on_round: called after each round with all measurements so far, so that they can be kept;
            those of rounds that are not all done carry an error.

    Returns:
        One measurement a target, variant and number of threads, in that order. A variant that
        crashes, hangs or fails has an ``error`` in its measurements, and so has all that was left
        to do on a target that went away or could not be opened; the others are measured all the
        same.

    Raises:
        PocketganError: a file cannot be read, or a target is not available. Nothing has run then.
    """
    packed = not plan.costs_only
    files = {name: describe_file(path, packed=packed) for name, path in variants.items()}
    for target in targets:
        target.require()
    desktop = cache(lambda job: Local().answer(job, REFERENCE_SECONDS))
    finished = {_key(m): m for m in earlier if m.error is None}
    measurements: list[Measurement] = []
    for group in _groups(targets):
        jobs = [job for target in group for job in _jobs(target, files, plan)]
        pending = [job for job in jobs if _key(job) not in finished]
        by_key = {_key(job): finished[_key(job)] for job in jobs if _key(job) in finished}
        timed_earlier = {m.target for m in by_key.values() if m.p50_ms is not None}
        with ExitStack() as stack:
            for fresh in _rounds_on(
                group, pending, stack=stack, plan=plan, on_progress=on_progress
            ):
                for measurement, job in zip(fresh, pending, strict=True):
                    late = job.target in timed_earlier
                    compared = _agreeing(measurement, job, desktop)
                    by_key[_key(job)] = _reported(compared, plan, late=late)
                if on_round is not None:
                    on_round([*measurements, *(by_key[_key(job)] for job in jobs)])
        measurements += [by_key[_key(job)] for job in jobs]
    return measurements


def _groups(targets: Sequence[Target]) -> list[list[Target]]:
    """Targets that take turns: all that this machine's clock times, in the place of the first."""
    here = [target for target in targets if target.timed_here]
    first = [[target] if target not in here else here for target in targets]
    return [group for place, group in enumerate(first) if group not in first[:place]]


def _jobs(
    target: Target, files: Mapping[str, dict[str, str | int]], plan: MeasuringPlan
) -> list[Job]:
    rounds = plan.rounds if target.timed else 1
    return [
        Job.model_validate(
            {
                "target": target.name,
                "variant": name,
                **fields,
                "threads": threads,
                "delegate": target.delegate,
                "warmup": plan.warmup,
                "runs": -(-plan.runs // rounds),
                "seed": plan.seed,
                "latents": None if plan.latents is None else str(plan.latents.resolve()),
                "keep_samples": True,
                "keep_outputs": target.compared and not plan.costs_only,
                "count": not target.timed,
                "budget_s": min(plan.time_limit * BUDGET, LONGEST_TIMING),
            }
        )
        for name, fields in files.items()
        for threads in target.threads(plan.threads)
    ]


def _rounds_on(
    group: Sequence[Target],
    jobs: Sequence[Job],
    *,
    stack: ExitStack,
    plan: MeasuringPlan,
    on_progress: Progress | None,
) -> Iterator[list[Measurement]]:
    """As ``run_rounds``, on targets that stay open until ``stack`` closes; nothing for no job."""
    if not jobs:
        return
    timed = all(target.timed for target in group)
    rounds = plan.rounds if timed else 1
    name = " and ".join(target.name for target in group)
    sessions = {target.name: _lasting_session(target, stack) for target in group}
    started: Counter[Job] = Counter()

    def run(job: Job) -> Measurement:
        started[job] += 1
        session = sessions[job.target]
        if plan.sustain_s is None or not timed or started[job] < rounds:
            return session(job, plan.time_limit)
        long = job.model_copy(update={"sustain_s": plan.sustain_s})
        return session(long, plan.time_limit + plan.sustain_s)

    progress = partial(on_progress, name) if on_progress else None
    yield from run_rounds(jobs, run, rounds=rounds, seed=plan.seed, on_progress=progress)


def _reported(measurement: Measurement, plan: MeasuringPlan, *, late: bool) -> Measurement:
    """Without what only the comparison, or only a plot, needed."""
    unneeded = ("outputs",) if plan.keep_samples else ("outputs", "samples_ns")
    warnings = (*measurement.warnings, LATE) if late else measurement.warnings
    return measurement.model_copy(update={**dict.fromkeys(unneeded), "warnings": warnings})


def _lasting_session(target: Target, stack: ExitStack) -> Session:
    """A session on ``target`` until ``stack`` closes.

    Where the target cannot be opened, or once it is lost, every job fails at once with the reason.
    """
    try:
        session = stack.enter_context(target.open())
    except PocketganError as error:
        reason = f"{error.problem} ({error.remedy})" if error.remedy else error.problem
        return lambda job, time_limit: failure(job, reason)
    lost: list[str] = []

    def answer(job: Job, time_limit: float) -> Measurement:
        if not lost:
            try:
                return session(job, time_limit)
            except TargetLostError as error:
                lost.append(error.problem)
        return failure(job, lost[0])

    return answer


def _agreeing(
    measurement: Measurement, job: Job, desktop: Callable[[Job], Measurement]
) -> Measurement:
    """``measurement`` with how far its outputs lie from the desktop's for the same inputs.

    XNNPACK rounds otherwise than the other kernels do. What does not draw as the desktop does with
    it may well draw as the desktop does without it.
    """
    if measurement.outputs is None or measurement.target == "local":
        return measurement
    reference = desktop(_drawn_here(job, "xnnpack"))
    agreement = compare(measurement, reference)
    if agreement is None:
        why = reference.error or "it gave outputs of another kind"
        warning = f"outputs could not be compared with this machine's: {why}"
        return measurement.model_copy(update={"warnings": (*measurement.warnings, warning)})
    update: dict[str, Agreement | None] = {"agreement": agreement}
    if not agreement.equal and measurement.target != "local:plain":
        update["plain_agreement"] = compare(measurement, desktop(_drawn_here(job, "none")))
    return measurement.model_copy(update=update)


def _drawn_here(job: Job, delegate: Literal["xnnpack", "none"]) -> Job:
    """What lets this machine draw the file of ``job``, of the same inputs."""
    settings: dict[str, Any] = {
        "target": "local" if delegate == "xnnpack" else "local:plain",
        "delegate": delegate,
        "threads": 1,
        "warmup": 0,
        "runs": 1,
        "count": False,
        "keep_outputs": True,
    }
    return job.model_copy(update=settings)


def _key(subject: Job | Measurement) -> tuple[object, ...]:
    """What two measurements of the same thing on the same target have in common."""
    file = (subject.variant, subject.sha256)
    return subject.target, *file, subject.threads, subject.delegate


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
        "after": good[-1].after,
    }
    reasons = {"output_sha256": "the rounds gave different outputs"}
    for measurement in good:
        reasons |= measurement.absent
    fields["absent"] = {name: reasons[name] for name in FIGURES if fields[name] is None}
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


def doubts(fields: dict[str, Any], good: Sequence[Measurement]) -> list[str]:
    """What a reader must know before trusting the times, and what heat did, or may have done."""
    warnings = []
    if fields["spread"] is not None and fields["spread"] > SPREAD_LIMIT:
        warnings.append(
            f"the rounds' medians lie {fields['spread']:.0%} apart (trust ends at "
            f"{SPREAD_LIMIT:.0%}): the machine was busy"
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
