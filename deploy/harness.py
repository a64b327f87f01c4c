"""Every variant on every target, with one method: interleaved rounds, outputs compared.

Targets of one machine follow each other, or take turns where its clock times them; machines work
side by side.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any, Literal

from deploy.agreement import compare
from deploy.jobs import Agreement, Job, Measurement, describe_file
from deploy.rounds import ENOUGH_RUNS, run_rounds
from deploy.side_by_side import Lanes, LastingSession
from deploy.targets.local import Local
from deploy.targets.target import HERE, Target, require_all

REFERENCE_SECONDS = 120.0
# Of the time limit, for the timed runs; the rest is for loading, drawing, and a machine in a mood.
BUDGET = 0.5
# Seconds of timed runs in one process: enough for MLPerf's 1,024 samples where a run takes 40 ms,
# in the usual four rounds. Slower files have fewer samples, and the report says so.
LONGEST_TIMING = 10.0
# Seconds for the energy of an inference, where nobody says how long: RAPL and INA sensors need two.
ENERGY_S = 10.0

NO_METER_READ = "what measures on this target reads no meter"
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
    energy_s: float | None = None
    """Most seconds of running without a pause to meter the energy of an inference, in the last
    process of each job, where the target has a meter; None: not at all."""
    time_limit: float = 120.0
    """Seconds one process may take (without the sustained part, and that for the energy)."""
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
    """Measure each of ``variants`` (name → .tflite) on each of ``targets``, machines side by side.

    Args:
        earlier: measurements of an earlier, interrupted call: those without an error are not
            repeated.
        on_progress: called by one thread at a time, as is ``on_round``.
        on_round: called after each round of a machine with all measurements so far, so that they
            can be kept; those of rounds that are not all done carry an error.

    Returns:
        One measurement a target, variant and number of threads, in that order. A variant that
        crashes, hangs or fails has an ``error`` in its measurements, and so has all that was left
        to do on a target that went away or could not be opened; the others are measured all the
        same.

    Raises:
        PocketganError: a file cannot be read, or a target that is no board of a shelf is not
            available. Nothing has run then.
    """
    packed = not plan.costs_only
    files = {name: describe_file(path, packed=packed) for name, path in variants.items()}
    require_all(targets)
    lanes = Lanes()
    call = _Call(
        plan=plan,
        lanes=lanes,
        results=_Results([job for t in targets for job in _jobs(t, files, plan)], targets, earlier),
        desktop=_Desktop(lanes),
        on_progress=on_progress,
        on_round=on_round,
    )
    for side_by_side in _lanes(targets):
        lanes.run([partial(call.measure_on, machine) for machine in side_by_side])
    return call.results.so_far()


def _lanes(targets: Sequence[Target]) -> list[list[list[Target]]]:
    """The targets of each machine, all machines together; then what may run on any."""
    by_machine: dict[str, list[Target]] = {}
    for target in targets:
        if target.machine is not None:
            by_machine.setdefault(target.machine, []).append(target)
    unknown = [[[target]] for target in targets if target.machine is None]
    return [list(by_machine.values()), *unknown] if by_machine else unknown


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


class _Results:
    """What is known of each of ``jobs``, in their order."""

    def __init__(
        self, jobs: Sequence[Job], targets: Sequence[Target], earlier: Sequence[Measurement]
    ) -> None:
        finished = {_key(m): m for m in earlier if m.error is None}
        self._jobs = jobs
        self._labels = {target.name: target.label or None for target in targets}
        self._by_key = {_key(job): finished[_key(job)] for job in jobs if _key(job) in finished}
        self._timed_earlier = {m.target for m in self._by_key.values() if m.p50_ms is not None}

    def pending(self, targets: Sequence[Target]) -> list[Job]:
        """What is still to be done on ``targets``."""
        names = {target.name for target in targets}
        return [j for j in self._jobs if j.target in names and _key(j) not in self._by_key]

    def is_late(self, job: Job) -> bool:
        """Whether other jobs of its target were timed in an earlier call."""
        return job.target in self._timed_earlier

    def add(self, measurements: Sequence[Measurement]) -> None:
        self._by_key |= {_key(measurement): measurement for measurement in measurements}

    def so_far(self) -> list[Measurement]:
        """All measurements, under the labels that their boards have now."""
        present = [self._by_key[_key(job)] for job in self._jobs if _key(job) in self._by_key]
        return [m.model_copy(update={"label": self._labels[m.target]}) for m in present]


@dataclass(kw_only=True)
class _Call:
    """One call of ``measure``; its lanes share it."""

    plan: MeasuringPlan
    lanes: Lanes
    results: _Results
    desktop: "_Desktop"
    on_progress: Progress | None
    on_round: Callable[[list[Measurement]], object] | None
    one_at_a_time: RLock = field(default_factory=RLock)
    """Of the results, and of whom is told of them."""

    def measure_on(self, machine: Sequence[Target]) -> None:
        """All that is to be done on the targets of one machine."""
        for group in _groups(machine):
            jobs = self.results.pending(group)
            if not jobs:
                continue
            with ExitStack() as stack:
                for measurements in self._rounds(group, jobs, stack):
                    pairs = zip(measurements, jobs, strict=True)
                    finished = [self._finished(measurement, job) for measurement, job in pairs]
                    with self.one_at_a_time:
                        self.results.add(finished)
                        if self.on_round is not None:
                            self.on_round(self.results.so_far())

    def _rounds(
        self, group: Sequence[Target], jobs: Sequence[Job], stack: ExitStack
    ) -> Iterator[list[Measurement]]:
        """As ``run_rounds``, on targets that stay open until ``stack`` closes."""
        plan = self.plan
        timed = all(target.timed for target in group)
        rounds = plan.rounds if timed else 1
        name = " and ".join(target.title for target in group)
        sessions = {target.name: LastingSession(target, self.lanes) for target in group}
        for session in sessions.values():
            stack.callback(session.close)
            session.open()
        started: Counter[Job] = Counter()

        def run(job: Job) -> Measurement:
            started[job] += 1
            answer = sessions[job.target].answer
            longer = (plan.sustain_s or 0.0) + (plan.energy_s or 0.0)
            if not longer or not timed or started[job] < rounds:
                return answer(job, plan.time_limit)
            settings = {"sustain_s": plan.sustain_s, "energy_s": plan.energy_s}
            long = job.model_copy(update=settings)
            return _with_reason(answer(long, plan.time_limit + longer), long)

        def progress(done: int, total: int) -> None:
            if self.on_progress is not None:
                with self.one_at_a_time:
                    self.on_progress(name, done, total)

        yield from run_rounds(jobs, run, rounds=rounds, seed=plan.seed, on_progress=progress)

    def _finished(self, measurement: Measurement, job: Job) -> Measurement:
        """Compared, and without what only the comparison, or only a plot, needed."""
        compared = _agreeing(measurement, job, self.desktop)
        unneeded = ("outputs",) if self.plan.keep_samples else ("outputs", "samples_ns")
        warnings = (*compared.warnings, *[LATE] * self.results.is_late(job))
        return compared.model_copy(update={**dict.fromkeys(unneeded), "warnings": warnings})


def _with_reason(measurement: Measurement, job: Job) -> Measurement:
    """``measurement``, which says why the energy is absent where its target reads no meter."""
    absent = measurement.absent
    if job.energy_s is None or measurement.energy_mj or "energy_mj" in absent or measurement.error:
        return measurement
    return measurement.model_copy(update={"absent": {**absent, "energy_mj": NO_METER_READ}})


class _Desktop:
    """What this machine draws, for comparison; while nothing else is measured on it."""

    def __init__(self, lanes: Lanes) -> None:
        self._lanes = lanes
        self._answers: dict[Job, Measurement] = {}

    def __call__(self, job: Job) -> Measurement:
        if job not in self._answers:
            with self._lanes.lock_of(HERE).take():
                self._answers[job] = Local().answer(job, REFERENCE_SECONDS)
        return self._answers[job]


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
