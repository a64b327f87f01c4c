"""The command run, all stages of a recipe, and those of single stages: train, prune, quantize…"""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import set_parsing_settings

from deploy.errors import PocketganError
from deploy.home import in_home
from deploy.targets import find_targets
from deploy.targets.target import require_all
from pipeline import progress
from pipeline.artifacts import watched
from pipeline.commands.arguments import (
    FAILED,
    OK,
    RUNNING,
    asks_for_help,
    command_parser,
    parse_with_overrides,
    show,
)
from pipeline.commands.compress_options import in_recipe
from pipeline.commands.own_pictures import choices, recipe_of
from pipeline.consoles import done, title
from pipeline.native_log import native_log
from pipeline.plans import FROM_SCRATCH, FROM_TEACHER
from pipeline.recipe.reading import load_recipe, shipped_recipes
from pipeline.recipe.sections import Recipe
from pipeline.run import Run
from pipeline.stage import Record, SharedStorage
from pipeline.tensorflow_setup import processor, use_threads
from pipeline.workers import refuse_too_many, workers_in_words

NOTES = 6
"""So many notes on the pictures are printed before a training."""
MORE = """. Every value of the recipe can be changed here, for instance --train.steps 500.

With a FOLDER of pictures of your own in place of a recipe, size, colour, classes, network and steps
follow from the pictures; what was chosen is printed. The five that you may want to change first:

  --data.image_size 32                        pixels of a side
  --data.channels 3                           3 for colour, 1 for grey
  --generator.conditional false               unless sub-folders are classes
  --train.steps 6000                          how long it trains
  --name NAME                                 of the run's folder"""


def run(arguments: list[str]) -> int:
    return run_all(*run_of_recipe("run", arguments))


def stage(name: str, arguments: list[str]) -> int:
    """Make the stage of that name, unless it is fresh, and print its record."""
    run, options = run_of_recipe(name, arguments)
    if name not in run.plan.names:
        raise PocketganError(
            f"recipe {run.recipe.name} compresses a generator and has no stage {name}.",
            f"Its stages: {', '.join(run.plan.names)}. `pocketgan run` makes what is due.",
        )
    run.check()
    with run.lock():
        _tell_workers(run)
        record = make_stage(run, name)
    if name == "report":
        return show_report(run, [record], options)
    if options.json:
        print(record.model_dump_json(indent=1))
    else:
        progress.console.print(f"  {run.path(name)}", record.metrics)
    return OK


def run_of_recipe(command: str, arguments: list[str]) -> tuple[Run, Any]:
    """The run of the recipe that ``arguments`` begin with, and the command's own options.

    Raises PocketganError for a missing or unknown recipe, and for a wrong value of one.
    """
    parser = command_parser(
        command,
        *RUNNING,
        more=MORE,
        usage=f"pocketgan {command} RECIPE|FOLDER [--runs DIR] [--workers N] [--quiet] [--json]"
        " [--SECTION.KEY VALUE …]",
    )
    parser.add_argument(
        "recipe",
        type=str,
        help="name of a recipe that ships, path of a YAML file, or folder of pictures",
    )
    if asks_for_help(arguments):
        set_parsing_settings(docstring_parse_attribute_docstrings=True)
        parser.add_class_arguments(Recipe)
    elif not arguments or arguments[0].startswith("-"):
        raise PocketganError(
            f"pocketgan {command}: which recipe?",
            f"For instance: pocketgan {command} digits, or a folder of pictures. Known: "
            f"{', '.join(shipped_recipes())}.",
        )
    options, overrides = parse_with_overrides(parser, arguments)
    refuse_too_many(options.workers)
    storage = storage_of(options)
    recipe = _recipe(options.recipe, overrides)
    use_threads(recipe.threads)
    run = _admitted(recipe, Path(options.runs))
    if storage and "search" not in run.plan.names:
        raise PocketganError(
            f"--storage is where a search meets its workers; recipe {recipe.name} has no search.",
            "Leave --storage out; `pocketgan compress` searches.",
        )
    run.workers, run.storage = options.workers, storage
    return run, options


def _recipe(name: str, overrides: Sequence[str]) -> Recipe:
    """Of a recipe's name or file, or for a folder of pictures; then what was chosen is printed."""
    folder = in_home(Path(name))
    if name in shipped_recipes() or not folder.is_dir():
        return load_recipe(name, overrides)
    recipe = recipe_of(folder, overrides)
    _tell(choices(recipe))
    return recipe


