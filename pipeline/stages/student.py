"""Train the student that was chosen: distillation first, then adversarial training."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import tf_keras

from pipeline import progress
from pipeline.artifacts import (
    CHOICE,
    DISCRIMINATOR,
    GENERATOR,
    PAIRS,
    REFERENCE,
    STUDENT_FACTS,
    StudentFacts,
    load_network,
    read_distillation_set,
)
from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity
from pipeline.determinism import prepare
from pipeline.importers.saved_teacher import read_saved_teacher
from pipeline.metrics.distances import frechet_distance
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.networks.registry import build_patch_discriminator
from pipeline.search.builder import StudentBuilder
from pipeline.search.candidates import Candidate, ScoreKind
from pipeline.search.scorers import draw_pictures, frechet_scorer
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.distillation import distance_to_teacher, distill
from pipeline.stages.evaluate import find_judge
from pipeline.stages.inputs import channels_to_show, generator_inputs, input_parts
from pipeline.stages.prospects import Prospects
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.randomness import Purpose
from pipeline.training.settings import TrainSettings, TranslationWeights
from pipeline.training.trainer import GANTrainer

MORE_ATTEMPTS = 2
"""Larger students that are trained where the quality of the first is not enough."""
COMPARED = 2000
"""Pictures by which that is judged."""
UNROUNDED = 0.5
"""Share of the loss that a student may have before it is rounded, which costs some more."""
RAMP, EVERY = 0.5, 25


@dataclass(frozen=True, kw_only=True)
class TrainedStudent:
    """A candidate of the search after its training."""

    network: tf_keras.Model
    discriminator: tf_keras.Model | None
    """None where only the differences to the teacher's pixels count."""
    pixels: PixelRange
    imitation_steps: int
    """Of the distillation."""
    error: float | None
    """Mean squared difference to the teacher's pictures after the distillation, if any."""
    events: list[str]


@stage(
    "student",
    needs=("teacher", "search"),
    settings=(*training.ADVERSARIAL, "teacher", "evaluate", "budget", "student"),
    reads_pictures=True,
)
def student(ctx: StageContext) -> Outcome:
    """Write the student, the discriminator that it was trained against, history and film.

    Where the recipe limits the loss of quality, larger students are trained until one keeps it; of
    those that all lose more the nearest is written.
    """
    choice = CHOICE.read(ctx.inputs["search"])
    candidates = (choice.chosen, *choice.ladder[:MORE_ATTEMPTS])
    drop = ctx.recipe.budget.max_quality_drop
    attempts: list[dict[str, Any]] = []
    events: list[str] = []
    for candidate in candidates:
        trained = _train(ctx, candidate)
        events += trained.events
        if drop is None:
            break
        ratio = _frechet_ratio(ctx, trained)
        attempts.append({"student": candidate.description, "frechet_ratio": round(ratio, 4)})
        if ratio <= 1 + drop * UNROUNDED:
            break
        progress.console.print(
            f"{candidate.description}: Fréchet {ratio:.3f} times the teacher's, too bad"
        )
    else:
        ratios = [attempt["frechet_ratio"] for attempt in attempts]
        nearest = candidates[ratios.index(min(ratios))]
        if nearest is not candidate:  # from its checkpoints, with its history and film
            candidate, trained = nearest, _train(ctx, nearest)
    trained.network.save(ctx.folder / GENERATOR)
    if trained.discriminator is not None:
        trained.discriminator.save(ctx.folder / DISCRIMINATOR)
    STUDENT_FACTS.write(StudentFacts(pixels=trained.pixels, tried=candidate), ctx.folder)
    return Outcome(
        {
            "student": candidate.description,
            "parameters": trained.network.count_params(),
            "imitation_steps": trained.imitation_steps,
            "imitation_error": None if trained.error is None else round(trained.error, 6),
            "zeros": round(kernel_sparsity(trained.network), 6),
            **({"attempts": attempts} if attempts else {}),
        },
        events,
    )


