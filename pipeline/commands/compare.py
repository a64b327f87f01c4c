"""The command compare: two reports side by side."""

from pathlib import Path

from deploy.errors import PocketganError
from pipeline.artifacts import REPORT
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.finished_run import open_run
from pipeline.plans import command_for


def compare(arguments: list[str]) -> int:
    parser = command_parser("compare", "json")
    parser.add_argument("a", type=str, help="a run's folder or its report.json")
    parser.add_argument("b", type=str, help="another")
    options = parse(parser, arguments)
    from pipeline.report.run import schema, terminal

    a, b = (schema.read(_report_file(Path(path))) for path in (options.a, options.b))
    comparison = terminal.compare(a, b)
    show(options, comparison, lambda: terminal.render_comparison(comparison))
    return OK


def _report_file(path: Path) -> Path:
    """The report.json that a folder of a run holds, or the path itself.

    PocketganError for a folder without one: whether it is a run that is not finished, or no run.
    """
    if not path.is_dir():
        return path
    inside = sorted(path.glob(f"*-report/{REPORT}"))
    if inside:
        return inside[0]
    unfinished = open_run(str(path.resolve()), path.parent).unfinished[0]
    raise PocketganError(
        f"{path} has no report yet: {unfinished}.",
        f"Finish it: {command_for(path)}",
    )
