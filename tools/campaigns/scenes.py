"""What is killed: each stage of both plans, and commands that write."""

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
from pipeline.recipe import load_recipe
from pipeline.run import CACHE, RECORD, Run
from tools.campaigns import small_plan

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
class Scene:
    """Work that is killed: in a copy of the folder of finished runs, without what it makes."""

    forget: Callable[[Path], None]
    """Removes from the copy what the work makes."""
    work: Callable[[Path], int]
    """Makes it, in that folder of runs; gives the exit code."""
    run: str
    """Name of the run in which it works."""


def _stage_scene(run: str, name: str) -> Scene:
    return Scene(partial(_forget, run=run, name=name), partial(_make, run=run, name=name), run)


def _forget(runs: Path, *, run: str, name: str) -> None:
    """Remove a stage and those after it, the first one's judge too."""
    plan = FROM_SCRATCH if run == SCRATCH_RUN else FROM_TEACHER
    for later in plan.names[plan.names.index(name) :]:
        shutil.rmtree(plan.folder(runs / run, later))
    if name == "evaluate":
        for judge in (runs / CACHE).glob("judge-*"):
            judge.unlink()


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
    return _as_command(lambda _: small_plan.make_all(runs))


def _as_command(command: Callable[[list[str]], int]) -> int:
    """Its exit code, errors being said as by the command line."""
    COMMANDS["campaign"] = command
    return main(["campaign"])


def _bundle(runs: Path) -> int:
    return main(["bundle", SCRATCH_RUN, "--runs", str(runs), "--no-speed", "--force"])


def _forget_bundle(runs: Path) -> None:
    shutil.rmtree(runs / SCRATCH_RUN / "bundle")
    (runs / SCRATCH_RUN / "bundle.zip").unlink()


def _command(runs: Path, *arguments: str) -> int:
    """A command as a person gives it: this process becomes it, and it has a child of its own."""
    words = [sys.executable, "-m", "pipeline", *(one.format(runs=runs) for one in arguments)]
    os.execv(sys.executable, [*words, "--quiet"])


def _run_command(run: str, name: str) -> Scene:
    """`run`, of which all from a stage on is left to do."""
    recipe = f"{{runs}}/{run}/{RECIPE}"
    arguments = ("run", recipe, "--runs", "{runs}", "--workers", "2")
    return Scene(partial(_forget, run=run, name=name), lambda runs: _command(runs, *arguments), run)


def _benchmark(runs: Path) -> int:
    return _command(runs, "benchmark", f"{{runs}}/{SCRATCH_RUN}/4-convert", *BENCHMARK)


def _forget_benchmark(runs: Path) -> None:
    shutil.rmtree(runs / BENCHMARKED)


def _forget_light(runs: Path) -> None:
    shutil.rmtree(runs / small_plan.NAME)


def _make_light_stale(runs: Path) -> None:
    """What its second stage left is whole, but of something else."""
    path = runs / small_plan.NAME / "2-double" / RECORD
    record = json.loads(path.read_bytes())
    path.write_text(json.dumps(record | {"key": "of something else"}))


def _again(_runs: Path) -> None:
    """Nothing is removed: what is there is replaced."""


SCENES: Mapping[str, Scene] = {
    "two light stages": Scene(_forget_light, _make_light, small_plan.NAME),
    "light stage, again": Scene(_make_light_stale, _make_light, small_plan.NAME),
    "bundle": Scene(_forget_bundle, _bundle, SCRATCH_RUN),
    "bundle, again": Scene(_again, _bundle, SCRATCH_RUN),
    **{name: _stage_scene(SCRATCH_RUN, name) for name in FROM_SCRATCH.names},
    **{
        f"{name} of compress": _stage_scene(STUDENT_RUN, name)
        for name in ("teacher", "search", "student", "quantize")
    },
    "`run`": _run_command(SCRATCH_RUN, "train"),
    "`run`, its measuring": _run_command(SCRATCH_RUN, "evaluate"),
    "`compress`": _run_command(STUDENT_RUN, "search"),
    "`benchmark`": Scene(_forget_benchmark, _benchmark, BENCHMARKED),
}


def make_base(folder: Path) -> int:
    """The runs that nothing strikes, in ``folder``."""
    runs = folder / "runs"
    recipe = folder / f"{SCRATCH_RUN}.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    recipe.write_text(TINY)
    small_plan.make_all(runs)
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
