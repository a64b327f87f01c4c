"""The adversarial training of a run: its trainer, and the settings of shorter trainings."""

from dataclasses import replace

import tf_keras

from pipeline.artifacts import training_log
from pipeline.networks.pixels import TRANSLATED, PixelRange, pixel_range
from pipeline.networks.registry import (
    build_discriminator,
    build_generator,
    build_patch_discriminator,
    build_translator,
)
from pipeline.stage import StageContext
from pipeline.stages.inputs import (
    image_shape,
    pairs_of,
    prior,
    translator_shape,
)
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.history import TrainingHistory
from pipeline.training.objectives.generation import Generation
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.settings import TrainSettings, TranslationWeights
from pipeline.training.trainer import GANTrainer

ADVERSARIAL = ("data", "generator", "discriminator", "train", "translation")
"""The sections of the recipe that every adversarial training reads."""


def build_networks(ctx: StageContext) -> tuple[tf_keras.Model, tf_keras.Model]:
    """Generator and discriminator of the recipe, untrained: of latents, or of pictures in pairs."""
    recipe, shape = ctx.recipe, translator_shape(ctx)
    if shape is not None:
        return (
            build_translator(recipe.generator, shape),
            build_patch_discriminator(recipe.discriminator, shape),
        )
    image = image_shape(ctx)
    return build_generator(recipe.generator, image), build_discriminator(
        recipe.discriminator, image
    )


def trainer(
    ctx: StageContext,
    generator: tf_keras.Model,
    *,
    discriminator: tf_keras.Model,
    settings: TrainSettings,
    teacher: tf_keras.Model | DistillationSet | None = None,
    distill: float = 0.0,
    pixels: PixelRange | None = None,
) -> GANTrainer:
    """The adversarial training of this run, on the train split.

    ``teacher``: a generator, or stored pictures of one (see Generation). ``pixels``: black and
    white in the generator's pictures, where its last layer, or the teacher's, does not say.
    """
    pairs, fixed = (pairs_of(ctx, test=test) for test in (False, True))
    if pairs is not None and fixed is not None:
        return translator_trainer(
            ctx,
            generator,
            discriminator=discriminator,
            pairs=pairs,
            fixed=fixed,
            pixels=TRANSLATED,
            weights=ctx.recipe.translation,
            settings=settings,
            teacher=teacher,
            distill=distill,
        )
    stored = isinstance(teacher, DistillationSet)
    latent, classes = prior(ctx)
    objective = Generation(
        generator,
        discriminator,
        pictures=ctx.dataset.train,
        labels=ctx.dataset.train_labels,
        latent=latent,
        classes=classes,
        pixels=pixels or pixel_range(generator if stored or teacher is None else teacher),
        settings=settings,
        seed=ctx.recipe.seed,
        teacher=teacher,
        distill=distill,
        adversarial=ctx.recipe.student.adversarial if stored else 1.0,
    )
    return GANTrainer(objective, ctx.recipe.seed)


def translator_trainer(
    ctx: StageContext,
    generator: tf_keras.Model,
    *,
    discriminator: tf_keras.Model | None,
    pairs: DistillationSet,
    fixed: DistillationSet,
    pixels: PixelRange,
    weights: TranslationWeights,
    settings: TrainSettings,
    teacher: tf_keras.Model | None = None,
    distill: float = 0.0,
) -> GANTrainer:
    """The training of a generator of pictures from pictures, see PairedTranslation."""
    objective = PairedTranslation(
        generator,
        discriminator,
        pairs=pairs,
        fixed=fixed,
        pixels=pixels,
        weights=weights,
        settings=settings,
        seed=ctx.recipe.seed,
        teacher=teacher,
        distill=distill,
    )
    return GANTrainer(objective, ctx.recipe.seed)


def fine_tuning(ctx: StageContext, steps: int, rate: float, ema: float) -> TrainSettings:
    """The settings of the dense training, for a shorter one with smaller steps.

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


def student_training(ctx: StageContext, steps: int, rate: float, ema: float) -> TrainSettings:
    """Settings of a student's training: its discriminator learns slower, R1 smooths it more.

    Otherwise it outgrows the small generator, and what it says teaches less (docs/decisions.md).
    """
    student = ctx.recipe.student
    settings = fine_tuning(ctx, steps, rate, ema)
    return replace(settings, discriminator_rate=student.discriminator_rate, r1=student.r1)


def train_and_log(
    ctx: StageContext,
    trainer: GANTrainer,
    *,
    description: str,
    name: str = "",
    variant: str = "",
) -> TrainingHistory:
    """Train to the end, or on from a killed run's checkpoint; write history and film.

    ``name`` tells trainings of one stage apart, ``variant`` those that are kept side by side.
    """
    label = variant or ctx.stage.name
    log = training_log(ctx.folder, label, variant=variant, caption=trainer.objective.caption)
    history = trainer.train(ctx.scratch / f"{label}{name}.npz", description, log.write)
    trainer.recalibrate()
    log.close(history)
    return history
