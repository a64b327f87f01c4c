"""The command targets: where files can be measured, and what adds a target."""

from collections.abc import Sequence
from dataclasses import asdict

from rich.table import Table
from rich.text import Text

from deploy.errors import PocketganError
from deploy.targets import INSTALLERS, KINDS, install, offered
from deploy.targets.target import Availability
from pipeline import progress
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.consoles import cell


def targets(arguments: list[str]) -> int:
    usage = "pocketgan targets [--json]  or  pocketgan targets install NAME …"
    parser = command_parser("targets", "json", more=": `targets install NAME`.", usage=usage)
    parser.add_argument("action", nargs="?", type=str, help="'install', or nothing to list")
    parser.add_argument("names", nargs="*", type=str, help=f"of {', '.join(INSTALLERS)}")
    options = parse(parser, arguments)
    if options.action is None:
        states = [(target.name, target.availability()) for target in offered()]
        document = [{"name": name, **asdict(state)} for name, state in states]
        show(options, document, lambda: _table(states))
        return OK
    if options.action != "install" or not options.names:
        raise PocketganError(
            f"pocketgan targets: {' '.join([options.action, *options.names])!r} is not understood",
            f"pocketgan targets install NAME, with a name of: {', '.join(INSTALLERS)}.",
        )
    for name in options.names:
        install(name, lambda step: progress.console.print(step))
    if options.json:
        show(options, {"installed": options.names}, Text)
    return OK


def _table(states: Sequence[tuple[str, Availability]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("", "target", "what there is", "what adds it"):
        table.add_column(title, no_wrap=title == "target", overflow="fold")
    for name, state in states:
        mark = Text("✓", style="green") if state.ready else Text("–", style="yellow")
        table.add_row(mark, cell(name), cell(state.detail), cell(state.remedy, style="bold"))
    for name, kind in KINDS.items():
        if not kind.offered():
            table.add_row("", Text(f"{name}:…"), Text(kind.describe), "")
    return table
