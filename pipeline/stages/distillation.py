"""The distillation of the chosen student: it copies its teacher's pictures before all else."""

import math
from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.artifacts import REFERENCE, read_distillation_set
from pipeline.networks.pixels import PixelRange
from pipeline.search import work
from pipeline.search.candidates import Candidate, decibels
from pipeline.search.scorers import Scorer, pixel_scorer
from pipeline.search.trials import distillation_average, distillation_batch
from pipeline.stage import StageContext
from pipeline.stages.first_file import write_first_file
from pipeline.stages.prospects import COMPARED_ON_THE_WAY, prospect
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller


def imitation_steps(ctx: StageContext, pairs: DistillationSet, candidate: Candidate) -> int:
    """Updates of a distillation: those of the recipe, or as many as there is time for."""
    return _steps_of(pairs, candidate)(ctx.recipe.student.imitate, ctx.recipe.budget)


def _steps_of(pairs: DistillationSet, candidate: Candidate) -> work.StepsOf:
    macs, batch = candidate.cost.macs, distillation_batch(pairs)
    return partial(work.affordable_steps, macs=macs, batch=batch, share=work.DISTILL)


class Distillation(NamedTuple):
    """How a distillation went."""

    steps: int
    """That it took: fewer than the recipe's where its minutes allow no more."""
    error: float | None
    """Mean squared difference of its last batch, in −1..1; None where there was none."""
    events: list[str]


def distill(
    ctx: StageContext,
    network: tf_keras.Model,
    *,
    pairs: DistillationSet,
    pixels: PixelRange,
    candidate: Candidate,
) -> Distillation:
    """Train on the teacher's pictures alone, or on from where a killed run was."""
    steps = imitation_steps(ctx, pairs, candidate)
    if not steps:
        return Distillation(0, None, [])
    distiller = Distiller(
        network,
        pairs,
        pixels=pixels,
        steps=steps,
        rate=ctx.recipe.student.imitate_rate,
        batch=distillation_batch(pairs),
        average=distillation_average(network, pairs),
        seed=ctx.recipe.seed,
    )
    checkpoint = ctx.scratch / f"distilled-{candidate.number}.npz"
    distiller.resume(checkpoint, ctx.recipe.train.checkpoint_seconds)
    compared = distance_to_teacher(ctx, pairs)
    milestones = [steps // 2, steps] if compared else [steps]
    with progress.bar() as bar:
        task = bar.add_task("student is distilled", total=steps, completed=distiller.step)
        for until in milestones:
            distiller.train(until, lambda: bar.advance(task))
            if until in distiller.scores:
                continue
            distiller.settle()
            score = compared(network, pixels) if compared else distiller.error
            _refuse_diverged(score, ctx.recipe.student.imitate_rate)
            if until == milestones[0]:
                write_first_file(ctx, network, pixels)
            distiller.scores[until] = decibels(score) if compared else math.nan
            distiller.save()
    if not compared:
        return Distillation(steps, distiller.error, [])
    return Distillation(steps, distiller.error, [_outlook(ctx, pairs, candidate, distiller.scores)])


def _outlook(
    ctx: StageContext, pairs: DistillationSet, candidate: Candidate, scores: Mapping[int, float]
) -> str:
    """What more time would bring; ``scores``: decibels after half of the steps, and after all."""
    half, end = (f"{scores[step]:.1f} dB" for step in sorted(scores))
    wanted, budget = ctx.recipe.student.imitate, ctx.recipe.budget
    return prospect(
        "distillation",
        half=f"{half} to the teacher's pictures",
        work=f"its {max(scores):,} steps",
        end=end,
        more=work.doubling("student.imitate", wanted, budget, _steps_of(pairs, candidate)),
    )


def _refuse_diverged(score: float, rate: float) -> None:
    """PocketganError where a student is NaN or infinite: nothing mends it."""
    if not math.isfinite(score):
        raise PocketganError(
            "the distillation diverged: its student draws NaN or infinite numbers.",
            f"Give a student.imitate_rate below {rate:g}.",
        )


def distance_to_teacher(ctx: StageContext, pairs: DistillationSet) -> Scorer | None:
    """Of students for pictures: how far they are from their teacher on what none learned from."""
    if pairs.input_pixels is None:
        return None
    return pixel_scorer(
        read_distillation_set(ctx.inputs["teacher"], REFERENCE).first(COMPARED_ON_THE_WAY)
    )
