"""Work that faults befall: each stage of both plans, and commands that write."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline import progress
from pipeline.cli import COMMANDS, main
from pipeline.commands.arguments import BAD_INPUT, FAILED, OK
from pipeline.commands.run import make_stage
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER, RECIPE
from pipeline.recipe.reading import load_recipe
from pipeline.run import CACHE, RECORD, Run
from tools.campaigns import light_plan

TINY = """\
generator: {width: 4, latent: 8}
discriminator: {width: 4}
train: {steps: 12, batch: 8, check_every: 3, checkpoint_seconds: 0, film_frames: 3}
prune: {steps: 8, every: 2}
quantize: {steps: 6, calibration: 16}
convert: {calibration: 16}
evaluate: {samples: 64, judge_steps: 10}
benchmark: {threads: [1], runs: 8, rounds: 2, warmup: 0}
"""
SCRATCH_RUN, STUDENT_RUN = "tiny", "small"
COMPRESS = (
    *("--max-gzip-kb", "5", "--name", STUDENT_RUN, "--quiet"),
    *("--search.trials", "8", "--search.steps", "9", "--search.blocks", "[sub_pixel]"),
    *("--student.imitate", "4", "--student.steps", "4", "--quantize.steps", "4"),
    *("--quantize.calibration", "16", "--convert.calibration", "16", "--teacher.lessons", "128"),
    *("--evaluate.samples", "64", "--evaluate.judge_steps", "10", "--benchmark.threads", "[1]"),
    *("--benchmark.runs", "8", "--benchmark.rounds", "1", "--benchmark.warmup", "0"),
)
"""A student too small to have learnt anything, of the tiny run's teacher."""

BENCHMARKED = "benchmarked"
BENCHMARK = (
    *("--out", f"{{runs}}/{BENCHMARKED}", "--threads", "1"),
    *("--runs", "16", "--rounds", "2", "--warmup", "0"),
)


@dataclass(frozen=True)
class Workload:
    """Work that is done in a copy of the folder of finished runs."""

    prepare: Callable[[Path], None]
    """Lets it be due: removes from the copy what it makes, or makes that stale."""
    work: Callable[[Path], int]
    """Gives the exit code."""
    run: str
    """Name of the run in which it works."""


def _stage(run: str, name: str) -> Workload:
    remove, make = partial(_remove, run=run, name=name), partial(_make, run=run, name=name)
    return Workload(remove, make, run)


def _stage_again(run: str, name: str) -> Workload:
    stale, make = partial(_make_stale, run=run, name=name), partial(_make, run=run, name=name)
    return Workload(stale, make, run)


def _remove(runs: Path, *, run: str, name: str) -> None:
    """Remove a stage and those after it, the first one's judge too."""
    plan = FROM_SCRATCH if run == SCRATCH_RUN else FROM_TEACHER
    for later in plan.names[plan.names.index(name) :]:
        shutil.rmtree(plan.folder(runs / run, later))
    if name == "evaluate":
        for judge in (runs / CACHE).glob("judge-*"):
            judge.unlink()


def _make_stale(runs: Path, *, run: str, name: str) -> None:
    """Let what a stage left be whole, but of something else."""
    plan = FROM_SCRATCH if run == SCRATCH_RUN else light_plan.PLAN
    path = plan.folder(runs / run, name) / RECORD
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record | {"key": "of something else"}))


def _make(runs: Path, *, run: str, name: str) -> int:
    """As the commands of stages do; `compress` has none for a single one."""

    def command(_arguments: list[str]) -> int:
        progress.silence()
        opened = Run(load_recipe(str(runs / run / RECIPE)), runs, workers=2)
        with opened.lock():
            make_stage(opened, name)
        return 0

    return _as_command(command)


def _make_light(runs: Path) -> int:
    return _as_command(lambda _: light_plan.make_all(runs))


def _as_command(command: Callable[[list[str]], int]) -> int:
    """Its exit code, errors being said as by the command line."""
    COMMANDS["campaign"] = command
    return main(["campaign"])


def _bundle(runs: Path) -> int:
    return main(["bundle", SCRATCH_RUN, "--runs", str(runs), "--no-speed", "--force"])


def _remove_bundle(runs: Path) -> None:
    shutil.rmtree(runs / SCRATCH_RUN / "bundle")
    (runs / SCRATCH_RUN / "bundle.zip").unlink()


def _command(runs: Path, *arguments: str) -> int:
    """A command as a person gives it: this process becomes it, and it has a child of its own."""
    words = [sys.executable, "-m", "pipeline", *(one.format(runs=runs) for one in arguments)]
    os.execv(sys.executable, [*words, "--quiet"])


def _run_command(run: str, name: str) -> Workload:
    """`run`, of which all from a stage on is left to do; of a student, what `compress` does."""
    recipe = f"{{runs}}/{run}/{RECIPE}"
    arguments = ("run", recipe, "--runs", "{runs}", "--workers", "2")
    return Workload(
        partial(_remove, run=run, name=name), lambda runs: _command(runs, *arguments), run
    )


def _benchmark(runs: Path) -> int:
    return _command(runs, "benchmark", f"{{runs}}/{SCRATCH_RUN}/4-convert", *BENCHMARK)


def _remove_benchmark(runs: Path) -> None:
    shutil.rmtree(runs / BENCHMARKED)


def _remove_light(runs: Path) -> None:
    shutil.rmtree(runs / light_plan.NAME)


def _again(_runs: Path) -> None:
    """Nothing is removed: what is there is replaced."""


WORKLOADS: Mapping[str, Workload] = {
    "two light stages": Workload(_remove_light, _make_light, light_plan.NAME),
    "light stage, again": Workload(
        partial(_make_stale, run=light_plan.NAME, name="double"), _make_light, light_plan.NAME
    ),
    "bundle": Workload(_remove_bundle, _bundle, SCRATCH_RUN),
    "bundle, again": Workload(_again, _bundle, SCRATCH_RUN),
    **{name: _stage(SCRATCH_RUN, name) for name in FROM_SCRATCH.names},
    "report, again": _stage_again(SCRATCH_RUN, "report"),
    **{
        f"{name} of compress": _stage(STUDENT_RUN, name)
        for name in ("teacher", "search", "student", "quantize")
    },
    "`run`": _run_command(SCRATCH_RUN, "train"),
    "`run`, its measuring": _run_command(SCRATCH_RUN, "evaluate"),
    "`run` of a student": _run_command(STUDENT_RUN, "search"),
    "`benchmark`": Workload(_remove_benchmark, _benchmark, BENCHMARKED),
}


def make_base(folder: Path) -> int:
    """The finished runs, in ``folder``."""
    runs = folder / "runs"
    recipe = folder / f"{SCRATCH_RUN}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    recipe.write_text(TINY)
    light_plan.make_all(runs)
    for arguments in (
        ["run", str(recipe), "--quiet"],
        ["bundle", SCRATCH_RUN, "--no-speed", "--force"],
        ["compress", str(runs / SCRATCH_RUN), *COMPRESS],
    ):
        if main([*arguments, "--runs", str(runs)]) not in (OK, FAILED):
            return BAD_INPUT
    files = str(runs / SCRATCH_RUN / "4-convert")
    if main(["benchmark", files, *(word.format(runs=runs) for word in BENCHMARK)]) != OK:
        return BAD_INPUT
    return OK
