"""Train the dense GAN: the teacher of everything that follows."""

from functools import partial

from deploy.errors import PocketganError
from pipeline.data.sources import SOURCES
from pipeline.determinism import prepare
from pipeline.networks.pixels import TRANSLATED
from pipeline.networks.settings import PROJECTED
from pipeline.recipe.plain import leaves
from pipeline.recipe.sections import Recipe
from pipeline.search.candidates import decibels
from pipeline.search.scorers import pixel_scorer
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.inputs import pairs_of
from pipeline.stages.prospects import COMPARED_ON_THE_WAY, Prospects
from pipeline.training.losses import AdversarialLoss

OF_LATENTS = (
    *("generator.codes", "generator.conditional"),
    *("train.feature_matching", "discriminator.minibatch_deviation"),
)
OF_PAIRS = tuple(f"translation.{name}" for name in ("feature_matching", "perceptual", "shift"))
OF_DOMAINS = ("translation.cycle", "translation.identity")


def _check(ctx: StageContext) -> None:
    """PocketganError for a loss or an augmentation that does not exist, and for what would change
    nothing."""
    AdversarialLoss(ctx.recipe.train)
    kind, foreign = _foreign_settings(ctx.recipe)
    for key, value in leaves(ctx.declared_settings()):
        if value and key.startswith(foreign):
            raise PocketganError(
                f"{key}: {value} would change nothing in {kind}.",
                f"Leave it out, or set it to {'false' if value is True else 0}.",
            )


def _foreign_settings(recipe: Recipe) -> tuple[str, tuple[str, ...]]:
    """What is trained, and how the keys begin of settings that only another training reads."""
    data = recipe.data
    if not data.translated:
        names = ("discriminator.minibatch_deviation",)
        blind = names if recipe.discriminator.name == PROJECTED else ()
        return "a training of a generator that reads latents", ("translation.", *blind)
    if SOURCES[data.source].unpaired and not data.degrade:
        return "a training without pairs", (*OF_LATENTS, *OF_PAIRS)
    return "a training with pairs", (*OF_LATENTS, *OF_DOMAINS)


@stage("train", settings=training.ADVERSARIAL, reads_pictures=True, check=_check)
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