def _admitted(recipe: Recipe, runs: Path) -> Run:
    """The recipe's run; of a teacher what compress refuses is refused."""
    run, file = Run(recipe, runs), recipe.teacher.file
    # Without the file, runs that are finished can still be read, whose recipe says it all.
    if file is None or not file.exists() or not run.staleness("search"):
        return run
    with native_log(Path(os.devnull)):
        from pipeline.commands.admission import admitted
        from pipeline.determinism import prepare
        from pipeline.stages.teacher import load

        prepare(recipe.seed)  # as before every stage: what is let through here is let through there
        try:
            return admitted(recipe, load(recipe.teacher), runs)
        except PocketganError as error:
            raise PocketganError(error.problem, in_recipe(error.remedy)) from error


def run_all(run: Run, options: Any) -> int:
    """Every stage of a run that is due, then its report; the exit code says if gates failed."""
    run.check()
    with run.lock():
        if run.staleness("benchmark"):
            require_all(find_targets(run.recipe.benchmark.targets))
        _tell_workers(run)
        records = [make_stage(run, name) for name in run.plan.names]
    return show_report(run, records, options)


def storage_of(options: Any) -> SharedStorage | None:
    """Where workers of other machines find the trials of a search; None where this machine's do.

    Raises PocketganError where nobody answers there, or what workers fetch cannot be left.
    """
    if options.storage is None:
        if options.artifacts is not None:
            raise PocketganError(
                "--artifacts is what workers of a --storage fetch, and there is none.",
                "Give --storage ADDRESS too, or leave --artifacts out.",
            )
        return None
    from pipeline.search.sent_files import require_place
    from pipeline.search.storage import open_storage

    if options.artifacts is not None:
        require_place(options.artifacts)
    open_storage(options.storage)
    return SharedStorage(options.storage, options.artifacts)


def _tell_workers(run: Run) -> None:
    """How much of the machine is used, unless all is done; how others help with a search."""
    if any(map(run.staleness, run.plan.names)):
        _tell([workers_in_words(run.workers)])
    if run.storage and "search" in run.plan.names and run.staleness("search"):
        from pipeline.search.storage import redacted

        address = redacted(run.storage.address)
        _tell([f"the search is done by workers, here or elsewhere: pocketgan worker {address}"])


def make_stage(run: Run, name: str) -> Record:
    """One stage, unless what is there is what it would give."""
    reason = run.staleness(name)
    record = run.record(name)
    if not reason and record:
        progress.console.print(done(f"{name}: fresh"))
        return record
    progress.console.print(title("›", f" {name}: {run.plan.steps[name].title}"))
    if record:
        progress.console.print(f"  again: {reason}")
    if name == FROM_SCRATCH.names[0]:
        _tell_beginning(run)
    try:
        record = run.make(name)
    except OSError as error:
        error.filename = error.filename or str(run.folder)  # a failed write names no file
        raise
    progress.console.print(done(f"{name}: {record.seconds:.0f} s"))
    if "reason" in record.metrics:
        progress.console.print(f"  {record.metrics['reason']}")
    if name == FROM_TEACHER.names[0]:
        _tell(_first_notes(record.events))  # of the pictures that it read
    return record


def _tell_beginning(run: Run) -> None:
    """What is trained on, by what, and where it can be watched."""
    dataset = run.dataset
    notes = _first_notes(dataset.notes)
    with native_log(Path(os.devnull)):
        trains = processor()
    _tell([dataset.summary, *notes, f"trains {trains}", f"to watch: {watched(run.folder)}"])


def _first_notes(notes: Sequence[str]) -> list[str]:
    """As many as a person reads, and how many more there are."""
    more = [f"{len(notes) - NOTES} further notes stand in the report"] if notes[NOTES:] else []
    return [*notes[:NOTES], *more]


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        progress.console.print(f"  {line}", soft_wrap=True)


def show_report(run: Run, records: list[Record], options: Any) -> int:
    """The report at the end of a run; its gates decide the exit code."""
    from pipeline.artifacts import PAGE, REPORT
    from pipeline.report.run import schema, terminal

    folder = run.path("report")
    report = schema.read(folder / REPORT)
    stages = [record.model_dump() for record in records]
    document = {"report": json.loads(schema.dumps(report)), "stages": stages}
    show(options, document, lambda: terminal.render(report, folder / PAGE), progress.console)
    return FAILED if report.failed_gates else OK
