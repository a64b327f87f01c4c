"""What makes no sense for a generator is refused before anything is written or trained."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.compression.spec import CompressionSpec
from pipeline.data.dataset import Dataset
from pipeline.data.sources import TEACHER
from pipeline.importers.discriminator import load_discriminator
from pipeline.importers.input_pictures import (
    picture_channels,
    read_input_pictures,
    with_further_parts,
)
from pipeline.importers.teacher import Teacher
from pipeline.recipe.sections import BudgetSettings, Recipe
from pipeline.search.budget import (
    KILO,
    Budget,
    BudgetLimit,
    FileCost,
    budget_of,
    search_budget,
)
from pipeline.search.builder import StudentBuilder
from pipeline.search.space import Space, network_costs
from pipeline.search.study import open_study

FEWEST_OF_A_PART = 6
"""As neighbourhoods of five pictures demand."""
FEWEST_PAIRS = 2 * FEWEST_OF_A_PART


def refuse_shape(recipe: Recipe, teacher: Teacher) -> None:
    """PocketganError for settings that do not go with what the teacher reads."""
    path, inputs = recipe.teacher.file, recipe.teacher.inputs
    if teacher.latent and recipe.budget.minutes is not None:
        raise PocketganError(
            f"{path} reads latents: minutes are reckoned for pictures only.",
            "Leave --minutes out; --student.steps says how long its student is trained.",
        )
    if teacher.latent and inputs is not None:
        raise PocketganError(f"{path} reads latents, not pictures.", "Leave --inputs out.")
    if not teacher.latent and inputs is None and not recipe.data.translated:
        raise PocketganError(
            f"{path} reads pictures, and its student learns from a folder of such.",
            "Give --inputs FOLDER.",
        )
    if inputs is not None:
        picture_channels(teacher)


def refuse_budget(settings: BudgetSettings, builder: StudentBuilder, space: Space) -> None:
    """PocketganError for no budget, one that is met at once, and one that no student can meet."""
    named = bool(budget_of(settings).limits)
    if not named and settings.max_quality_drop is None:
        raise PocketganError(
            "no budget was given.",
            "Give one or more of --max-kb, --max-gzip-kb, --max-macs, --max-ms, --max-flash-kb and "
            "--max-quality-drop, for instance --max-gzip-kb 12.",
        )
    limits = search_budget(settings, builder.weight_count)
    smallest = space.smallest(limits).cost
    if limits.share(smallest) > 1:
        raise PocketganError(
            f"the budget {limits.tightest(smallest).description} is smaller than any student: the "
            f"smallest reachable has {_described(smallest)}.",
            "Give a larger budget."
            if named
            else "That budget follows from the generator's few weights, as only a loss of quality "
            f"was limited. Give one, for instance --max-gzip-kb {_rounded_up(smallest)}.",
        )
    if named:
        _refuse_met(settings, limits, builder, smallest)


def _refuse_met(
    settings: BudgetSettings, limits: Budget, builder: StudentBuilder, smallest: FileCost
) -> None:
    """A teacher that meets the budget as soon as it is rounded needs no student."""
    if builder.why_not_slim or settings.max_quality_drop is not None:
        return  # what its int8 file costs is not known before it is converted
    predict = network_costs(builder, settings)
    rounded = predict(builder.teacher.cuttable_folded, CompressionSpec(), trained=True)
    if limits.share(rounded) <= 1:
        smaller = _between(limits.tightest(rounded), smallest, rounded)
        raise PocketganError(
            f"the budget is met at once: rounded to int8, the generator has {_described(rounded)}.",
            f"Give a smaller budget, for instance {smaller}.",
        )


def _rounded_up(smallest: FileCost) -> str:
    """Gzipped kB in which the smallest student has some room."""
    return f"{math.ceil(smallest.bytes_gzip / KILO * 1.25)}"


def _between(limit: BudgetLimit, smallest: FileCost, largest: FileCost) -> str:
    """The option of a limit with a value half-way, in ratios, between two files."""
    costs = [getattr(cost, limit.field) for cost in (smallest, largest)]
    return limit.option(math.sqrt(math.prod(costs)))


def refuse_mismatches(
    recipe: Recipe, builder: StudentBuilder, *, read_dataset: Callable[[], Dataset], cache: Path
) -> Images | None:
    """PocketganError for what the recipe names and does not go with the teacher.

    A student, a discriminator, pictures (read only if they are not the teacher's own), a study
    that cannot be opened, or inputs; ``cache`` is where decoded pictures are kept. Returns the
    pictures uint8 [N, H, W, C] that the teacher will read, with what lies behind them in its one
    input; None where it reads latents.
    """
    settings, teacher = recipe.teacher, builder.teacher
    if recipe.search.student is not None:
        builder.build(recipe.search.student)
    if settings.self_ensemble and teacher.latent:
        raise PocketganError(
            f"teacher.self_ensemble: {teacher.origin} reads latents, which have no mirror image.",
            "Leave teacher.self_ensemble out.",
        )
    if settings.discriminator is not None:
        load_discriminator(
            settings.discriminator,
            teacher,
            custom=settings.custom,
            allow_unsafe=settings.allow_unsafe,
        )
    if recipe.search.study is not None:
        open_study(recipe.search.study, recipe.seed)
    pictures = None
    if recipe.data.source != TEACHER:
        dataset = read_dataset()
        if not recipe.generator.codes.discrete:  # which looks like a class, and is none of the data
            _refuse_classes(teacher, dataset)
        pictures = dataset.train_inputs
        if recipe.data.translated and settings.inputs is None:
            refuse_few_pairs(dataset)
    if settings.inputs is not None:
        cut = teacher.cut(settings.cut)
        read = read_input_pictures(settings.inputs, teacher, cut=cut, cache=cache)
        refuse_small_parts(settings.inputs, read.parted(recipe.seed), recipe.convert.batch)
        pictures = with_further_parts(read.images, teacher.parts, recipe.seed)
    return pictures


def refuse_small_parts(folder: Path, parts: Sequence[Images], batch: int = 1) -> None:
    """PocketganError where metrics, or files that draw ``batch`` pictures at once, need more."""
    smallest = min(map(len, parts))
    if smallest >= fewest_in_batches(batch):
        return
    raise PocketganError(
        f"{folder}: the smallest of its three parts has {smallest} pictures or tiles.",
        "Give more photos, or larger ones."
        if smallest < FEWEST_OF_A_PART
        else f"Give more photos, or set convert.batch to {smallest}.",
    )


def fewest_in_batches(batch: int) -> int:
    """Pictures of which files that draw ``batch`` at once, and no part of one, draw enough."""
    return -(-FEWEST_OF_A_PART // batch) * batch


def refuse_few_pairs(dataset: Dataset) -> None:
    """PocketganError for a run's data that cannot be parted between a student and its search."""
    assert dataset.train_inputs is not None
    count = len(dataset.train_inputs)
    if count >= FEWEST_PAIRS:
        return
    raise PocketganError(
        f"'{dataset.name}' has {count} pictures to train on: too few for a student, which needs "
        f"{FEWEST_PAIRS}, {FEWEST_OF_A_PART} of them to compare it with others.",
        "Add pictures to those that the generator was trained on, or give it others to read: "
        "--inputs FOLDER.",
    )


def _refuse_classes(teacher: Teacher, dataset: Dataset) -> None:
    classes = len(dataset.classes)
    if teacher.classes and classes != teacher.classes:
        raise PocketganError(
            f"the generator draws {teacher.classes} classes, and the pictures of "
            f"'{dataset.name}' have {classes or 'none'}.",
            "Give pictures of the same classes, or none: without --data the generator draws them.",
        )


def _described(cost: FileCost) -> str:
    parts = [
        f"{cost.bytes:,} bytes",
        f"{cost.bytes_gzip:,} gzipped",
        f"{cost.macs:,} multiply-accumulates",
    ]
    if cost.p50_ms is not None:
        parts.append(f"about {cost.p50_ms:.4f} ms")
    if cost.flash_bytes is not None:
        parts.append(f"{cost.flash_bytes:,} bytes of flash")
    return ", ".join(parts)
