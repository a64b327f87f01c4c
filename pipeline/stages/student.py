"""Train the student that was chosen: distillation first, then adversarial training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from pipeline import progress
from pipeline.artifacts import (
    DISCRIMINATOR,
    GENERATOR,
    LESSONS,
    StudentFacts,
    load_network,
    read_choice,
    read_distillation_set,
    write_student_facts,
)
from pipeline.atomic import replaced
from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity
from pipeline.determinism import prepare
from pipeline.importers.teacher import read_saved_teacher
from pipeline.metrics.frechet import frechet_distance
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.networks.registry import build_discriminator
from pipeline.search.builder import StudentBuilder
from pipeline.search.candidates import Candidate
from pipeline.search.scorer import draw_pictures
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import networks
from pipeline.stages.evaluate import find_judge
from pipeline.stages.inputs import image_shape, teacher_inputs
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller
from pipeline.training.history import TrainingHistory
from pipeline.training.log import TrainingLog
from pipeline.training.randomness import Purpose

IMITATION_BATCH = 128
MORE_ATTEMPTS = 2
"""Larger students that are taught where the quality of the first is not enough."""
COMPARED = 2000
"""Pictures by which that is told."""
UNROUNDED = 0.5
"""Share of the loss that a student may have before it is rounded, which costs some more."""
RAMP, EVERY = 0.5, 25


@stage(
    "student",
    needs=("teacher", "search"),
    settings=(*networks.ADVERSARIAL, "teacher", "evaluate", "budget", "student"),
    reads_pictures=True,
)
def student(ctx: StageContext) -> Outcome:
    """Write the student, the discriminator that it was trained against, history and film.

    Where the recipe limits the loss of quality, larger students are taught until one keeps it.
    """
    choice = read_choice(ctx.inputs["search"])
    drop = ctx.recipe.budget.max_quality_drop
    attempts: list[dict[str, Any]] = []
    events: list[str] = []
    for tried in (choice.chosen, *choice.ladder[:MORE_ATTEMPTS]):
        taught = _teach(ctx, tried)
        events += taught.events
        if drop is None:
            break
        ratio = _ratio(ctx, taught.model, taught.pixels)
        attempts.append({"student": tried.description, "frechet_ratio": round(ratio, 4)})
        if ratio <= 1 + drop * UNROUNDED:
            break
        progress.console.print(
            f"{tried.description}: Fréchet {ratio:.3f} times the teacher's, too bad"
        )
    taught.model.save(ctx.folder / GENERATOR)
    taught.discriminator.save(ctx.folder / DISCRIMINATOR)
    write_student_facts(StudentFacts(pixels=taught.pixels, tried=tried), ctx.folder)
    taught.log.close(taught.history)
    return Outcome(
        {
            "student": tried.description,
            "parameters": taught.model.count_params(),
            "imitation_error": None if taught.error is None else round(taught.error, 6),
            "zeros": round(kernel_sparsity(taught.model), 6),
            **({"attempts": attempts} if attempts else {}),
        },
        events,
    )


@dataclass(frozen=True)
class _Taught:
    model: tf_keras.Model
    discriminator: tf_keras.Model
    pixels: PixelRange
    error: float | None
    """Mean squared difference to the teacher's pictures at the end of the imitation, if any."""
    history: TrainingHistory
    log: TrainingLog

    @property
    def events(self) -> list[str]:
        return self.history.events


