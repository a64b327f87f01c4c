"""The command compare: two reports side by side."""

from pathlib import Path

from deploy.errors import PocketganError
from pipeline.artifacts import REPORT
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.finished_run import open_run
from pipeline.plans import command_for


def compare(arguments: list[str]) -> int:
    parser = command_parser("compare", "runs", "json")
    parser.add_argument("a", type=str, help="name of a run, its folder, or its report.json")
    parser.add_argument("b", type=str, help="another")
    options = parse(parser, arguments)
    from pipeline.report.run import schema, terminal

    runs = Path(options.runs)
    a, b = (schema.read(_report_file(name, runs)) for name in (options.a, options.b))
    comparison = terminal.compare(a, b)
    show(options, comparison, lambda: terminal.render_comparison(comparison))
    return OK


def _report_file(name: str, runs: Path) -> Path:
    """The report.json of the run of that name in ``runs`` or of that folder, or the file itself.

    PocketganError where there is none: whether it is a run that is not finished, or no run.
    """
    if Path(name).is_file():
        return Path(name)
    run = open_run(name, runs)
    file = run.stage("report") / REPORT
    if not file.is_file():
        raise PocketganError(
            f"{run.folder} has no report yet: {run.unfinished[0]}.",
            f"Finish it: {command_for(run.folder)}",
        )
    return file
