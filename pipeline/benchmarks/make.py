"""Measure any .tflite files on any targets, and keep what was measured on the way."""

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
from deploy.second_opinion import doubts
from deploy.targets.target import Target
from pipeline.atomic import write_text
from pipeline.benchmarks import files, schema
from pipeline.benchmarks.page import render
from pipeline.lite.profile import profile
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
    """Answer ``question``; after each target benchmark.json and benchmark.html are up to date.

    What an earlier, incomplete answer in ``folder`` to an equal plan holds is not measured again.

    Raises:
        PocketganError: a file cannot be read, or a target is not available; nothing was run then.
    """
    written = _plan(question.plan)
    described = tuple(files.describe(name, path) for name, path in question.files.items())
    earlier = schema.read_if_sound(folder / RESULT)
    unfinished = earlier is not None and not earlier.complete and earlier.plan == written
    known = earlier.measurements if earlier and unfinished else ()
    bandwidth = memory_bandwidth()
    machine = asdict(describe_machine())
    folder.mkdir(parents=True, exist_ok=True)

    def keep(measurements: Sequence[Measurement], complete: bool = False) -> schema.Benchmark:
        built = schema.Benchmark(
            schema=schema.SCHEMA,
            pocketgan=version("pocketgan"),
            date=datetime.now(UTC).isoformat(timespec="seconds"),
            plan=written,
            baseline=question.baseline,
            machine=machine,
            bandwidth=bandwidth,
            files=described,
            measurements=tuple(measurements),
            remarks=tuple(doubts(measurements)),
            complete=complete,
        )
        write(built, folder)
        return built

    measured = measure(
        question.files,
        question.targets,
        question.plan,
        known=known,
        on_progress=on_progress,
        on_target=keep,
    )
    return keep(measured, complete=all(m.error is None for m in measured))


def add_profiles(
    built: schema.Benchmark, question: Question, folder: Path, on_progress: Progress | None = None
) -> schema.Benchmark:
    """``built`` with what each operation costs, on the targets that time or count."""
    profiles: dict[str, dict[str, tuple[OperationCost, ...]]] = {}
    for target in question.targets:
        if not target.profiled:
            continue
        for name, path in question.files.items():
            costs = profile(path, target, question.plan, on_progress=on_progress)
            profiles.setdefault(target.name, {})[name] = costs
            built = built.model_copy(update={"profiles": profiles})
            write(built, folder)
    return built


def write(built: schema.Benchmark, folder: Path) -> None:
    """benchmark.json for programs, benchmark.html for people."""
    write_text(folder / RESULT, schema.dumps(built))
    write_text(folder / PAGE, render(built))


def _plan(plan: Plan) -> dict[str, Any]:
    written = asdict(plan)
    written["threads"] = list(plan.threads)
    written["latents"] = None if plan.latents is None else str(plan.latents)
    return written
