"""The adversarial training of a run: around its generator, by its rules."""

from dataclasses import replace

import tf_keras

from pipeline.networks.pixels import PixelRange, pixel_range
from pipeline.stage import StageContext
from pipeline.stages.inputs import prior
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer, Players

ADVERSARIAL = ("data", "generator", "discriminator", "train")
"""The sections of the recipe that every adversarial training reads."""


def game(
    ctx: StageContext,
    generator: tf_keras.Model,
    discriminator: tf_keras.Model,
    settings: TrainSettings,
    teacher: tf_keras.Model | None = None,
    distill: float = 0.0,
    lessons: DistillationSet | None = None,
    pixels: PixelRange | None = None,
) -> GANTrainer:
    """The adversarial game of this run, on the train split.

    ``pixels``: black and white in what the generator draws, where its last layer does not say.
    """
    players = Players(
        generator,
        discriminator,
        *prior(ctx),
        pixels or pixel_range(generator if teacher is None else teacher),
        teacher,
        distill,
        lessons,
        1.0 if lessons is None else ctx.recipe.student.adversarial,
    )
    data = ctx.dataset
    return GANTrainer(players, data.train, data.train_labels, settings, ctx.recipe.seed)


def fine_tuning(ctx: StageContext, steps: int, rate: float, ema: float) -> TrainSettings:
    """The rules of the training, for a shorter and calmer game.

    Penalties on the generator's weights and their dropping belong to the dense training only.
    """
    train = ctx.recipe.train
    return replace(
        train,
        steps=steps,
        generator_rate=rate,
        discriminator_rate=rate,
        final_rate=0.1,
        ema=ema,
        generator_weights=type(train.generator_weights)(),
        check_every=min(train.check_every, max(1, steps // 8)),
    )


def student_game(ctx: StageContext, steps: int, rate: float, ema: float) -> TrainSettings:
    """The rules of a student's game: its discriminator learns slower, and R1 smooths it more.

    Otherwise it outgrows the small generator, and what it says teaches less (docs/decisions.md).
    """
    student = ctx.recipe.student
    rules = fine_tuning(ctx, steps, rate, ema)
    return replace(rules, discriminator_rate=student.discriminator_rate, r1=student.r1)
