"""What a recipe's types cannot say, and what would be noticed only after a long training."""

import math
from collections.abc import Iterator
from pathlib import Path

from deploy.errors import one_of
from pipeline.data.reading import CUTS
from pipeline.data.sources import SOURCES, mistakes
from pipeline.networks.settings import COUPLED, GROWING, STYLED
from pipeline.recipe.plain import leaves, plain
from pipeline.recipe.sections import LEAST_BITS, MOST_BITS, Recipe

LEAST_AGENTS = 2
"""Generators of a MAD-GAN."""
MOST_MINUTES = 1_000_000


def mistakes_of(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """A problem and its remedy each."""
    if recipe.data.source not in SOURCES:
        yield (
            f"data.source: there is no source '{recipe.data.source}'.",
            one_of(recipe.data.source, SOURCES),
        )
    else:
        yield from mistakes(recipe.data.source, recipe.data)
    # What is hidden beside the runs is ours: their cache, and what is half written.
    if (
        recipe.name != Path(recipe.name).name
        or recipe.name.startswith(".")
        or not recipe.name
        or "\0" in recipe.name
    ):
        yield (
            f"name: {recipe.name!r} cannot be the name of a folder.",
            "Use letters, digits, '-' and '_'.",
        )
    for key, layers, least, most in (
        ("prune.layers", recipe.prune.layers, 0, 1),
        ("quantize.layers", recipe.quantize.layers, LEAST_BITS, MOST_BITS),
    ):
        for layer, value in layers.items():
            if not least <= value <= most:
                yield f"{key}.{layer}: {value} cannot be.", f"Give a number from {least} to {most}."
    if recipe.teacher.cut not in ("auto", *CUTS):
        yield (
            f"teacher.cut: '{recipe.teacher.cut}' is not known.",
            one_of(recipe.teacher.cut, ("auto", *CUTS)),
        )
    for key, value in leaves(plain(recipe)):
        numbers = value if isinstance(value, list) else [value]
        if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
            yield f"{key}: {value} is not finite.", "Leave it out, or give a finite number."
    if "://" in (recipe.search.study or ""):
        yield (
            "search.study: a database's address has no place in a recipe: it may hold a password.",
            "Give a file, or the command --storage ADDRESS (docs/distributed.md).",
        )
    yield from _mistaken_minutes(recipe.budget.minutes)
    yield from _mistaken_codes(recipe)
    yield from _mistaken_families(recipe)
    if not recipe.benchmark.threads:
        yield "benchmark.threads is empty.", "Give at least one number of threads, as [1]."


def _mistaken_minutes(minutes: float | None) -> Iterator[tuple[str, str]]:
    if minutes is not None and minutes > MOST_MINUTES:
        yield (
            f"budget.minutes: {minutes:g} is more than two years.",
            f"Give {MOST_MINUTES} at most.",
        )


def _mistaken_families(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Settings that only one family of networks understands."""
    generator, names = recipe.generator, {recipe.generator.name, recipe.discriminator.name}
    if generator.truncation != 1 and generator.name != STYLED:
        yield (
            f"generator.truncation: '{generator.name}' has no styles that could be truncated.",
            f"Leave it at 1, or set generator.name to {STYLED}.",
        )
    if not recipe.train.growth or recipe.teacher.file is not None:
        return
    if names != {GROWING}:
        yield (
            f"train.growth: {' and '.join(sorted(names))} cannot grow.",
            f"Leave it at 0, or set generator.name and discriminator.name to {GROWING}.",
        )
    for key, value in {
        "generator.codes": recipe.generator.codes,
        "train.feature_matching": recipe.train.feature_matching,
    }.items():
        if value:
            yield f"train.growth: {key} needs pictures that have their size.", f"Leave out {key}."


def _mistaken_codes(recipe: Recipe) -> Iterator[tuple[str, str]]:
    codes, latent = recipe.generator.codes, recipe.generator.latent
    if codes.continuous > latent:
        yield (
            f"generator.codes.continuous: of {latent} numbers {codes.continuous} cannot be codes.",
            f"Give at most {latent}, or a larger generator.latent.",
        )
    if codes and recipe.discriminator.name == COUPLED:
        yield (
            f"generator.codes: '{COUPLED}' judges each half of a picture alone, and cannot read "
            "codes off the whole.",
            "Leave generator.codes out, or choose another discriminator.name, such as dcgan.",
        )
    if recipe.train.multi_agent and (codes.discrete < LEAST_AGENTS or codes.continuous):
        yield (
            "train.multi_agent: MAD-GAN's generators are the values of the discrete code.",
            f"Set generator.codes.discrete to {LEAST_AGENTS} or more, generator.codes.continuous "
            "to 0.",
        )
    # Of a teacher's latents nobody but the teacher knows which of both their one-hot end is.
    both = recipe.generator.conditional and codes.discrete
    if both and recipe.teacher.file is None:
        yield (
            "generator.codes.discrete: the latent vector ends with the class already.",
            "Set generator.conditional to false, or use generator.codes.continuous.",
        )
