"""The adversarial training of a run: its trainer, and the settings of shorter trainings."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from deploy.machine import usable_memory
from pipeline.artifacts import NETWORK_FILES, load_network, training_log
from pipeline.networks.codes import has_code_head, set_apart, with_code_head
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
from pipeline.stages.prospects import Prospects, train_and_look_ahead
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.history import TrainingHistory
from pipeline.training.memory import picture_bytes, weight_bytes
from pipeline.training.objective import Objective
from pipeline.training.objectives.generation import Generation
from pipeline.training.objectives.growing import Growing
from pipeline.training.objectives.infogan import InfoGAN
from pipeline.training.objectives.madgan import MADGAN
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.objectives.unpaired import UnpairedTranslation
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer

ADVERSARIAL = ("data", "generator", "discriminator", "train", "translation")
"""The sections of the recipe that every adversarial training reads."""
SMALLEST_BATCH = 8
"""With fewer pictures a step says little."""


@dataclass(frozen=True, kw_only=True)
class TrainedNetworks:
    """What is trained: a generator and its discriminator; of two domains also the way back."""

    generator: tf_keras.Model
    discriminator: tf_keras.Model | None
    """None where no loss asks it."""
    inverse: tf_keras.Model | None = None
    inverse_discriminator: tf_keras.Model | None = None

    def save(self, folder: Path) -> None:
        """Write each into its file."""
        for field, name in NETWORK_FILES.items():
            network = getattr(self, field)
            if network is not None:
                network.save(folder / name)

    @classmethod
    def load(cls, ctx: StageContext, stage: str) -> "TrainedNetworks":
        """What ``save`` wrote in a stage; PocketganError where it is missing or broken."""
        folder = ctx.inputs[stage]
        files = {field: folder / name for field, name in NETWORK_FILES.items()}
        needed = ("generator", "discriminator") if asks_discriminator(ctx) else ("generator",)
        networks = {
            field: load_network(file)
            for field, file in files.items()
            if field in needed or file.exists()
        }
        return cls(**{"discriminator": None, **networks})


def asks_discriminator(ctx: StageContext) -> bool:
    """Whether a loss of the recipe does: a translator of pairs may learn from differences alone."""
    weights = ctx.recipe.translation
    from_pairs = pairs_of(ctx) is not None and ctx.dataset.aligned
    return not from_pairs or bool(weights.adversarial or weights.feature_matching)


def build_networks(ctx: StageContext) -> TrainedNetworks:
    """The recipe's networks, untrained: for latents, for pictures in pairs, or for two domains."""
    recipe, shape = ctx.recipe, translator_shape(ctx)
    if shape is None:
        generator = build_generator(recipe.generator, image_shape(ctx))
        if recipe.train.multi_agent:
            set_apart(generator, recipe.generator.codes.discrete)
        return TrainedNetworks(
            generator=generator,
            discriminator=build_latent_discriminator(ctx),
        )
    generator = build_translator(recipe.generator, shape)
    if ctx.dataset.aligned:
        is_asked = asks_discriminator(ctx)
        patches = build_patch_discriminator(recipe.discriminator, shape) if is_asked else None
        return TrainedNetworks(generator=generator, discriminator=patches)
    alone = replace(shape, source=(*shape.source[:2], 0))
    return TrainedNetworks(
        generator=generator,
        discriminator=build_patch_discriminator(recipe.discriminator, alone),
        inverse=build_translator(recipe.generator, shape),
        inverse_discriminator=build_patch_discriminator(recipe.discriminator, alone),
    )


def refuse_more_than_memory(ctx: StageContext) -> None:
    """PocketganError for networks and batches that this machine's memory cannot hold in training.

    The networks are laid out for that, not filled.
    """
    memory = usable_memory()
    if memory is None:
        return
    with tf.Graph().as_default():
        networks = [
            network for network in vars(build_networks(ctx)).values() if network is not None
        ]
        weights, picture = weight_bytes(networks), picture_bytes(networks)
    recipe = ctx.recipe
    need = weights + recipe.train.batch * picture
    if need <= memory:
        return
    batch = (memory - weights) // picture
    smaller = f"data.image_size to {recipe.data.image_size // 2}"
    raise PocketganError(
        f"training needs {need / 1e9:.1f} GB of memory, and this machine has {memory / 1e9:.1f} GB:"
        f" {weights / 1e9:.1f} GB for weights, {recipe.train.batch} times {picture / 1e6:,.0f} MB "
        "for the pictures of a batch.",
        f"Set train.batch to {batch} or less, or {smaller}."
        if batch >= SMALLEST_BATCH
        else f"Set {smaller}, or choose a network that grows less with the size.",
    )


