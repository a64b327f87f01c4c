"""A plan of stages without TensorFlow: a kill costs little, and all but the work is real."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipeline.atomic import replaced, write_text
from pipeline.plans import Plan, Step
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run
from pipeline.stage import Outcome, Stage, StageContext, stage

STEPS = 20
NAME = "light"
SETTINGS = load_recipe("digits", ["--name", NAME])  # here, so that forks need not read it


@stage("count", settings=("train",))
def count(ctx: StageContext) -> Outcome:
    """Adds up, with a checkpoint after each number; a picture of it stands beside the stage."""
    checkpoint = ctx.scratch / "sum.txt"
    number, total = map(int, checkpoint.read_text().split()) if checkpoint.exists() else (0, 0)
    while number < STEPS:
        number, total = number + 1, total + number + 1
        write_text(checkpoint, f"{number} {total}")
    write_text(ctx.folder / "sum.txt", f"{total}\n")
    (ctx.folder / "numbers").mkdir(exist_ok=True)
    for place in range(5):
        (ctx.folder / "numbers" / f"{place}.txt").write_text(f"{place}\n" * 1000)
    return Outcome({"total": total})


@stage("double", needs=("count",), settings=("prune",))
def double(ctx: StageContext) -> Outcome:
    """Reads the stage before, and has nothing to resume."""
    total = int((ctx.inputs["count"] / "sum.txt").read_text())
    with replaced(ctx.folder / "double.txt") as aside, aside.open("w") as file:
        file.write(f"{2 * total}\n")
    with replaced(ctx.cache / "shared.txt") as aside:
        aside.write_text("shared\n" * 1000)
    return Outcome({"total": 2 * total})


@dataclass(frozen=True)
class LightPlan(Plan):
    """Of those two stages."""

    @cached_property
    def stages(self) -> Mapping[str, Stage]:
        return {"count": count, "double": double}


PLAN = LightPlan({"count": Step("add up", ""), "double": Step("double", "")})


def light_run(runs: Path) -> Run:
    """A run of those stages, in ``runs``."""
    (runs / ".cache").mkdir(parents=True, exist_ok=True)
    run = Run(SETTINGS, runs)
    run.plan = PLAN
    return run


def make_all(runs: Path) -> int:
    """Every stage that is stale, in a locked folder."""
    run = light_run(runs)
    with run.lock():
        for name in run.plan.names:
            if run.staleness(name):
                run.make(name)
    return 0
