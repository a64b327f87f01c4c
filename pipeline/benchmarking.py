"""Measure any .tflite files on any targets, and keep what was measured on the way."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from deploy.agent import AgentError, load_latents
from deploy.agreement import remarks
from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan, Progress, measure
from deploy.jobs import Measurement, OperationCost
from deploy.machine import describe_machine, memory_bandwidth
from deploy.targets.target import Target
from pipeline.atomic import exclusive, write_text
from pipeline.measured_files import MeasuredFiles
from pipeline.profiling import operation_costs
from pipeline.report.benchmark import schema
from pipeline.report.benchmark.page import render
from pipeline.tflite.entry import NO_CHOICE, EntryChoice
from pipeline.tflite.read import IDENTIFIER
from pipeline.variants import BASELINE, VARIANTS

SUFFIX = ".tflite"
RESULT = "benchmark.json"
PAGE = "benchmark.html"


def find(names: Sequence[str]) -> dict[str, Path]:
    """Name → file, for files and folders of files, variants of a run in their usual order.

    A file is called by its stem; where two stems are equal, by as much of the path as tells them
    apart.

    Raises:
        PocketganError: there is no such file or folder, or a folder holds no .tflite.
    """
    paths = list(dict.fromkeys(path for name in names for path in _expand(Path(name))))
    return dict(zip(_names(paths), paths, strict=True))


def is_model(path: Path) -> bool:
    """Whether this is a file that begins as a .tflite does, whatever it is called."""
    try:
        with path.open("rb") as file:
            return file.read(8)[4:] == IDENTIFIER
    except OSError:
        return False


def latents(path: Path) -> Path:
    """``path``, if it holds latents that can be fed: finite float32 [N, L].

    Raises:
        PocketganError: it does not.
    """
    try:
        load_latents(str(path))
    except AgentError as error:
        raise PocketganError(str(error), "Save them with numpy.save.") from error
    return path


def _expand(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise PocketganError(f"{path}: no such file", f"Name {SUFFIX} files, or a folder.")
        return [path.resolve()]
    inside = sorted((f for f in path.glob(f"*{SUFFIX}") if f.is_file()), key=_usual_order)
    if not inside:
        raise PocketganError(f"{path} holds no {SUFFIX} file", "Name another folder, or files.")
    return [file.resolve() for file in inside]


def _usual_order(path: Path) -> tuple[int, str]:
    rank = VARIANTS.index(path.stem) if path.stem in VARIANTS else len(VARIANTS)
    return rank, path.name


def _names(paths: Sequence[Path]) -> list[str]:
    """The shortest endings of the paths, without suffix, that differ from each other."""
    for depth in range(1, max((len(path.parts) for path in paths), default=0) + 1):
        names = ["/".join((*p.parts[-depth:-1], p.stem)) for p in paths]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in paths]


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a person asks: these files (name → path) on these targets, measured by this plan."""

    files: Mapping[str, Path]
    targets: Sequence[Target]
    plan: MeasuringPlan
    baseline: str
    """Name of the file that the others are compared with."""
    profile: bool = False
    """Whether to find out what each operation costs."""
    choice: EntryChoice = NO_CHOICE
    """Which signature of the files is meant, and how large their inputs are."""


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
        PocketganError: a file cannot be read, a target is not available, or another process writes
            into ``folder``; nothing was run then.
    """
    files = MeasuredFiles(question.files, question.choice)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone_in(folder):
        return _answered(question, files, folder, on_progress)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Of two that write one answer the later would lose what the other measured."""
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusive(folder / RESULT, wait=False))
        except BlockingIOError as error:
            raise PocketganError(
                f"{folder}: another pocketgan measures into this folder.",
                "Wait for it, or name another folder: --out DIR.",
            ) from error
        yield


