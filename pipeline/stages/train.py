"""Train the dense GAN: the teacher of everything that follows."""

from pipeline.compression import bits, prune
from pipeline.determinism import prepare
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.run import Outcome, Workbench
from pipeline.stages import networks
from pipeline.stages.diary import Diary


def train(bench: Workbench) -> Outcome:
    """Play the game of the recipe; write both networks, the history and the film."""
    recipe = bench.recipe
    prepare(recipe.seed)
    image = networks.image_shape(bench)
    generator = build_generator(recipe.generator, image)
    # Better told now than after the training.
    prune.check_layers(generator, recipe.prune.layers)
    bits.check_layers(generator, recipe.quantize.layers)
    discriminator = build_discriminator(recipe.discriminator, image)
    game = networks.game(bench, generator, discriminator, recipe.train)
    diary = Diary(bench.folder, "train")
    story = game.play(bench.scratch / "game.npz", "train", diary.write)
    game.recalibrate()
    generator.save(bench.folder / networks.GENERATOR)
    discriminator.save(bench.folder / networks.DISCRIMINATOR)
    diary.close(story)
    return Outcome(
        {
            "generator_parameters": generator.count_params(),
            "discriminator_parameters": discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(story.history[-1].diversity, 4),
        },
        story.events,
    )
