"""Train the dense GAN: the teacher of everything that follows."""

from functools import partial

from pipeline.determinism import prepare
from pipeline.networks.pixels import TRANSLATED
from pipeline.search.candidates import decibels
from pipeline.search.scorers import pixel_scorer
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.inputs import pairs_of
from pipeline.stages.prospects import COMPARED_ON_THE_WAY, Prospects
from pipeline.training.losses import AdversarialLoss


def _check_loss(ctx: StageContext) -> None:
    """PocketganError for a loss or an augmentation that does not exist."""
    AdversarialLoss(ctx.recipe.train)


@stage("train", settings=training.ADVERSARIAL, reads_pictures=True, check=_check_loss)
def train(ctx: StageContext) -> Outcome:
    """Train by the recipe's rules; write both networks, the history and the film."""
    recipe = ctx.recipe
    training.refuse_more_than_memory(ctx)
    prepare(recipe.seed)
    networks = training.build_networks(ctx)
    trainer = training.trainer(ctx, networks, settings=recipe.train)
    history = training.train_and_log(
        ctx, trainer, description="train", prospects=_prospects(ctx, networks)
    )
    networks.save(ctx.folder)
    return Outcome(
        {
            "generator_parameters": networks.generator.count_params(),
            "discriminator_parameters": networks.discriminator.count_params(),
            "steps": recipe.train.steps,
            "diversity": round(history.rows[-1].diversity, 4),
            **trainer.objective.figures(),
        },
        history.events,
    )


def _prospects(ctx: StageContext, networks: training.TrainedNetworks) -> Prospects | None:
    """How the training is rated where the truth is known: by its distance, on test pictures."""
    pairs = pairs_of(ctx, test=True)
    if pairs is None or networks.inverse is not None:
        return None
    return Prospects(
        what="game",
        rate=partial(
            pixel_scorer(pairs.first(COMPARED_ON_THE_WAY)), networks.generator, TRANSLATED
        ),
        text=lambda score: f"{decibels(score):.1f} dB to the truth",
        more=f"--train.steps {2 * ctx.recipe.train.steps}",
    )
