"""The commands that measure: benchmark FILES, targets, doctor, bench-suite."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveFloat, PositiveInt
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from deploy import targets as known
from deploy.errors import PocketganError
from deploy.harness import Plan
from deploy.machine import advice, describe_machine
from deploy.targets.target import Target
from pipeline import progress
from pipeline.atomic import write_text
from pipeline.commands import benchmark_files as files
from pipeline.commands import benchmark_rounds as make
from pipeline.commands.arguments import command_parser, parse
from pipeline.commands.stage import stage
from pipeline.native_log import LOG, native_log
from pipeline.recipe import shipped_recipes
from pipeline.report.benchmark import schema, terminal
from pipeline.report.tree import lines

OK, BAD_INPUT, PARTLY_FAILED = 0, 2, 3

BENCHMARK = """Measure .tflite files of any origin, or a recipe's, on any target: bytes, memory,
speed or instructions, outputs compared with this machine's, and a sentence which file to ship
where. Inputs are random over what the model's inputs can hold, or given with --latents. Writes
benchmark.json and benchmark.html; interrupted, the same command measures what is missing. Given a
recipe in place of files, it is that recipe's stage: `pocketgan benchmark digits --help`.

For instance `pocketgan benchmark float32.tflite int8.tflite --target local --target arm:cortex-a53
--threads 1,2` compares two files on this machine, with one thread and with two, and counts their
instructions on an emulated core."""


def asks_for_files(arguments: Sequence[str]) -> bool:
    """Whether ``benchmark`` was given files, rather than a recipe whose stage is meant."""
    if arguments[:1] in ([], ["-h"], ["--help"]):
        return True
    return any(
        argument.endswith(files.SUFFIX)
        or argument.split("=")[0] == "--target"
        or files.is_model(Path(argument))
        for argument in arguments
    ) or (arguments[0] not in shipped_recipes() and Path(arguments[0]).is_dir())


def benchmark(arguments: list[str]) -> int:
    """Of files, or the stage of a recipe: the arguments decide."""
    if not asks_for_files(arguments):
        return stage("benchmark", arguments)
    options = parse(_benchmark_parser(), arguments)
    if options.quiet or options.json:
        progress.silence()
    found = files.find(options.files)
    question = make.Question(
        found,
        _targets(options.target),
        Plan(
            threads=_numbers(options.threads),
            rounds=options.rounds,
            runs=options.runs,
            warmup=options.warmup,
            seed=options.seed,
            latents=None if options.latents is None else files.latents(Path(options.latents)),
            sustain_s=options.sustain,
            time_limit=options.time_limit,
        ),
        make.choose_baseline(options.baseline, list(found)),
        options.profile,
    )
    folder = Path(options.out)
    with progress.bar() as bar:
        built = make.benchmark(question, folder, _told(bar))
    if options.json:
        print(schema.dumps(built), end="")
    else:
        Console().print(terminal.render(built, folder / make.PAGE))
    failed = [m.error is not None for m in built.measurements]
    return BAD_INPUT if all(failed) else PARTLY_FAILED if any(failed) else OK


def _benchmark_parser() -> ArgumentParser:
    made = command_parser("benchmark", BENCHMARK)
    made.usage = "pocketgan benchmark FILES … [--target T …] [options]"
    made.add_argument("files", nargs="+", type=str, help=".tflite files, or folders of them")
    made.add_argument(
        "--target",
        action="append",
        type=str,
        help="where to measure; repeat it for several places, which `pocketgan targets` lists "
        "(default: local)",
    )
    made.add_argument(
        "--threads",
        type=str,
        default="1",
        help="how many threads a file may use; of several, as in 1,2,4, it is measured with each",
    )
    made.add_argument(
        "--runs",
        type=PositiveInt,
        default=2048,
        help="timed inferences of each file on each target, all --rounds together",
    )
    made.add_argument(
        "--rounds",
        type=PositiveInt,
        default=4,
        help="fresh processes that the timed inferences of a file are spread over",
    )
    made.add_argument(
        "--warmup",
        type=NonNegativeInt,
        default=256,
        help="untimed inferences that each process makes first, at most",
    )
    made.add_argument(
        "--seed", type=NonNegativeInt, default=0, help="seed of the random inputs and of the order"
    )
    made.add_argument(
        "--latents", type=str, help="inputs in place of random ones: a .npy file, float32 [N, L]"
    )
    made.add_argument(
        "--sustain",
        type=PositiveFloat,
        help="seconds to run each file without a pause in the end, to see whether it slows down",
    )
    made.add_argument(
        "--profile", action="store_true", help="also measure what each operation of a file costs"
    )
    made.add_argument(
        "--baseline",
        type=str,
        help="name of the file that the others are compared with (default: float32, or the first)",
    )
    made.add_argument(
        "--time-limit",
        type=PositiveFloat,
        default=120.0,
        help="seconds after which a process that does not answer is ended",
    )
    made.add_argument(
        "--out", type=str, default="benchmark", help="folder that the results are written to"
    )
    made.add_argument("--quiet", action="store_true", help="show no progress")
    made.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    return made


def _targets(names: Sequence[str] | None) -> list[Target]:
    return [known.find_target(name) for name in dict.fromkeys(names or ["local"])]


def _numbers(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 on, in a list with commas."""
    try:
        numbers = tuple(dict.fromkeys(int(part) for part in text.split(",")))
    except ValueError:
        numbers = (0,)
    if min(numbers) < 1:
        raise PocketganError(f"--threads {text}: not numbers of threads", "Write for instance 1,2.")
    return numbers


