"""What the stages hand to each other: networks in files, and the game around them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.fake_quantization import quantize_scope
from pipeline.data.drawn import HELD, LESSONS, read_lessons
from pipeline.importers.generator import Teacher
from pipeline.importers.store import read_saved_teacher
from pipeline.networks.pixels import PixelRange, pixel_range
from pipeline.networks.settings import ImageShape
from pipeline.run import StageContext
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.randomness import Purpose, latents
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer, Players

GENERATOR = "generator.keras"
DISCRIMINATOR = "discriminator.keras"


def classes(ctx: StageContext) -> int:
    """Classes that the generator is told: 0 for an unconditional GAN."""
    if not ctx.recipe.generator.conditional:
        return 0
    if not ctx.dataset.classes:
        raise PocketganError(
            f"generator.conditional: the pictures of '{ctx.dataset.name}' have no classes.",
            "Put each class in a sub-folder of its own, or set generator.conditional to false.",
        )
    return len(ctx.dataset.classes)


def image_shape(ctx: StageContext) -> ImageShape:
    """What both networks agree on."""
    data = ctx.recipe.data
    return ImageShape(data.image_size, data.channels, classes(ctx))


def load(path: Path) -> tf_keras.Model:
    """A network from a .keras file; PocketganError where it is missing or broken."""
    try:
        with quantize_scope():
            return tf_keras.models.load_model(path, compile=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PocketganError(
            f"{path} is no network that can be read: {' '.join(str(error).split())[:200]}",
            "Run the stage that writes it again.",
        ) from error


def teacher(ctx: StageContext) -> Teacher:
    """The dense generator that everything is compared with: trained in this run, or given."""
    if "teacher" in ctx.inputs:
        return read_saved_teacher(ctx.inputs["teacher"])
    model = load(ctx.inputs["train"] / GENERATOR)
    return Teacher(model, *prior(ctx), pixel_range(model), None, "stage train")


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


def whole_batches(ctx: StageContext, count: int) -> int:
    """``count``, or the next number above it that fills the batches of this run's files."""
    batch = int(ctx.recipe.convert.batch)
    return -(-count // batch) * batch


def inputs(ctx: StageContext, purpose: Purpose, count: int) -> np.ndarray:
    """What the generator reads, float32 [count, …]: latents of the run's prior, or pictures.

    Pictures come in turn: for calibration those of the lessons, else those that are held back.
    """
    if ctx.recipe.teacher.inputs is None:
        return latents(ctx.recipe.seed, purpose, count, *prior(ctx))
    kept = LESSONS if purpose is Purpose.CALIBRATION else HELD
    pictures = read_lessons(ctx.run.path("teacher") / kept).inputs
    return np.resize(pictures, (count, *pictures.shape[1:]))


def prior(ctx: StageContext) -> tuple[int, int]:
    """How latents are drawn in this run: their length and the number of classes."""
    return ctx.recipe.generator.latent, classes(ctx)
