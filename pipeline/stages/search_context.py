"""What the trials of a search share, of a run's folders or of a file that was sent."""

from functools import partial
from pathlib import Path

from pipeline.artifacts import PAIRS, REFERENCE, read_distillation_set
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.importers.teacher import Teacher
from pipeline.recipe.sections import Recipe
from pipeline.search import work
from pipeline.search.budget import Budget, FileCost, search_budget
from pipeline.search.builder import StudentBuilder
from pipeline.search.latency import Latency
from pipeline.search.scorers import Scorer, frechet_scorer, pixel_scorer
from pipeline.search.space import Space, space_of
from pipeline.search.trials import SearchContext, distillation_batch
from pipeline.stage import SCRATCH, StageContext
from pipeline.stages.evaluate import find_judge
from pipeline.stages.inputs import generator_inputs
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose

COMPARED = 1000
"""Pairs by which a student that reads pictures is compared with its teacher."""


def search_context(ctx: StageContext) -> SearchContext:
    """Of a run, for its own workers."""
    teacher = read_saved_teacher(ctx.inputs["teacher"])
    pairs = read_distillation_set(ctx.inputs["teacher"], PAIRS)
    if teacher.latent:
        judge = find_judge(ctx)
        inputs = generator_inputs(ctx, Purpose.SEARCH, judge.enough)
        scorer = frechet_scorer(judge, pairs.pictures[: judge.enough], inputs)
    else:
        scorer = scorer_by_pixels(ctx.inputs["teacher"])
    return context_of(
        ctx.recipe, teacher, pairs=pairs, scorer=scorer, checkpoints=ctx.folder / SCRATCH
    )


def scorer_by_pixels(folder: Path) -> Scorer:
    """For students that read pictures, of the folder with their teacher's pairs."""
    return pixel_scorer(read_distillation_set(folder, REFERENCE).first(COMPARED))


def context_of(
    recipe: Recipe,
    teacher: Teacher,
    *,
    pairs: DistillationSet,
    scorer: Scorer,
    checkpoints: Path,
    latency: Latency | None = None,
) -> SearchContext:
    """Of what it is made of; of the recipe its seed, budget and search count.

    ``latency``: of the target, where it was measured on another machine.
    """
    builder, limits, space = students(recipe, teacher, latency)
    return SearchContext(
        builder=builder,
        space=space,
        budget=limits,
        distillation_set=pairs,
        scorer=scorer,
        steps_of=partial(steps_of, recipe, batch=distillation_batch(pairs)),
        checkpoints=checkpoints,
        seed=recipe.seed,
    )


def students(
    recipe: Recipe, teacher: Teacher, latency: Latency | None = None
) -> tuple[StudentBuilder, Budget, Space]:
    """Who builds students, what they may cost, and which there are."""
    builder = StudentBuilder(teacher, recipe.seed)
    limits = search_budget(recipe.budget, builder.weight_count)
    return builder, limits, space_of(recipe.search, recipe.budget, builder, latency)


def steps_of(recipe: Recipe, cost: FileCost, *, batch: int) -> int:
    """Updates of a trial: each has an equal part of the time."""
    share = work.SEARCH / recipe.search.trials
    return work.affordable_steps(
        recipe.search.steps, recipe.budget, macs=cost.macs, batch=batch, share=share
    )
