"""The one gate before a teacher's run: what `compress` and `run` refuse before anything is made."""

from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import progress
from pipeline.recipe.sections import Recipe
from pipeline.run import CACHE, Run

if TYPE_CHECKING:  # a command that only shows its help starts without TensorFlow
    from pipeline.importers.teacher import Teacher


def admitted(recipe: Recipe, teacher: "Teacher", runs: Path) -> Run:
    """The run in ``runs`` of a recipe with its teacher, its search narrowed to what can be made.

    Raises PocketganError for a budget, or whatever else the recipe names, that does not go with
    the teacher, and for one of which no student can be made.
    """
    from pipeline.search.builder import StudentBuilder
    from pipeline.search.dry_run import without_cpu_blocks, without_refused
    from pipeline.search.refuse import refuse_budget, refuse_mismatches, refuse_shape
    from pipeline.search.sizes import with_sizes
    from pipeline.search.space import space_of

    path = recipe.teacher.file
    assert path is not None
    refuse_shape(recipe, teacher)
    builder = StudentBuilder(teacher, recipe.seed)
    recipe = with_sizes(recipe, builder)
    space = space_of(recipe.search, recipe.budget, builder)
    refuse_budget(recipe.budget, builder, space)
    run = Run(recipe, runs)
    cache = run.root / CACHE
    pictures = refuse_mismatches(recipe, builder, read_dataset=lambda: run.dataset, cache=cache)
    with progress.console.status("try the smallest students"):
        narrowed = without_refused(recipe, builder, path, pictures)
        narrowed = without_cpu_blocks(narrowed, space, builder)
    return Run(narrowed, runs)