def _teach(ctx: StageContext, tried: Candidate) -> _Taught:
    """Distillation, then adversarial training."""
    recipe, settings = ctx.recipe, ctx.recipe.student
    prepare(recipe.seed)
    builder = StudentBuilder(read_saved_teacher(ctx.inputs["teacher"]), recipe.seed)
    lessons = read_distillation_set(ctx.inputs["teacher"] / LESSONS)
    made = builder.build(tried.student)
    pixels = builder.pixels(tried.student)
    error = _imitate(ctx, made, tried, lessons, pixels)
    discriminator = _discriminator(ctx)
    pruning = _pruning(made, tried, settings.steps, recipe.train.critic_steps)
    training = networks.student_training(ctx, settings.steps, settings.rate, recipe.train.ema)
    trainer = networks.trainer(
        ctx,
        pruning.model if pruning else made,
        discriminator=discriminator,
        settings=training,
        teacher=lessons,
        distill=settings.distill,
        pixels=pixels,
    )
    log = TrainingLog(ctx.folder, "student")
    checkpoint = ctx.scratch / f"game-{tried.number}.npz"
    history = trainer.train(checkpoint, "student trains", log.write)
    trainer.recalibrate()
    final = pruning.stripped() if pruning else made
    return _Taught(final, discriminator, pixels, error, history, log)


def _ratio(ctx: StageContext, model: tf_keras.Model, pixels: PixelRange) -> float:
    """The student's Fréchet distance to real pictures over its teacher's, before any rounding.

    To those of the training: nothing is chosen by those that the result is judged by.
    """
    judge = find_judge(ctx)
    train = ctx.dataset.train
    real = judge.features(train[:: max(1, len(train) // COMPARED)])
    seen = teacher_inputs(ctx, Purpose.SEARCH, COMPARED)
    teacher = read_saved_teacher(ctx.inputs["teacher"])
    theirs, ours = (
        frechet_distance(
            judge.features(to_uint8(draw_pictures(network, seen), black_and_white)), real
        )
        for network, black_and_white in ((teacher.model, teacher.pixels), (model, pixels))
    )
    return ours / theirs


def _imitate(
    ctx: StageContext,
    made: tf_keras.Model,
    tried: Candidate,
    lessons: DistillationSet,
    pixels: PixelRange,
) -> float | None:
    """Train on the teacher's pictures alone, unless a killed run had done so already."""
    settings = ctx.recipe.student
    if not settings.imitate:
        return None
    kept = ctx.scratch / f"imitation-{tried.number}.npz"
    weights = _kept(kept, made)
    if weights is not None:
        made.set_weights(weights[:-1])
        return float(weights[-1])
    imitation = Distiller(
        made,
        lessons,
        pixels=pixels,
        steps=settings.imitate,
        rate=settings.imitate_rate,
        batch=IMITATION_BATCH,
        seed=ctx.recipe.seed,
    )
    with progress.bar() as bar:
        task = bar.add_task("student imitates", total=settings.imitate)
        error = imitation.train(settings.imitate, lambda: bar.advance(task))
    imitation.recalibrate()
    with replaced(kept) as aside, aside.open("wb") as file:
        np.savez(file, *made.get_weights(), np.array(error))
    return error


def _kept(path: Path, made: tf_keras.Model) -> list[np.ndarray] | None:
    """The weights, and the error behind them, that a killed run left; None where it left none."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file) as stored:
            arrays = [stored[f"arr_{number}"] for number in range(len(stored.files))]
    except Exception:  # damage can surface as nearly any error of the archive reader
        return None
    shapes = [weight.shape for weight in made.get_weights()]
    return arrays if [array.shape for array in arrays[:-1]] == shapes else None


def _discriminator(ctx: StageContext) -> tf_keras.Model:
    """The teacher's own, which knows what to look at; or a fresh one where there is none."""
    kept = ctx.inputs["teacher"] / DISCRIMINATOR
    if kept.exists():
        return load_network(kept)
    return build_discriminator(ctx.recipe.discriminator, image_shape(ctx))


def _pruning(
    made: tf_keras.Model, chosen: Candidate, steps: int, critic_steps: int
) -> Pruning | None:
    """Zeros that grow while the student trains, where it shall have any."""
    if not chosen.zeros:
        return None
    shares = layer_sparsity(made, chosen.zeros, first=None, last=0.0, single={})
    return Pruning(made, shares, round(RAMP * steps) * critic_steps, EVERY)
