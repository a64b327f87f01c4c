"""Grow zeros in the trained generator while the training against its discriminator goes on."""

from dataclasses import replace

import tf_keras

from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity
from pipeline.determinism import prepare
from pipeline.recipe.sections import PruneSettings
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training


def _check_layers(ctx: StageContext) -> None:
    """PocketganError for a layer of the recipe that the generator does not have."""
    _sparsity(training.build_networks(ctx).generator, ctx.recipe.prune)


def _sparsity(generator: tf_keras.Model, settings: PruneSettings) -> dict[str, float]:
    return layer_sparsity(
        generator,
        settings.sparsity,
        first=settings.first_layer,
        last=settings.last_layer,
        single=settings.layers,
    )


@stage(
    "prune",
    needs=("train",),
    settings=(*training.ADVERSARIAL, "prune"),
    reads_pictures=True,
    check=_check_layers,
)
def prune(ctx: StageContext) -> Outcome:
    """Write the pruned generator, the discriminator that went on with it, history and film."""
    recipe, settings = ctx.recipe, ctx.recipe.prune
    prepare(recipe.seed)
    networks = training.TrainedNetworks.load(ctx, "train")
    dense = networks.generator
    shares = _sparsity(dense, settings)
    calls = round(settings.ramp * settings.steps) * recipe.train.critic_steps
    pruning = Pruning(dense, shares, calls, settings.every)
    fine_tuning = training.fine_tuning(ctx, settings.steps, settings.rate, recipe.train.ema)
    trainer = training.trainer(
        ctx,
        replace(networks, generator=pruning.model),
        settings=fine_tuning,
        teacher=dense,
        distill=settings.distill,
    )
    history = training.train_and_log(ctx, trainer, description="prune")
    pruned = pruning.stripped()
    replace(networks, generator=pruned).save(ctx.folder)
    return Outcome({"zeros": round(kernel_sparsity(pruned), 6), "shares": shares}, history.events)
