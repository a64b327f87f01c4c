"""Find the student that fits the budget: many are tried for a little while."""

import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pipeline import progress
from pipeline.adversarial.randomness import Purpose
from pipeline.atomic import write_text
from pipeline.compression.rounding import Coarseness
from pipeline.data.drawn import LESSONS, read_lessons
from pipeline.determinism import prepare
from pipeline.networks.settings import StudentSettings
from pipeline.run import Outcome, Workbench
from pipeline.search import budget, choice, trials
from pipeline.search.choice import Choice, Tried
from pipeline.search.look import looking
from pipeline.search.space import Space, space_of
from pipeline.search.students import SLIM, Workshop
from pipeline.stages import networks
from pipeline.stages.evaluate import find_judge
from pipeline.teachers.store import read_saved_teacher

CHOICE, STUDY = "choice.json", "study.journal"
LOOKED_AT = 2000
"""Pictures by which a student is compared with its teacher."""


def search(bench: Workbench) -> Outcome:
    """Write ``choice.json``, and the study where it has no other place."""
    recipe, settings = bench.recipe, bench.recipe.search
    prepare(recipe.seed)
    teacher = read_saved_teacher(bench.inputs["teacher"])
    workshop = Workshop(teacher, recipe.seed)
    limits = budget.budget_of(recipe.budget)
    if not limits.limits:
        limits = budget.budget_for_quality(workshop.weights)
    space = space_of(recipe, workshop)
    made = (
        _given(space, settings.student)
        if settings.student
        else _searched(bench, workshop, space, limits)
    )
    write_text(bench.folder / CHOICE, choice.dumps(made))
    return Outcome(
        {
            "chosen": made.chosen.words,
            "reason": made.reason,
            "tried": len(made.tried),
            "expected": asdict(made.chosen.cost),
        },
        [f"slim left out: {workshop.why_not_slim}"] if _slim_left_out(bench, workshop) else [],
    )


def read_choice(folder: Path) -> Choice:
    """What the search chose; PocketganError where it is missing or damaged."""
    path = folder / CHOICE
    return choice.loads(path.read_text(encoding="utf-8"), str(path))


def _slim_left_out(bench: Workbench, workshop: Workshop) -> bool:
    return SLIM in bench.recipe.search.blocks and not workshop.groups


def _given(space: Space, student: StudentSettings) -> Choice:
    """The one that the recipe names."""
    coarseness = Coarseness(min(space.bits))
    tried = Tried(
        number=0,
        student=student,
        bits=coarseness.bits,
        zeros=0.0,
        cost=space.price(student, coarseness),
        steps=0,
        score=0.0,
        finished=True,
    )
    return choice.choose([tried], smallest=False)


def _so_far(tried: Sequence[Tried], words: str) -> str:
    """For the progress display: the best student yet, and the one that is being tried."""
    known = choice.front(tried)
    if not known:
        return f"search: {words}"
    best = known[-1]
    return f"search, best {best.score:.2f} at {best.cost.bytes_gzip / 1000:.1f} kB: {words}"


def ground_of(
    bench: Workbench, workshop: Workshop, space: Space, limits: budget.Budget
) -> trials.Ground:
    """What the trials of a run share."""
    lessons = read_lessons(bench.inputs["teacher"] / LESSONS)
    look = looking(
        find_judge(bench),
        lessons.pictures[:LOOKED_AT],
        networks.inputs(bench, Purpose.SEARCH, LOOKED_AT),
    )
    steps = bench.recipe.search.steps
    return trials.Ground(workshop, space, limits, lessons, look, steps, bench.recipe.seed)


def _searched(bench: Workbench, workshop: Workshop, space: Space, limits: budget.Budget) -> Choice:
    settings = bench.recipe.search
    ground = ground_of(bench, workshop, space, limits)
    kept = bench.scratch / STUDY
    study = trials.open_study(settings.study or kept, bench.recipe.seed)
    if settings.study is None:
        trials.take_up(study)
    with progress.bar() as bar:
        task = bar.add_task("search", total=settings.trials)
        tried = trials.search(
            study,
            ground,
            settings.trials,
            lambda done, words: bar.update(
                task, completed=done, description=_so_far(trials.tried_of(study), words)
            ),
        )
    if kept.exists():
        shutil.copyfile(kept, bench.folder / STUDY)
    smallest = bench.recipe.budget.max_quality_drop is not None
    return choice.choose([one for one in tried if math.isfinite(one.score)], smallest=smallest)
