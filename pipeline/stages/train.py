"""Train the dense GAN: the teacher of everything that follows."""

from pipeline.determinism import prepare
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training


@stage("train", settings=training.ADVERSARIAL, reads_pictures=True)
def train(ctx: StageContext) -> Outcome:
    """Train by the recipe's rules; write both networks, the history and the film."""
    recipe = ctx.recipe
    prepare(recipe.seed)
    networks = training.build_networks(ctx)
    trainer = training.trainer(ctx, networks, settings=recipe.train)
    history = training.train_and_log(ctx, trainer, description="train")
    networks.save(ctx.folder)
    return Outcome(
        {
            "generator_parameters": networks.generator.count_params(),
            "discriminator_parameters": networks.discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(history.rows[-1].diversity, 4),
        },
        history.events,
    )
