"""Every variant on every target, with one method: interleaved rounds, outputs compared."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from deploy.agreement import compare
from deploy.errors import PocketganError
from deploy.jobs import Agreement, Job, Measurement, describe_file, failure
from deploy.rounds import ENOUGH_RUNS, run_rounds
from deploy.targets.local import Local
from deploy.targets.target import Session, Target, TargetLostError

REFERENCE_SECONDS = 120.0

# Of the time limit, for the timed runs; the rest is for loading, drawing, and a machine in a mood.
BUDGET = 0.5

LATE = "timed in a later call than others of this target: ratios hold the drift between the calls"

Progress = Callable[[str, int, int], None]
"""Called with what is being measured, processes done there and processes in all."""


@dataclass(frozen=True, kw_only=True)
class MeasuringPlan:
    """How to measure. MLPerf's single stream: one query at a time, at least 1,024 samples."""

    threads: Sequence[int] = (1,)
    rounds: int = 4
    """Fresh processes a variant and thread count, interleaved (``deploy/rounds.py``)."""
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
    files = {name: describe_file(path) for name, path in variants.items()}
    for target in targets:
        target.require()
    desktop = Desktop()
    measurements: list[Measurement] = []
    for group in _groups(targets):
        jobs = [job for target in group for job in _jobs(target, files, plan)]
        work = _GroupWork(jobs, plan, desktop=desktop, earlier=earlier, before=measurements)

        def report_round(fresh: Sequence[Measurement], work: _GroupWork = work) -> None:
            if on_round is not None:
                on_round(work.assemble(fresh))

        fresh = _measure_on(
            group, work.pending, plan=plan, on_progress=on_progress, on_round=report_round
        )
        measurements = work.assemble(fresh)
    return measurements


class _GroupWork:
    """The jobs of targets that take turns: those to do, and the measurements of those done."""

    def __init__(
        self,
        jobs: Sequence[Job],
        plan: MeasuringPlan,
        *,
        desktop: "Desktop",
        earlier: Sequence[Measurement],
        before: Sequence[Measurement],
    ) -> None:
        finished = {_key(m): m for m in earlier if m.error is None}
        self.pending = [job for job in jobs if _key(job) not in finished]
        self._reused = [finished[_key(job)] for job in jobs if _key(job) in finished]
        self._jobs, self._plan, self._desktop, self._before = jobs, plan, desktop, before

    def assemble(self, fresh: Sequence[Measurement]) -> list[Measurement]:
        """Those of the groups before, then all in the order of the jobs; ``fresh`` of ``pending``.

        What only the comparison, or only a plot, needed is left out.
        """
        timed_earlier = {m.target for m in self._reused if m.p50_ms is not None}
        by_key = {_key(m): m for m in self._reused}
        for measurement, job in zip(fresh, self.pending, strict=True):
            compared = _agreeing(measurement, job, self._desktop)
            if compared.target in timed_earlier:
                compared = compared.model_copy(update={"warnings": (*compared.warnings, LATE)})
            by_key[_key(job)] = compared
        unneeded = ("outputs",) if self._plan.keep_samples else ("outputs", "samples_ns")
        ours = [by_key[_key(job)].model_copy(update=dict.fromkeys(unneeded)) for job in self._jobs]
        return [*self._before, *ours]


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
                "keep_outputs": target.compared,
                "count": not target.timed,
                "budget_s": plan.time_limit * BUDGET,
            }
        )
        for name, fields in files.items()
        for threads in target.threads(plan.threads)
    ]


def _measure_on(
    group: Sequence[Target],
    jobs: Sequence[Job],
    *,
    plan: MeasuringPlan,
    on_progress: Progress | None,
    on_round: Callable[[list[Measurement]], object],
) -> list[Measurement]:
    if not jobs:
        return []
    timed = all(target.timed for target in group)
    rounds = plan.rounds if timed else 1
    name = " and ".join(target.name for target in group)
    done = dict.fromkeys(jobs, 0)

    def progress(count: int, total: int) -> None:
        if on_progress is not None:
            on_progress(name, count, total)

    with ExitStack() as stack:
        sessions = {target.name: _lasting_session(target, stack) for target in group}

        def run(job: Job) -> Measurement:
            done[job] += 1
            session = sessions[job.target]
            if plan.sustain_s is None or not timed or done[job] < rounds:
                return session(job, plan.time_limit)
            long = job.model_copy(update={"sustain_s": plan.sustain_s})
            return session(long, plan.time_limit + plan.sustain_s)

        return run_rounds(
            jobs, run, rounds=rounds, seed=plan.seed, on_progress=progress, on_round=on_round
        )


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


def _agreeing(measurement: Measurement, job: Job, desktop: "Desktop") -> Measurement:
    """``measurement`` with how far its outputs lie from the desktop's for the same inputs.

    XNNPACK rounds otherwise than the other kernels do. What does not draw as the desktop does with
    it may well draw as the desktop does without it.
    """
    if measurement.outputs is None or measurement.target == "local":
        return measurement
    reference = desktop.answer(job, "xnnpack")
    agreement = compare(measurement, reference)
    if agreement is None:
        why = reference.error or "it gave outputs of another kind"
        warning = f"outputs could not be compared with this machine's: {why}"
        return measurement.model_copy(update={"warnings": (*measurement.warnings, warning)})
    update: dict[str, Agreement | None] = {"agreement": agreement}
    if not agreement.equal and measurement.target != "local:plain":
        update["plain_agreement"] = compare(measurement, desktop.answer(job, "none"))
    return measurement.model_copy(update=update)


class Desktop:
    """What this machine draws of each file, with XNNPACK and without; asked for once each."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, str], Measurement] = {}

    def answer(self, job: Job, delegate: Literal["xnnpack", "none"]) -> Measurement:
        key = job.sha256, delegate
        if key not in self._answers:
            settings: dict[str, Any] = {
                "target": "local" if delegate == "xnnpack" else "local:plain",
                "delegate": delegate,
                "threads": 1,
                "warmup": 0,
                "runs": 1,
                "count": False,
                "keep_outputs": True,
            }
            self._answers[key] = Local().answer(job.model_copy(update=settings), REFERENCE_SECONDS)
        return self._answers[key]


def _key(subject: Job | Measurement) -> str:
    """What two measurements of the same thing on the same target have in common."""
    names = {"target", "variant", "sha256", "threads", "delegate"}
    return json.dumps(subject.model_dump(include=names), sort_keys=True)
