"""Measure any .tflite files on any targets, and keep what was measured on the way."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError
from deploy.harness import Plan, Progress, measure
from deploy.jobs import Measurement, OperationCost
from deploy.machine import describe_machine, memory_bandwidth
from deploy.second_opinion import remarks
from deploy.targets.target import Target
from pipeline.atomic import write_text
from pipeline.commands import benchmark_files as files
from pipeline.report.benchmark import schema
from pipeline.report.benchmark.page import render
from pipeline.tflite.profile import profile
from pipeline.variants import BASELINE

RESULT = "benchmark.json"
PAGE = "benchmark.html"


@dataclass(frozen=True)
class Question:
    """What a person asks: these files (name → path) on these targets, measured by this plan."""

    files: Mapping[str, Path]
    targets: Sequence[Target]
    plan: Plan
    baseline: str
    """Name of the file that the others are compared with."""
    profile: bool = False
    """Whether to find out what each operation costs."""


def choose_baseline(named: str | None, names: Sequence[str]) -> str:
    """``named``, or float32 where there is one, or the first file.

    Raises:
        PocketganError: no file is called ``named``.
    """
    if named is None:
        return BASELINE if BASELINE in names else names[0]
    if named not in names:
        raise PocketganError(f"no file is called {named!r}", f"They are: {', '.join(names)}.")
    return named


def benchmark(
    question: Question, folder: Path, on_progress: Progress | None = None
) -> schema.Benchmark:
    """Answer ``question``; after each round benchmark.json holds what there is.

    What an earlier answer in ``folder`` by the same plan, on the same machine and with the same
    versions holds of the same files is kept: of other targets always, of these if that answer was
    not complete.

    Raises:
        PocketganError: a file cannot be read, or a target is not available; nothing was run then.
    """
    empty = _empty(question)
    earlier = schema.read_if_sound(folder / RESULT)
    kept = _still_true(earlier, empty) if earlier else ()
    asked = {target.name for target in question.targets}
    others = tuple(m for m in kept if m.target not in asked)
    known = tuple(m for m in kept if m.target in asked and earlier and not earlier.complete)
    folder.mkdir(parents=True, exist_ok=True)
    built = empty

    def keep(measurements: Sequence[Measurement]) -> None:
        nonlocal built
        built = _answered(empty, [*others, *measurements])
        write_text(folder / RESULT, schema.dumps(built))

    try:
        measured = measure(
            question.files,
            question.targets,
            question.plan,
            known=known,
            on_progress=on_progress,
            on_round=keep,
        )
        keep(measured)
        if question.profile:
            finished = earlier.profiles if earlier and known else {}
            built = _with_profiles(built, question, folder, finished, on_progress)
        complete = all(m.error is None for m in measured)
        built = built.model_copy(update={"complete": complete})
    finally:
        if built.measurements:
            write(built, folder)
    return built


def _empty(question: Question) -> schema.Benchmark:
    """The answer before anything was measured."""
    return schema.Benchmark(
        schema=schema.SCHEMA,
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=_plan(question.plan),
        baseline=question.baseline,
        machine=asdict(describe_machine()),
        bandwidth=memory_bandwidth(),
        files=tuple(files.describe(name, path) for name, path in question.files.items()),
        measurements=(),
    )


def _answered(empty: schema.Benchmark, measurements: Sequence[Measurement]) -> schema.Benchmark:
    told = {"measurements": tuple(measurements), "remarks": tuple(remarks(measurements))}
    return empty.model_copy(update=told)


def _still_true(earlier: schema.Benchmark, now: schema.Benchmark) -> tuple[Measurement, ...]:
    """What of an earlier answer would be measured alike today."""
    if _circumstances(earlier) != _circumstances(now):
        return ()
    files = {(file.name, file.sha256) for file in now.files}
    return tuple(m for m in earlier.measurements if (m.variant, m.sha256) in files)


def _circumstances(benchmark: schema.Benchmark) -> tuple[Any, ...]:
    """All but the files and targets that figures depend on."""
    machine = benchmark.machine
    return (
        *(benchmark.plan, benchmark.baseline, benchmark.pocketgan),
        *(machine.get("cpu"), machine.get("versions")),
    )


def _with_profiles(
    built: schema.Benchmark,
    question: Question,
    folder: Path,
    finished: Mapping[str, Mapping[str, tuple[OperationCost, ...]]],
    on_progress: Progress | None,
) -> schema.Benchmark:
    """``built`` with what each operation costs, on the targets that time or count."""
    profiles = {target: dict(found) for target, found in finished.items()}
    failed = {(m.target, m.variant) for m in built.measurements if m.error is not None}
    missing: list[str] = []
    for target in (target for target in question.targets if target.profiled):
        here = profiles.setdefault(target.name, {})
        for name, path in question.files.items():
            if name in here or (target.name, name) in failed:
                continue
            try:
                here[name] = profile(path, target, question.plan, on_progress=on_progress)
            except PocketganError as error:
                missing.append(f"no profile of {name} on {target.name}: {error.problem}")
            told = {"profiles": profiles, "remarks": (*built.remarks, *missing)}
            write_text(folder / RESULT, schema.dumps(built.model_copy(update=told)))
    told = {"profiles": profiles, "remarks": (*built.remarks, *missing)}
    return built.model_copy(update=told)


def write(built: schema.Benchmark, folder: Path) -> None:
    """benchmark.json for programs, benchmark.html for people."""
    write_text(folder / RESULT, schema.dumps(built))
    write_text(folder / PAGE, render(built))


def _plan(plan: Plan) -> dict[str, Any]:
    written = asdict(plan)
    written["threads"] = list(plan.threads)
    if plan.latents is not None:
        digest = hashlib.sha256(plan.latents.read_bytes()).hexdigest()
        written["latents"] = f"{plan.latents} (sha256 {digest})"
    return written
