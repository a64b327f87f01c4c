"""Grow zeros in the trained generator while the game with its discriminator goes on."""

from pipeline.compression.prune import Pruning, layer_shares, zeros
from pipeline.determinism import prepare
from pipeline.run import Outcome, Workbench
from pipeline.stages import networks
from pipeline.stages.diary import Diary


def prune(bench: Workbench) -> Outcome:
    """Write the pruned generator, the discriminator that went on with it, history and film."""
    recipe, settings = bench.recipe, bench.recipe.prune
    prepare(recipe.seed)
    dense = networks.load(bench.inputs["train"] / networks.GENERATOR)
    discriminator = networks.load(bench.inputs["train"] / networks.DISCRIMINATOR)
    shares = layer_shares(
        dense, settings.sparsity, settings.first_layer, settings.last_layer, settings.layers
    )
    calls = round(settings.ramp * settings.steps) * recipe.train.critic_steps
    pruning = Pruning(dense, shares, calls, settings.every)
    rules = networks.fine_tuning(bench, settings.steps, settings.rate, recipe.train.ema)
    game = networks.game(bench, pruning.model, discriminator, rules, dense, settings.distill)
    diary = Diary(bench.folder, "prune")
    story = game.play(bench.scratch / "game.npz", "prune", diary.write)
    game.recalibrate()
    pruned = pruning.stripped()
    pruned.save(bench.folder / networks.GENERATOR)
    discriminator.save(bench.folder / networks.DISCRIMINATOR)
    diary.close(story)
    return Outcome({"zeros": round(zeros(pruned), 6), "shares": shares}, story.events)
