"""What the generator of a run reads: latents of its prior, or pictures."""

import numpy as np

from deploy.errors import PocketganError
from pipeline.artifacts import HELD_BACK, PAIRS, read_distillation_set
from pipeline.networks.settings import ImageShape
from pipeline.stage import StageContext
from pipeline.training.randomness import Purpose, latents


def generator_inputs(ctx: StageContext, purpose: Purpose, count: int) -> np.ndarray:
    """What the generator of this run reads, float32 [count, …]: latents of its prior, or pictures.

    Pictures come in turn: for calibration those that a teacher drew for its student, else those
    that are held back.
    """
    if "teacher" not in ctx.stage.needs or ctx.recipe.teacher.inputs is None:
        latent, classes = prior(ctx)
        return latents(ctx.recipe.seed, purpose, count=count, latent=latent, classes=classes)
    file = PAIRS if purpose is Purpose.CALIBRATION else HELD_BACK
    pictures = read_distillation_set(ctx.inputs["teacher"] / file).inputs
    return np.resize(pictures, (count, *pictures.shape[1:]))


def prior(ctx: StageContext) -> tuple[int, int]:
    """How latents are drawn in this run: their length and the number of classes."""
    return ctx.recipe.generator.latent, class_count(ctx)


def class_count(ctx: StageContext) -> int:
    """Classes that the generator can be asked for: 0 for an unconditional GAN."""
    if not ctx.recipe.generator.conditional:
        return 0
    if not ctx.dataset.classes:
        raise PocketganError(
            f"generator.conditional: the pictures of '{ctx.dataset.name}' have no classes.",
            "Put each class in a sub-folder of its own, or set generator.conditional to false.",
        )
    return len(ctx.dataset.classes)


def image_shape(ctx: StageContext) -> ImageShape:
    """What generator and discriminator agree on."""
    data = ctx.recipe.data
    return ImageShape(data.image_size, data.channels, class_count(ctx))


def whole_batches(ctx: StageContext, count: int) -> int:
    """``count``, or the next number above it that fills the batches of this run's files."""
    batch = int(ctx.recipe.convert.batch)
    return -(-count // batch) * batch