def _told(bar: Any) -> Callable[[str, int, int], None]:
    """Show a target's progress in a line of its own."""
    tasks: dict[str, Any] = {}

    def tell(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(name, total=total)
        bar.update(tasks[name], completed=done, total=total)

    return tell


# ---------------------------------------------------------------------- targets

TARGETS = """Where files can be measured, and what adds a place: `targets install NAME`."""


def targets(arguments: list[str]) -> int:
    made = command_parser("targets", TARGETS)
    made.usage = "pocketgan targets [--json]  or  pocketgan targets install NAME …"
    made.add_argument("action", nargs="?", type=str, help="'install', or nothing to list")
    made.add_argument("names", nargs="*", type=str, help=f"of {', '.join(known.INSTALLERS)}")
    made.add_argument("--json", action="store_true", help="the list as JSON")
    options = parse(made, arguments)
    if options.action is None:
        return _list_targets(options.json)
    if options.action != "install" or not options.names:
        raise PocketganError(
            f"pocketgan targets: {' '.join([options.action, *options.names])!r} is not understood",
            f"pocketgan targets install NAME, with a name of: {', '.join(known.INSTALLERS)}.",
        )
    for name in options.names:
        known.install(name, lambda step: progress.console.print(step, markup=False))
    return OK


def _list_targets(as_json: bool) -> int:
    found = [(target.name, target.availability()) for target in known.offered()]
    if as_json:
        print(json.dumps([{"name": name, **asdict(state)} for name, state in found], indent=1))
        return OK
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for title in ("", "target", "what there is", "what adds it"):
        table.add_column(title, no_wrap=title == "target", overflow="fold")
    for name, state in found:
        mark = Text("✓", style="green") if state.ready else Text("–", style="yellow")
        table.add_row(mark, Text(name), Text(state.detail), Text(state.remedy, style="bold"))
    for name, kind in known.KINDS.items():
        if not kind.offered():
            table.add_row("", Text(f"{name}:…"), Text(kind.describe), "")
    Console().print(table)
    return OK


# ---------------------------------------------------------------------- the suite

SUITE = """A fixed set of generators on every target: five ways to upsample, four sizes, three
widths, random weights by seed, as float32, float16, dynamic-range and int8. Shows how cost grows
with pixels and width, and which operation wins where. Interrupted, it goes on where it stopped."""


def bench_suite(arguments: list[str]) -> int:
    with native_log(Path(os.devnull)):
        from tools.experiments.suite import generators
        from tools.experiments.suite import measure as suite
        from tools.experiments.suite import page as suite_page

    made = command_parser("bench-suite", SUITE)
    made.add_argument(
        "--target",
        action="append",
        type=str,
        help="where to measure; repeat it for several places (default: local, about ten minutes)",
    )
    for name, kind, default, words in (
        ("family", str, generators.FAMILIES, "ways to upsample that are compared"),
        ("pixels", PositiveInt, generators.PIXELS, "pixels a side of the pictures"),
        ("width", PositiveInt, generators.WIDTHS, "channels of the last map before the picture"),
    ):
        made.add_argument(f"--{name}", nargs="+", type=kind, default=list(default), help=words)
    made.add_argument("--seed", type=NonNegativeInt, default=0, help="seed of the random weights")
    made.add_argument(
        "--out", type=str, default="bench-suite", help="folder that the results are written to"
    )
    made.add_argument("--quiet", action="store_true", help="show no progress")
    made.add_argument("--json", action="store_true", help="the result as JSON on standard output")
    options = parse(made, arguments)
    if options.quiet or options.json:
        progress.silence()
    chosen = _targets(options.target)
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    with native_log(folder / LOG), progress.bar() as bar:
        task = bar.add_task("bench-suite", total=None)
        found = suite.run(
            chosen,
            folder,
            families=options.family,
            pixels=options.pixels,
            widths=options.width,
            seed=options.seed,
            on_progress=lambda name, done, total: bar.update(
                task, description=name, completed=done, total=total
            ),
        )
    page = folder / suite_page.PAGE
    write_text(page, suite_page.render_html(found))
    if options.json:
        print(found.model_dump_json(by_alias=True, indent=1))
    else:
        Console().print(suite_page.render_terminal(found), Text(f"Page: {page}"))
    return OK


# ---------------------------------------------------------------------- doctor

DOCTOR = "What this machine is, and what makes its figures doubtful"


def doctor(arguments: list[str]) -> int:
    made = command_parser("doctor", DOCTOR)
    made.add_argument("--json", action="store_true", help="as JSON")
    options = parse(made, arguments)
    machine = describe_machine()
    told = advice(machine)
    if options.json:
        print(json.dumps({"machine": asdict(machine), "advice": told}, indent=1))
        return OK
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    for key, value in lines(asdict(machine), none="not told"):
        table.add_row(Text(key, style="dim"), Text(value))
    fine = Text("Nothing here speaks against its figures.", style="green")
    notes = Text("\n".join(f"• {sentence}" for sentence in told), style="yellow")
    Console().print(Group(table, Text(), notes if told else fine))
    return OK
