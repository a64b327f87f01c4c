"""Grow zeros in the trained generator while the game with its discriminator goes on."""

from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity
from pipeline.determinism import prepare
from pipeline.run import Outcome, StageContext
from pipeline.stages import networks
from pipeline.training.log import TrainingLog


def prune(ctx: StageContext) -> Outcome:
    """Write the pruned generator, the discriminator that went on with it, history and film."""
    recipe, settings = ctx.recipe, ctx.recipe.prune
    prepare(recipe.seed)
    dense = networks.load(ctx.inputs["train"] / networks.GENERATOR)
    discriminator = networks.load(ctx.inputs["train"] / networks.DISCRIMINATOR)
    shares = layer_sparsity(
        dense,
        settings.sparsity,
        first=settings.first_layer,
        last=settings.last_layer,
        single=settings.layers,
    )
    calls = round(settings.ramp * settings.steps) * recipe.train.critic_steps
    pruning = Pruning(dense, shares, calls, settings.every)
    rules = networks.fine_tuning(ctx, settings.steps, settings.rate, recipe.train.ema)
    game = networks.game(ctx, pruning.model, discriminator, rules, dense, settings.distill)
    log = TrainingLog(ctx.folder, "prune")
    story = game.play(ctx.scratch / "game.npz", "prune", log.write)
    game.recalibrate()
    pruned = pruning.stripped()
    pruned.save(ctx.folder / networks.GENERATOR)
    discriminator.save(ctx.folder / networks.DISCRIMINATOR)
    log.close(story)
    return Outcome({"zeros": round(kernel_sparsity(pruned), 6), "shares": shares}, story.events)
