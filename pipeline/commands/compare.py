"""The command compare: two reports side by side."""

from pathlib import Path

from pipeline.artifacts import REPORT
from pipeline.commands.arguments import OK, command_parser, parse, show


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
    """The report.json that a folder of a run holds, or the path itself."""
    inside = sorted(path.glob(f"*-report/{REPORT}")) if path.is_dir() else []
    return inside[0] if inside else path
