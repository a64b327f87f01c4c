"""Train the dense GAN: the teacher of everything that follows."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from deploy.errors import PocketganError
from pipeline.data.sources import SOURCES
from pipeline.determinism import prepare
from pipeline.networks.pixels import TRANSLATED
from pipeline.networks.progressive import level_count
from pipeline.networks.settings import PROJECTED
from pipeline.recipe.plain import leaves
from pipeline.recipe.sections import Recipe
from pipeline.search.candidates import decibels
from pipeline.search.scorers import pixel_scorer
from pipeline.stage import Outcome, StageContext, stage
from pipeline.stages import training
from pipeline.stages.inputs import pairs_of
from pipeline.stages.prospects import COMPARED_ON_THE_WAY, Prospects
from pipeline.training.losses import SMOOTHED, AdversarialLoss
from pipeline.training.objectives.growing import schedule

OF_LATENTS = (
    *("generator.codes", "generator.conditional"),
    *("train.feature_matching", "discriminator.minibatch_deviation"),
)
OF_PAIRS = tuple(
    f"translation.{name}" for name in ("feature_matching", "perceptual", "shift", "l2")
)
ACROSS_DOMAINS = {
    "mirror": "exchange the two domains",
    "shift": "push pixels over the seam of the two domains",
}
OF_DOMAINS = ("translation.cycle", "translation.identity")


def _check(ctx: StageContext) -> None:
    """PocketganError for a loss or an augmentation that does not exist, and for what would change
    nothing, or mix two domains."""
    AdversarialLoss(ctx.recipe.train)
    _refuse_mixed_domains(ctx.recipe)
    _refuse_unfinished_growth(ctx.recipe)
    if _is_unpaired(ctx.recipe) and not ctx.recipe.translation.adversarial:
        raise PocketganError(
            "translation.adversarial: without pairs nothing but a discriminator says what is to be "
            "drawn.",
            "Leave it out, or give a number above 0.",
        )
    for kind, foreign in _foreign_settings(ctx.recipe):
        for key, value in leaves(ctx.declared_settings()):
            if value and key.startswith(foreign):
                raise PocketganError(
                    f"{key}: {value} would change nothing in a training {kind}.",
                    f"Leave it out, or set it to {'false' if value is True else 0}.",
                )


def _refuse_mixed_domains(recipe: Recipe) -> None:
    """PocketganError for an augmentation that carries pixels from one domain into the other."""
    names = recipe.train.augment if recipe.data.coupled else []
    for name in names:
        if name in ACROSS_DOMAINS:
            others = ", ".join(other for other in names if other not in ACROSS_DOMAINS)
            raise PocketganError(
                f"train.augment: {name} would {ACROSS_DOMAINS[name]} that stand side by side.",
                f"Set train.augment to [{others}].",
            )


def _refuse_unfinished_growth(recipe: Recipe) -> None:
    """PocketganError where pictures would not have come to their own size, faded in, at the end."""
    train = recipe.train
    if not train.growth:
        return
    levels = level_count(recipe.data.shape)
    if schedule(levels, train).is_finished_by(train.steps):
        return
    shares = (hundredth / 100 for hundredth in range(99, 0, -1))
    finishing = (
        share
        for share in shares
        if schedule(levels, replace(train, growth=share)).is_finished_by(train.steps)
    )
    share = next(finishing, None)
    raise PocketganError(
        f"train.growth: {train.growth:g} of {train.steps:,} steps is too much: pictures would not "
        "have their own size, faded in, when the training ends.",
        f"Give train.growth {share} or less." if share else "Set train.growth to 0.",
    )


def _is_unpaired(recipe: Recipe) -> bool:
    return SOURCES[recipe.data.source].unpaired and not recipe.data.degrade


def _foreign_settings(recipe: Recipe) -> Iterator[tuple[str, tuple[str, ...]]]:
    """How a training is, and how the keys begin of settings that only others read."""
    data = recipe.data
    if not data.translated:
        yield "of a generator that reads latents", ("translation.",)
    elif _is_unpaired(recipe):
        yield "without pairs", (*OF_LATENTS, *OF_PAIRS)
    else:
        yield "with pairs", (*OF_LATENTS, *OF_DOMAINS)
    if not recipe.generator.codes:
        yield "without codes", ("train.information",)
    if recipe.discriminator.name == PROJECTED:
        yield "by the projected discriminator", ("discriminator.minibatch_deviation",)
    if recipe.train.loss not in SMOOTHED:
        yield f"by the loss {recipe.train.loss}", ("train.label_smoothing",)


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
    judge = networks.discriminator
    return Outcome(
        {
            "generator_parameters": networks.generator.count_params(),
            **({} if judge is None else {"discriminator_parameters": judge.count_params()}),
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
