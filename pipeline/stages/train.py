"""Train the dense GAN: the teacher of everything that follows."""

from pipeline.artifacts import DISCRIMINATOR, GENERATOR
from pipeline.determinism import prepare
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training


@stage("train", settings=training.ADVERSARIAL, reads_pictures=True)
def train(ctx: StageContext) -> Outcome:
    """Train by the recipe's rules; write both networks, the history and the film."""
    recipe = ctx.recipe
    prepare(recipe.seed)
    generator, discriminator = training.build_networks(ctx)
    trainer = training.trainer(ctx, generator, discriminator=discriminator, settings=recipe.train)
    history = training.train_and_log(ctx, trainer, description="train")
    generator.save(ctx.folder / GENERATOR)
    discriminator.save(ctx.folder / DISCRIMINATOR)
    return Outcome(
        {
            "generator_parameters": generator.count_params(),
            "discriminator_parameters": discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(history.rows[-1].diversity, 4),
        },
        history.events,
    )
