"""Train the dense GAN: the teacher of everything that follows."""

from pipeline.artifacts import DISCRIMINATOR, GENERATOR
from pipeline.determinism import prepare
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import networks
from pipeline.stages.inputs import image_shape
from pipeline.training.log import TrainingLog


@stage("train", settings=networks.ADVERSARIAL, reads_pictures=True)
def train(ctx: StageContext) -> Outcome:
    """Train by the recipe's rules; write both networks, the history and the film."""
    recipe = ctx.recipe
    prepare(recipe.seed)
    image = image_shape(ctx)
    generator = build_generator(recipe.generator, image)
    discriminator = build_discriminator(recipe.discriminator, image)
    trainer = networks.trainer(ctx, generator, discriminator=discriminator, settings=recipe.train)
    log = TrainingLog(ctx.folder, "train")
    history = trainer.train(ctx.scratch / "game.npz", "train", log.write)
    trainer.recalibrate()
    generator.save(ctx.folder / GENERATOR)
    discriminator.save(ctx.folder / DISCRIMINATOR)
    log.close(history)
    return Outcome(
        {
            "generator_parameters": generator.count_params(),
            "discriminator_parameters": discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(history.rows[-1].diversity, 4),
        },
        history.events,
    )