def _train(ctx: StageContext, candidate: Candidate) -> TrainedStudent:
    """Distillation, then adversarial training."""
    recipe, settings = ctx.recipe, ctx.recipe.student
    prepare(recipe.seed)
    builder = StudentBuilder(read_saved_teacher(ctx.inputs["teacher"]), recipe.seed)
    pairs = read_distillation_set(ctx.inputs["teacher"], PAIRS)
    network, pixels = builder.build(candidate.student), builder.pixels(candidate.student)
    distillation = distill(ctx, network, pairs=pairs, pixels=pixels, candidate=candidate)
    discriminator = _discriminator(ctx, builder)
    pruning = _pruning(network, candidate, round(RAMP * settings.steps) * recipe.train.critic_steps)
    trainer = student_trainer(
        ctx,
        pruning.model if pruning else network,
        discriminator=discriminator,
        pairs=pairs,
        distill=settings.distill,
        pixels=pixels,
        settings=training.student_training(ctx, settings.steps, settings.rate, recipe.train.ema),
    )
    history = training.train_and_log(
        ctx,
        trainer,
        description="student trains",
        name=f"-{candidate.number}",
        prospects=_game_prospects(ctx, pairs, trainer, pixels) if settings.steps else None,
    )
    return TrainedStudent(
        network=pruning.stripped() if pruning else network,
        discriminator=discriminator,
        pixels=pixels,
        imitation_steps=distillation.steps,
        error=distillation.error,
        events=[*distillation.events, *history.events],
    )


def student_trainer(
    ctx: StageContext,
    network: tf_keras.Model,
    *,
    discriminator: tf_keras.Model | None,
    pairs: DistillationSet,
    distill: float,
    pixels: PixelRange,
    settings: TrainSettings,
) -> GANTrainer:
    """Training towards stored pictures, with ``distill`` times the mean squared difference."""
    if pairs.input_pixels is None:
        return training.trainer(
            ctx,
            training.TrainedNetworks(generator=network, discriminator=discriminator),
            settings=settings,
            teacher=pairs,
            distill=distill,
            pixels=pixels,
        )
    weights = ctx.recipe.student
    fixed = read_distillation_set(ctx.inputs["teacher"], REFERENCE)
    objective = PairedTranslation(
        network,
        discriminator,
        pairs=pairs,
        fixed=fixed,
        pixels=pixels,
        weights=TranslationWeights(
            l1=0.0,
            l2=distill,
            adversarial=weights.adversarial,
            feature_matching=weights.matching,
            mirror=False,
        ),
        settings=settings,
        seed=ctx.recipe.seed,
        visible=channels_to_show(fixed.inputs, input_parts(ctx)),
    )
    return GANTrainer(objective, ctx.recipe.seed)


def _frechet_ratio(ctx: StageContext, trained: TrainedStudent) -> float:
    """The student's Fréchet distance to real pictures over its teacher's, before any rounding.

    To those of the training: nothing is chosen by those that the result is judged by.
    """
    judge, pictures = find_judge(ctx), ctx.dataset.train
    real = judge.features(pictures[:: max(1, len(pictures) // COMPARED)])
    inputs = generator_inputs(ctx, Purpose.SEARCH, COMPARED)
    teacher = read_saved_teacher(ctx.inputs["teacher"])
    teachers, students = (
        frechet_distance(judge.features(to_uint8(draw_pictures(network, inputs), pixels)), real)
        for network, pixels in (
            (teacher.model, teacher.pixels),
            (trained.network, trained.pixels),
        )
    )
    return students / teachers


def _game_prospects(
    ctx: StageContext, pairs: DistillationSet, trainer: GANTrainer, pixels: PixelRange
) -> Prospects:
    """How the adversarial training is rated: by the distance to the teacher, as in the search."""
    scorer, kind = distance_to_teacher(ctx, pairs), ScoreKind.PIXELS
    if scorer is None:
        judge, kind = find_judge(ctx), ScoreKind.FRECHET
        inputs = generator_inputs(ctx, Purpose.SEARCH, judge.enough)
        scorer = frechet_scorer(judge, pairs.pictures[: judge.enough], inputs)
    (generator,) = trainer.objective.generators
    return Prospects(
        what="game",
        rate=partial(scorer, generator, pixels),
        text=kind.text,
        more=f"--student.steps {2 * ctx.recipe.student.steps}",
    )


def _discriminator(ctx: StageContext, builder: StudentBuilder) -> tf_keras.Model | None:
    """The teacher's own, which knows what to look at; or a fresh one where there is none.

    Of pictures that are read none where no loss asks it: neither the adversarial one nor matching.
    """
    path, settings = ctx.inputs["teacher"] / DISCRIMINATOR, ctx.recipe.student
    if not (builder.teacher.latent or settings.adversarial or settings.matching):
        return None
    if path.exists():
        return load_network(path)
    if not builder.teacher.latent:
        return build_patch_discriminator(ctx.recipe.discriminator, builder.translator_shape)
    return training.build_latent_discriminator(ctx)


def _pruning(network: tf_keras.Model, candidate: Candidate, calls: int) -> Pruning | None:
    """Zeros that grow while the student trains, where it shall have any."""
    if not candidate.zeros:
        return None
    sparsity = layer_sparsity(network, candidate.zeros, first=None, last=0.0, single={})
    return Pruning(network, sparsity, calls, EVERY)