def build_latent_discriminator(ctx: StageContext) -> tf_keras.Model:
    """The recipe's discriminator for a generator of latents, untrained.

    It is told the class, but not a code: that it has to read off the picture.
    """
    codes, image = ctx.recipe.generator.codes, image_shape(ctx)
    if codes.discrete:
        image = replace(image, classes=0)
    return with_code_head(build_discriminator(ctx.recipe.discriminator, image), codes)


def trainer(
    ctx: StageContext,
    networks: TrainedNetworks,
    *,
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
    if pairs is None or fixed is None:
        objective: Objective = _generation(
            ctx, networks, settings=settings, teacher=teacher, distill=distill, pixels=pixels
        )
    elif networks.inverse is None:
        objective = PairedTranslation(
            networks.generator,
            networks.discriminator,
            pairs=pairs,
            fixed=fixed,
            pixels=TRANSLATED,
            weights=ctx.recipe.translation,
            settings=settings,
            seed=ctx.recipe.seed,
            teacher=teacher,
            distill=distill,
        )
    else:
        objective = UnpairedTranslation(
            [networks.generator, networks.inverse],
            [networks.discriminator, networks.inverse_discriminator],
            inputs=pairs.inputs,
            pictures=ctx.dataset.train,
            fixed=fixed.inputs,
            weights=ctx.recipe.translation,
            settings=settings,
            seed=ctx.recipe.seed,
            teacher=teacher,
            distill=distill,
        )
    return GANTrainer(objective, ctx.recipe.seed)


def _generation(
    ctx: StageContext,
    networks: TrainedNetworks,
    *,
    settings: TrainSettings,
    teacher: tf_keras.Model | DistillationSet | None,
    distill: float,
    pixels: PixelRange | None,
) -> Generation:
    student = ctx.recipe.student if isinstance(teacher, DistillationSet) else None
    own_range = networks.generator if student or teacher is None else teacher
    objective: Any = Generation
    if has_code_head(networks.discriminator):
        codes = ctx.recipe.generator.codes
        family = MADGAN if settings.multi_agent else InfoGAN
        objective = partial(family, codes=codes, information=settings.information)
    if settings.growth:
        objective = Growing
    return objective(  # type: ignore[no-any-return]
        networks.generator,
        networks.discriminator,
        pictures=ctx.dataset.train,
        labels=ctx.dataset.train_labels,
        prior=prior(ctx),
        pixels=pixels or pixel_range(own_range),
        settings=settings,
        seed=ctx.recipe.seed,
        teacher=teacher,
        distill=distill,
        matching=student.matching if student else 0.0,
        adversarial=student.adversarial if student else 1.0,
    )


def fine_tuning(ctx: StageContext, steps: int, rate: float, ema: float) -> TrainSettings:
    """The settings of the dense training, for a shorter one with smaller steps.

    Penalties on the generator's weights and their dropping belong to the dense training only, and
    its pictures have their size by now.
    """
    train = ctx.recipe.train
    return replace(
        train,
        steps=steps,
        generator_rate=rate,
        discriminator_rate=rate,
        final_rate=0.1,
        ema=ema,
        growth=0.0,
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
    prospects: Prospects | None = None,
) -> TrainingHistory:
    """Train to the end, or on from a killed run's checkpoint; write history and film.

    ``name`` tells trainings of one stage apart, ``variant`` those that are kept side by side. What
    ``prospects`` says is the last of the history's events.
    """
    label = variant or ctx.stage.name
    log = training_log(ctx.folder, label, variant=variant, caption=trainer.objective.caption)
    checkpoint = ctx.scratch / f"{label}{name}.npz"
    if prospects is None:
        history = trainer.train(checkpoint, description, log.write)
        trainer.recalibrate()
    else:
        history, sentence = train_and_look_ahead(
            trainer, checkpoint, description=description, on_row=log.write, prospects=prospects
        )
        history = replace(history, events=[*history.events, sentence])
    log.close(history)
    return history
