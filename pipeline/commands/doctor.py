"""The command doctor: what this machine is, and what makes its figures doubtful."""

from dataclasses import asdict

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.machine import Machine, advice, describe_machine
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.report.quantities import lines


def doctor(arguments: list[str]) -> int:
    options = parse(command_parser("doctor", "json"), arguments)
    machine = describe_machine()
    warnings = advice(machine)
    document = {"machine": asdict(machine), "advice": warnings}
    show(options, document, lambda: _rendered(machine, warnings))
    return OK


def _rendered(machine: Machine, warnings: list[str]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for key, value in lines(asdict(machine), none="not told"):
        table.add_row(Text(key, style="dim"), Text(value))
    fine = Text("Nothing here speaks against its figures.", style="green")
    notes = Text("\n".join(f"• {warning}" for warning in warnings), style="yellow")
    return Group(table, Text(), notes if warnings else fine)
