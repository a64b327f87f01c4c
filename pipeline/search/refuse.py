"""What makes no sense for a generator, told before anything is written or trained."""

from deploy.errors import PocketganError
from pipeline.compression.fold import fold_batch_norm
from pipeline.data import folder
from pipeline.data.sources import TEACHER
from pipeline.importers.discriminator import load_discriminator
from pipeline.importers.pictures import refuse_few
from pipeline.importers.teacher import Teacher
from pipeline.recipe import BudgetSettings
from pipeline.run import Run
from pipeline.search.budget import Budget, Cost, budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.cost import cost
from pipeline.search.space import Space, latency_of
from pipeline.search.trials import open_study


def refuse_budget(settings: BudgetSettings, builder: StudentBuilder, space: Space) -> None:
    """PocketganError for no budget, one that is met at once, and one that no student can meet."""
    limits = budget_of(settings)
    if not limits.limits and settings.max_quality_drop is None:
        raise PocketganError(
            "compress was given no budget.",
            "Give one or more of --max-kb, --max-gzip-kb, --max-macs, --max-ms and "
            "--max-quality-drop, for instance --max-gzip-kb 12.",
        )
    if not limits.limits:
        return
    smallest = space.smallest(limits).cost
    if limits.share(smallest) > 1:
        raise PocketganError(
            f"the budget {limits.tightest(smallest).words} is smaller than any student: the "
            f"smallest reachable has {_words(smallest)}.",
            "Give a larger budget.",
        )
    _refuse_met(settings, limits, builder)


def _refuse_met(settings: BudgetSettings, limits: Budget, builder: StudentBuilder) -> None:
    """A teacher that meets the budget as soon as it is rounded needs no student."""
    if builder.why_not_slim or settings.max_quality_drop is not None:
        return  # what its int8 file costs is not known before it is converted
    rounded = cost(
        fold_batch_norm(builder.teacher.model), latency=latency_of(settings), trained=True
    )
    if limits.share(rounded) <= 1:
        raise PocketganError(
            f"the budget is met at once: rounded to int8, the generator has {_words(rounded)}.",
            "Do less: `pocketgan run` makes that file without a student (variant int8-ptq). Or "
            "give a smaller budget.",
        )


def refuse_company(run: Run, builder: StudentBuilder) -> None:
    """PocketganError for what was given and does not go with the teacher.

    A discriminator, pictures, a student, or a study that cannot be opened.
    """
    settings, teacher = run.recipe.teacher, builder.teacher
    if run.recipe.search.student is not None:
        builder.build(run.recipe.search.student)
    if settings.discriminator is not None:
        load_discriminator(settings.discriminator, teacher, settings.custom, settings.allow_unsafe)
    if settings.inputs is not None:
        refuse_few(settings.inputs, len(folder.find(settings.inputs)))
    if run.recipe.data.source != TEACHER:
        _refuse_classes(run, teacher)
    if run.recipe.search.study is not None:
        open_study(run.recipe.search.study, run.recipe.seed)


def _refuse_classes(run: Run, teacher: Teacher) -> None:
    found = len(run.dataset.classes)
    if teacher.classes and found != teacher.classes:
        raise PocketganError(
            f"the generator draws {teacher.classes} classes, and the pictures of "
            f"'{run.dataset.name}' have {found or 'none'}.",
            "Give pictures of the same classes, or none: without --data the generator draws them.",
        )


def _words(spent: Cost) -> str:
    parts = [
        f"{spent.bytes:,} bytes",
        f"{spent.bytes_gzip:,} gzipped",
        f"{spent.macs:,} multiply-accumulates",
    ]
    if spent.p50_ms is not None:
        parts.append(f"about {spent.p50_ms:.4f} ms")
    return ", ".join(parts)
