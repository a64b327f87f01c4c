"""The command doctor: what this machine is, and what makes its figures doubtful."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.machine import advice, describe_machine
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.consoles import cell
from pipeline.native_log import native_log
from pipeline.report.quantities import lines
from pipeline.tensorflow_setup import processor


def doctor(arguments: list[str]) -> int:
    options = parse(command_parser("doctor", "json"), arguments)
    machine = describe_machine()
    warnings = advice(machine)
    with native_log(Path(os.devnull)):
        trains = processor()
    document = {"machine": asdict(machine), "trains": trains, "advice": warnings}
    show(options, document, lambda: _rendered({**asdict(machine), "trains": trains}, warnings))
    return OK


def _rendered(machine: dict[str, Any], warnings: list[str]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for key, value in lines(machine, none="not told"):
        table.add_row(Text(key, style="dim"), cell(value))
    fine = Text("Nothing here speaks against its figures.", style="green")
    notes = Text("\n".join(f"• {warning}" for warning in warnings), style="yellow")
    return Group(table, Text(), notes if warnings else fine)
