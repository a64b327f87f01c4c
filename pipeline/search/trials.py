"""A trial: a student is distilled for a little while, and scored at each rung that it reaches."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tf_keras
from optuna.trial import FixedTrial

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.compression.spec import CompressionSpec
from pipeline.determinism import prepare
from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import Budget, FileCost
from pipeline.search.builder import StudentBuilder
from pipeline.search.scorers import Scorer
from pipeline.search.space import Proposal, Space
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller

REDUCTION = 3
"""Of the students at a rung one in so many goes on, for so many times as long (Jamieson 2016)."""
RUNGS = 2
WORST = 1e6
"""Score of a student whose pictures are not finite."""
THREADS = 1
"""Of a trial: two side by side on two cores take less time than one after another on both."""
RATE, BATCH = 2e-3, 128
PICTURE_RATE, PICTURE_AVERAGE = 3e-3, 0.999
PICTURE_BATCH, PIXELS_AT_ONCE, FEWEST_AT_ONCE = 32, 2**17, 8


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """What all trials share."""

    builder: StudentBuilder
    space: Space
    budget: Budget
    distillation_set: DistillationSet
    scorer: Scorer
    steps_of: Callable[[FileCost], int]
    """Updates of a student of that cost which reaches the last rung."""
    checkpoints: Path
    """Folder in which students wait between two rungs."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class TrialWork:
    """What is done of a trial at once: the way to a rung."""

    number: int
    parameters: Mapping[str, Any]
    """As the study proposes them; none for the smallest student that there is."""
    rung: int
    """1 is the first, RUNGS the last."""
    proposal: Proposal | None = None
    """The student, where it is known from the rung before."""


@dataclass(frozen=True)
class TrialScore:
    """What came of it."""

    proposal: Proposal
    steps: int
    score: float


def reach_rung(context: SearchContext, work: TrialWork) -> TrialScore | None:
    """Train the student of a trial up to a rung, from where it was left, and score it there.

    The same whatever this process did before. None where the student does not fit the budget.
    """
    prepare(context.seed)
    try:
        proposal = work.proposal or _propose(context, work.parameters)
    except PocketganError:
        return None
    prepare(context.seed)  # the students that were weighed do not count
    steps = context.steps_of(proposal.cost)
    until = rungs(steps)[work.rung - 1]
    distiller, current_score = start_distillation(
        context, proposal.student, proposal.spec, steps=steps
    )
    distiller.resume(context.checkpoints / f"trial-{work.number}.npz", math.inf)
    if until not in distiller.scores:
        with progress.bar() as bar:
            task = bar.add_task("trial", total=until - distiller.step)
            distiller.train(until, lambda: bar.advance(task))
        value = current_score()
        distiller.scores[until] = value if value < WORST else WORST  # NaN is not below it
        distiller.save()
    return TrialScore(proposal, until, distiller.scores[until])


def _propose(context: SearchContext, parameters: Mapping[str, Any]) -> Proposal:
    """PocketganError where not even the narrowest of the plainest fits the budget."""
    if not parameters:
        return context.space.smallest(context.budget)
    return context.space.draw(FixedTrial(dict(parameters)), context.budget)


def rungs(steps: int) -> list[int]:
    """After how many updates a student is scored: the last time after ``steps``."""
    return [math.ceil(steps / REDUCTION ** (RUNGS - 1 - rung)) for rung in range(RUNGS)]


def start_distillation(
    context: SearchContext, settings: StudentSettings, spec: CompressionSpec, *, steps: int
) -> tuple[Distiller, Callable[[], float]]:
    """The short training of a trial, not begun yet, and a function that scores its student."""
    student, pixels = context.builder.build(settings), context.builder.pixels(settings)
    distiller = Distiller(
        student,
        context.distillation_set,
        pixels=pixels,
        steps=steps,
        rate=RATE if context.space.latent else PICTURE_RATE,
        batch=distillation_batch(context.distillation_set),
        average=distillation_average(student, context.distillation_set),
        seed=context.seed,
        spec=spec,
    )

    def current_score() -> float:
        distiller.settle()
        with distiller.compressed():
            return context.scorer(student, pixels)

    return distiller, current_score


def distillation_batch(pairs: DistillationSet) -> int:
    """Pairs an update: of pictures fewer, the larger they are."""
    if pairs.input_pixels is None:
        return BATCH
    return picture_batch(math.prod(pairs.inputs.shape[1:3]))


def distillation_average(student: tf_keras.Model, pairs: DistillationSet) -> float:
    """Decay of the moving average by which a student is judged; 0 for none.

    Students for pictures gain by it where they have batch norm, and by it alone (decisions.md).
    """
    normalized = any(
        isinstance(layer, tf_keras.layers.BatchNormalization) for layer in student.layers
    )
    return PICTURE_AVERAGE if normalized and pairs.input_pixels is not None else 0.0


def picture_batch(pixels: int) -> int:
    """Pictures of so many pixels an update: the fewer, the larger they are."""
    return max(FEWEST_AT_ONCE, min(PICTURE_BATCH, PIXELS_AT_ONCE // pixels))
