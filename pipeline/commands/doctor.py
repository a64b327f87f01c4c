"""The command doctor: what this machine is, and what makes its figures doubtful; or what the boards
of a shelf are, and what they lack."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from deploy.errors import printable
from deploy.machine import advice, describe_machine
from deploy.targets import find_targets
from deploy.targets.target import Diagnosis, Target
from pipeline.commands.arguments import FAILED, OK, command_parser, parse, show
from pipeline.consoles import cell
from pipeline.native_log import native_log
from pipeline.report.quantities import lines
from pipeline.tensorflow_setup import processor

MORE = """. Given targets, `ssh:pi@pi4.lan` or the shelf `targets:lab.yaml`, it asks each of them
instead: whether it answers, what it is, and what it lacks. Nothing is installed there. It ends with
3 where one does not answer."""


def doctor(arguments: list[str]) -> int:
    parser = command_parser("doctor", "json", more=MORE)
    parser.add_argument("targets", nargs="*", type=str, help="ask these instead of this machine")
    options = parse(parser, arguments)
    if options.targets:
        return _ask(options, find_targets(options.targets))
    machine = describe_machine()
    warnings = advice(machine)
    with native_log(Path(os.devnull)):
        trains = processor()
    document = {"machine": asdict(machine), "trains": trains, "advice": warnings}
    show(options, document, lambda: _rendered({**asdict(machine), "trains": trains}, warnings))
    return OK


def _ask(options: Any, targets: Sequence[Target]) -> int:
    """Ask all ``targets`` at once: who is away takes its time."""
    with ThreadPoolExecutor(len(targets)) as pool:
        diagnoses = list(pool.map(lambda target: target.diagnose(), targets))
    pairs = list(zip(targets, diagnoses, strict=True))
    document = [
        {"target": target.name, "label": target.label or None, **asdict(diagnosis)}
        for target, diagnosis in pairs
    ]
    show(options, {"targets": document}, lambda: _diagnosed(pairs))
    return OK if all(diagnosis.answers for diagnosis in diagnoses) else FAILED


def _diagnosed(pairs: Sequence[tuple[Target, Diagnosis]]) -> RenderableType:
    parts = []
    for target, diagnosis in pairs:
        mark, style = ("✓", "green") if diagnosis.answers else ("✗", "red")
        name = target.title + (f" ({target.name})" if target.label else "")
        parts.append(Text.assemble((f"{mark} ", style), (printable(name), "bold")))
        words = "" if diagnosis.answers else "does not answer: "
        parts.append(Text(f"  {words}{printable(diagnosis.detail)}"))
        verb = "lacks " if diagnosis.answers else ""
        parts += [Text(f"  • {verb}{printable(each)}", "yellow") for each in diagnosis.missing]
    return Group(*parts)


def _rendered(machine: dict[str, Any], warnings: list[str]) -> RenderableType:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for key, value in lines(machine, none="not told"):
        table.add_row(Text(key, style="dim"), cell(value))
    fine = Text("Nothing here speaks against its figures.", style="green")
    notes = Text("\n".join(f"• {warning}" for warning in warnings), style="yellow")
    return Group(table, Text(), notes if warnings else fine)
