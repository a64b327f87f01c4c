"""The command compare: two reports side by side."""

from pathlib import Path

from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.finished_run import read_report


def compare(arguments: list[str]) -> int:
    parser = command_parser("compare", "runs", "json")
    parser.add_argument("a", type=str, help="name of a run, its folder, or its report.json")
    parser.add_argument("b", type=str, help="another")
    options = parse(parser, arguments)
    from pipeline.report.run import terminal

    a, b = (read_report(name, Path(options.runs)) for name in (options.a, options.b))
    comparison = terminal.compare(a, b)
    show(options, comparison, lambda: terminal.render_comparison(comparison))
    return OK