def _answered(
    question: Question, files: MeasuredFiles, folder: Path, on_progress: Progress | None
) -> schema.Benchmark:
    """Measure what is missing, and write after each round."""
    empty = _empty(question, files)
    earlier = schema.read_if_sound(folder / RESULT)
    others, finished = _carried_over(earlier, empty, question.targets) if earlier else ((), ())
    profiles = _profiles_of(earlier, (*others, *finished))
    answer = empty.model_copy(update={"profiles": profiles})

    def keep(measurements: Sequence[Measurement]) -> None:
        nonlocal answer
        every = (*others, *files.as_files(measurements))
        update = {"measurements": every, "remarks": (*files.remarks, *remarks(every))}
        answer = answer.model_copy(update=update)
        write_text(folder / RESULT, schema.dumps(answer))

    try:
        with files.copied() as copies:
            measurements = measure(
                copies,
                question.targets,
                plan=question.plan,
                earlier=files.as_copies(finished),
                on_progress=on_progress,
                on_round=keep,
            )
            keep(measurements)
            if question.profile:
                copied = replace(question, files=copies)
                for extended in _profiled(answer, copied, on_progress):
                    answer = extended
                    write_text(folder / RESULT, schema.dumps(answer))
            complete = all(m.error is None for m in measurements)
            answer = answer.model_copy(update={"complete": complete})
    finally:
        if answer.measurements:
            write_text(folder / RESULT, schema.dumps(answer))
            write_text(folder / PAGE, render(answer))
    return answer


def _empty(question: Question, files: MeasuredFiles) -> schema.Benchmark:
    """The answer before anything was measured."""
    return schema.Benchmark(
        schema=schema.SCHEMA,
        pocketgan=version("pocketgan"),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        plan=_plan(question.plan),
        baseline=question.baseline,
        machine=asdict(describe_machine()),
        bandwidth=memory_bandwidth(),
        files=files.facts,
        measurements=(),
    )


def _carried_over(
    earlier: schema.Benchmark, now: schema.Benchmark, targets: Sequence[Target]
) -> tuple[tuple[Measurement, ...], tuple[Measurement, ...]]:
    """What still holds of an earlier answer: of other targets; of these unless it was complete."""
    valid, wanted = _still_true(earlier, now), {target.name for target in targets}
    others = tuple(m for m in valid if m.target not in wanted)
    return others, tuple(m for m in valid if m.target in wanted and not earlier.complete)


def _still_true(earlier: schema.Benchmark, now: schema.Benchmark) -> tuple[Measurement, ...]:
    """What of an earlier answer would be measured alike today."""
    for name in ("plan", "baseline", "pocketgan"):
        if getattr(earlier, name) != getattr(now, name):
            return ()
    if any(earlier.machine.get(name) != now.machine.get(name) for name in ("cpu", "versions")):
        return ()
    before, today = (
        {(f.name, f.sha256, f.signature, f.input_shapes) for f in answer.files}
        for answer in (earlier, now)
    )
    same = {name for name, *_ in before & today}
    return tuple(m for m in earlier.measurements if m.variant in same)


def _profiles_of(
    earlier: schema.Benchmark | None, measurements: Sequence[Measurement]
) -> dict[str, dict[str, tuple[OperationCost, ...]]]:
    """What an earlier answer says of each operation of those files on those targets."""
    valid = {(m.target, m.variant) for m in measurements}
    by_target = earlier.profiles if earlier else {}
    return {
        target: here
        for target, by_file in by_target.items()
        if (here := {name: costs for name, costs in by_file.items() if (target, name) in valid})
    }


def _profiled(
    answer: schema.Benchmark, question: Question, on_progress: Progress | None
) -> Iterator[schema.Benchmark]:
    """``answer`` with what each operation costs on the targets that time or count, one file more
    each time."""
    failed = {(m.target, m.variant) for m in answer.measurements if m.error is not None}
    for target in (target for target in question.targets if target.profiled):
        for name, path in question.files.items():
            here = answer.profiles.get(target.name, {})
            if name in here or (target.name, name) in failed:
                continue
            changes: dict[str, Any]
            try:
                costs = operation_costs(path, target, question.plan, on_progress)
                changes = {"profiles": {**answer.profiles, target.name: {**here, name: costs}}}
            except PocketganError as error:
                missing = f"no profile of {name} on {target.name}: {error.problem}"
                changes = {"remarks": (*answer.remarks, missing)}
            answer = answer.model_copy(update=changes)
            yield answer


def _plan(plan: MeasuringPlan) -> dict[str, Any]:
    written = asdict(plan)
    written["threads"] = list(plan.threads)
    del written["costs_only"]  # a benchmark wants more
    if plan.latents is not None:
        digest = hashlib.sha256(plan.latents.read_bytes()).hexdigest()
        written["latents"] = f"{plan.latents} (sha256 {digest})"
    return written
