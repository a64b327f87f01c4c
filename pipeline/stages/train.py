"""Train the dense GAN: the teacher of everything that follows."""

from pipeline.compression import bits, prune
from pipeline.determinism import prepare
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.run import Outcome, StageContext
from pipeline.stages import networks
from pipeline.training.log import TrainingLog


def train(ctx: StageContext) -> Outcome:
    """Play the game of the recipe; write both networks, the history and the film."""
    recipe = ctx.recipe
    prepare(recipe.seed)
    image = networks.image_shape(ctx)
    generator = build_generator(recipe.generator, image)
    # Better told now than after the training.
    prune.check_layers(generator, recipe.prune.layers)
    bits.check_layers(generator, recipe.quantize.layers)
    discriminator = build_discriminator(recipe.discriminator, image)
    game = networks.game(ctx, generator, discriminator, recipe.train)
    log = TrainingLog(ctx.folder, "train")
    story = game.play(ctx.scratch / "game.npz", "train", log.write)
    game.recalibrate()
    generator.save(ctx.folder / networks.GENERATOR)
    discriminator.save(ctx.folder / networks.DISCRIMINATOR)
    log.close(story)
    return Outcome(
        {
            "generator_parameters": generator.count_params(),
            "discriminator_parameters": discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(story.history[-1].diversity, 4),
        },
        story.events,
    )
