"""The command line: a table from command to function.

Exit codes: 0 done; 2 bad input, said in one message; 3 a gate of the recipe failed; 130 Ctrl-C.
"""

import errno
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentParser, set_parsing_settings
from rich.console import Console
from rich.table import Table

from deploy.errors import PocketganError
from pipeline import progress, recipe_file
from pipeline.commands.arguments import parse, parser
from pipeline.native_log import native_log
from pipeline.run import STAGES, Record, Run

OK, BAD_INPUT, GATE_FAILED, INTERRUPTED = 0, 2, 3, 130


@dataclass(frozen=True)
class Command:
    """What a command is for, and the function that does it: arguments → exit code."""

    describe: str
    act: Callable[[list[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; errors that a person can mend become one message and exit code 2."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] in ("-h", "--help"):
        _print_overview()
        return OK
    try:
        if given[0] not in COMMANDS:
            raise PocketganError(
                f"There is no command '{given[0]}'.", f"Known: {', '.join(COMMANDS)}."
            )
        return COMMANDS[given[0]].act(given[1:])
    except PocketganError as error:
        return _complain(str(error))
    except KeyboardInterrupt:
        return _interrupted()
    except OSError as error:
        return _complain(_explain(error))


def _print_overview() -> None:
    console = Console(highlight=False)
    console.print(
        "[bold]pocketgan[/]: a GAN goes in; a small int8 .tflite generator that still draws comes "
        "out, with proof.\n\nStart with  [bold]pocketgan run digits[/]  and open "
        "runs/digits/7-report/report.html.\n"
    )
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, command in COMMANDS.items():
        table.add_row(f"[bold]{name}[/]", command.describe)
    console.print(table)
    console.print("\n`pocketgan COMMAND --help` tells more of each.")


def _complain(message: str) -> int:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"pocketgan: {message}", style="red", markup=False
    )
    return BAD_INPUT


def _interrupted() -> int:
    _complain("stopped. What was done is kept; the same command goes on from there.")
    return INTERRUPTED


def _explain(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{where}no space is left on the disk.\n  Make room, then run the command again."
    return f"{where}{error.strerror or error}."


# ---------------------------------------------------------------------- stages


def _stage_parser(command: str, describe: str) -> ArgumentParser:
    """For help only: what a stage takes, each key of the recipe with its docstring."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog=f"pocketgan {command}",
        usage=f"pocketgan {command} RECIPE [--runs DIR] [--quiet] [--json] [--SECTION.KEY VALUE …]",
        description=f"{describe}. Every value of the recipe can be changed here, for instance "
        "--train.steps 500 or --seed 2.",
        exit_on_error=False,
    )
    parser.add_argument("recipe", help="name of a recipe that ships, or path of a YAML file")
    parser.add_argument("--runs", default="runs", help="folder in which each run has its own")
    parser.add_argument("--quiet", action="store_true", help="no progress, no notes")
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    recipe_file.add_recipe(parser)
    return parser


@dataclass(frozen=True)
class _Request:
    run: Run
    json: bool


def _request(command: str, describe: str, arguments: list[str]) -> _Request:
    """A recipe's name, four options of the command line, and whatever changes the recipe."""
    if "-h" in arguments or "--help" in arguments:
        _stage_parser(command, describe).print_help()
        raise SystemExit(OK)
    if not arguments or arguments[0].startswith("-"):
        raise PocketganError(
            f"pocketgan {command}: which recipe?",
            f"For instance: pocketgan {command} digits. Known: {', '.join(recipe_file.shipped())}.",
        )
    name, *rest = arguments
    quiet, rest = _take_switch("--quiet", rest)
    as_json, rest = _take_switch("--json", rest)
    runs, rest = _take_value("--runs", rest, "runs")
    if quiet or as_json:
        progress.silence()
    return _Request(Run(recipe_file.load(name, rest), Path(runs)), as_json)


def _take_switch(switch: str, arguments: list[str]) -> tuple[bool, list[str]]:
    return switch in arguments, [argument for argument in arguments if argument != switch]


def _take_value(option: str, arguments: list[str], default: str) -> tuple[str, list[str]]:
    for place, argument in enumerate(arguments):
        if argument.startswith(f"{option}="):
            return argument.split("=", 1)[1], arguments[:place] + arguments[place + 1 :]
        if argument == option and place + 1 < len(arguments):
            return arguments[place + 1], arguments[:place] + arguments[place + 2 :]
    return default, arguments


def _make(run: Run, name: str) -> Record:
    """One stage, unless what is there is what it would give."""
    reason = run.staleness(name)
    record = run.record(name)
    if not reason and record:
        progress.console.print(f"[green]✓[/] {name}: fresh")
        return record
    progress.console.print(f"[bold]›[/] {name}: {run.stages[name].describe}")
    try:
        record = run.make(name)
    except OSError as error:
        error.filename = error.filename or str(run.folder)  # a failed write names no file
        raise
    progress.console.print(f"[green]✓[/] {name}: {record.seconds:.0f} s")
    if "reason" in record.metrics:
        progress.console.print(f"  {record.metrics['reason']}", markup=False)
    return record


def _run(arguments: list[str]) -> int:
    request = _request("run", COMMANDS["run"].describe, arguments)
    return _run_all(request.run, request.json)


def _run_all(run: Run, as_json: bool) -> int:
    with run.lock():
        records = [_make(run, name) for name in run.stages]
    return _show(run, records, as_json)


def _compress(arguments: list[str]) -> int:
    from pipeline.commands import compress as commands

    return commands.compress(arguments, _run_all)


def _single(name: str) -> Callable[[list[str]], int]:
    def act(arguments: list[str]) -> int:
        request = _request(name, STAGES[name].describe, arguments)
        run = request.run
        if name not in run.stages:
            raise PocketganError(
                f"recipe {run.recipe.name} compresses a generator and has no stage {name}.",
                f"Its stages: {', '.join(run.stages)}. `pocketgan run` makes those that are due.",
            )
        with run.lock():
            record = _make(run, name)
        if name == "report":
            return _show(run, [record], request.json)
        if request.json:
            print(record.model_dump_json(indent=1))
        else:
            progress.console.print(f"  {run.path(name)}", record.metrics)
        return OK

    return act


def _show(run: Run, records: list[Record], as_json: bool) -> int:
    """The report at the end of a run; its gates decide the exit code."""
    from pipeline.report.run import schema, terminal
    from pipeline.stages.report import PAGE, REPORT

    folder = run.path("report")
    report = schema.read(folder / REPORT)
    if as_json:
        stages = [record.model_dump() for record in records]
        print(json.dumps({"report": json.loads(schema.dumps(report)), "stages": stages}, indent=1))
    else:
        progress.console.print(terminal.render(report, folder / PAGE))
    return GATE_FAILED if report.failed_gates else OK


# ---------------------------------------------------------------------- looking


def _inspect(arguments: list[str]) -> int:
    made = parser("inspect", COMMANDS["inspect"].describe)
    made.add_argument("file", type=str, help="any .tflite file")
    made.add_argument("--json", action="store_true", help="as JSON")
    options = parse(made, arguments)
    from pipeline.tflite import inspect

    summary = inspect.describe(Path(options.file))
    print(json.dumps(summary, indent=1)) if options.json else Console().print(
        inspect.render(summary)
    )
    return OK


def _list(arguments: list[str]) -> int:
    made = parser("list", COMMANDS["list"].describe)
    made.add_argument("--json", action="store_true", help="as JSON")
    options = parse(made, arguments)
    with native_log(Path(os.devnull)):
        from pipeline.commands import list as catalogue

    known = catalogue.known()
    print(json.dumps(known, indent=1)) if options.json else Console().print(catalogue.render(known))
    return OK


def _compare(arguments: list[str]) -> int:
    made = parser("compare", COMMANDS["compare"].describe)
    made.add_argument("a", type=str, help="a run's folder or its report.json")
    made.add_argument("b", type=str, help="another")
    made.add_argument("--json", action="store_true", help="as JSON")
    options = parse(made, arguments)
    from pipeline.report.run import compare, schema

    a, b = (schema.read(_report_file(Path(path))) for path in (options.a, options.b))
    compared = compare.compare(a, b)
    print(json.dumps(compared, indent=1)) if options.json else Console().print(
        compare.render(compared)
    )
    return OK


def _report_file(path: Path) -> Path:
    """The report.json that a folder of a run holds, or the path itself."""
    inside = sorted(path.glob("*-report/report.json")) if path.is_dir() else []
    return inside[0] if inside else path


def _check(arguments: list[str]) -> int:
    from pipeline.commands import check as commands

    return commands.check(arguments)


# ---------------------------------------------------------------------- shipping


def _bundle(arguments: list[str]) -> int:
    from pipeline.commands import bundle as commands

    return commands.bundle(arguments)


def _verify(arguments: list[str]) -> int:
    from pipeline.commands import bundle as commands

    return commands.verify(arguments)


# ---------------------------------------------------------------------- measuring


def _benchmark(arguments: list[str]) -> int:
    """Of files, or the stage of a recipe: what was given tells."""
    from pipeline.commands import benchmark as commands

    if commands.asks_for_files(arguments):
        return commands.benchmark(arguments)
    return _single("benchmark")(arguments)


def _targets(arguments: list[str]) -> int:
    from pipeline.commands import benchmark as commands

    return commands.targets(arguments)


def _doctor(arguments: list[str]) -> int:
    from pipeline.commands import benchmark as commands

    return commands.doctor(arguments)


def _bench_suite(arguments: list[str]) -> int:
    from pipeline.commands import benchmark as commands

    return commands.bench_suite(arguments)


COMMANDS: dict[str, Command] = {
    "run": Command("All stages of a recipe, only what is stale", _run),
    "compress": Command(
        "The smallest generator within a budget, from yours or anyone's", _compress
    ),
    **{name: Command(stage.describe, _single(name)) for name, stage in STAGES.items()},
    "benchmark": Command(
        "Measure .tflite files of any origin, or a recipe's, on any target", _benchmark
    ),
    "check": Command("What compressing a generator, yours or anyone's, will meet", _check),
    "bundle": Command("Write what an app developer needs of a finished run", _bundle),
    "verify": Command("Check a bundle, folder or zip: a changed byte anywhere is found", _verify),
    "targets": Command("Where files can be measured, and what adds a place", _targets),
    "doctor": Command("What this machine is, and what makes its figures doubtful", _doctor),
    "bench-suite": Command("A fixed set of generators on every target", _bench_suite),
    "inspect": Command("What a .tflite holds: operations, types, zeros, MACs, memory", _inspect),
    "compare": Command("Two reports side by side", _compare),
    "list": Command("Recipes, networks, losses, data sources", _list),
}


def run_as_program() -> None:
    """Entry point of the ``pocketgan`` command."""
    sys.exit(main())
