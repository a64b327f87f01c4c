"""The commands of single stages: train, prune, quantize, convert, evaluate, benchmark, report."""

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.commands.arguments import OK
from pipeline.commands.run import make_stage, run_of_recipe, show_report
from pipeline.plans import FROM_SCRATCH


def stage(name: str, arguments: list[str]) -> int:
    """Make the stage of that name, unless it is fresh, and print its record."""
    run, options = run_of_recipe(name, FROM_SCRATCH.steps[name].title, arguments)
    if name not in run.plan.names:
        raise PocketganError(
            f"recipe {run.recipe.name} compresses a generator and has no stage {name}.",
            f"Its stages: {', '.join(run.plan.names)}. `pocketgan run` makes what is due.",
        )
    run.check()
    with run.lock():
        record = make_stage(run, name)
    if name == "report":
        return show_report(run, [record], options)
    if options.json:
        print(record.model_dump_json(indent=1))
    else:
        progress.console.print(f"  {run.path(name)}", record.metrics)
    return OK
