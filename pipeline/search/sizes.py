"""Sizes of pictures beside the generator's own: only students that can have them are searched."""

from collections.abc import Mapping
from dataclasses import replace

import tf_keras

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.compression.graph import divisor, resized
from pipeline.networks.translators import halvings
from pipeline.recipe.sections import Recipe
from pipeline.search.builder import StudentBuilder
from pipeline.search.space import space_of

Sizes = Mapping[str, tuple[int, int]]
"""Words such as 480x320 → height and width."""


def with_sizes(recipe: Recipe, builder: StudentBuilder) -> Recipe:
    """The recipe, its search narrowed to students that can have every size of ``convert.sizes``.

    Blocks that cannot are left out, which is printed; the others halve no more often than all the
    sizes allow. Raises PocketganError where no block is left, and for a generator of latents.
    """
    sizes, search = recipe.convert.shapes, recipe.search
    if not sizes:
        return recipe
    if builder.teacher.latent:
        raise refusal_of_latents()
    if search.student is not None:
        named = {search.student.block: builder.build(search.student)}
        _refused(named, sizes, "name in search.student one of block residual")
        return recipe
    space = space_of(search, recipe.budget, builder)
    narrowest = {block: builder.build(space.narrowest(block)) for block in space.blocks}
    refused = _refused(narrowest, sizes, "allow block residual in search.blocks")
    for block, words in refused.items():
        progress.console.print(f"search without block {block}: it cannot read {words}")
    fewest = min(map(halvings, sizes.values()))
    return replace(
        recipe,
        search=replace(
            search,
            blocks=[block for block in search.blocks if block not in refused],
            halvings=fewest if fewest < space.halvings else search.halvings,
        ),
    )


def refusal_of_latents() -> PocketganError:
    """What is said of a generator that reads latents: it has but one size."""
    return PocketganError(
        "convert.sizes is for generators that read pictures.", "Leave it out of the recipe."
    )


def _refused(
    students: Mapping[str, tf_keras.Model], sizes: Sizes, alternative: str
) -> dict[str, str]:
    """Block → the sizes, in words, that its student cannot have; only of blocks that lack one.

    Raises PocketganError where all of them lack one; ``alternative`` is what else can be done.
    """
    refused = {
        block: ", ".join(words for words, size in sizes.items() if not _has(student, size))
        for block, student in students.items()
    }
    refused = {block: words for block, words in refused.items() if words}
    if len(refused) < len(students):
        return refused
    reasons = "; ".join(f"block {block} cannot read {words}" for block, words in refused.items())
    raise PocketganError(
        f"convert.sizes: no student can have all of them: {reasons}.",
        f"{_multiples(students)}{alternative}, which reads any size.".capitalize(),
    )


def _has(student: tf_keras.Model, size: tuple[int, int]) -> bool:
    try:
        resized(student, size)
    except PocketganError:
        return False
    return True


def _multiples(students: Mapping[str, tf_keras.Model]) -> str:
    """What sizes the least demanding student can have; empty where all are tied to their own."""
    divisors = {
        divisor(student): block
        for block, student in students.items()
        if _has(student, (2 * divisor(student), 3 * divisor(student)))
    }
    if not divisors:
        return ""
    parts = min(divisors)
    return (
        f"give sizes whose width and height are multiples of {parts}, which block "
        f"{divisors[parts]} can read; or "
    )
