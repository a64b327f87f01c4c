"""The command benchmark: .tflite files, or a recipe's stage."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentParser
from jsonargparse.typing import NonNegativeInt, PositiveInt, restricted_number_type

from deploy.errors import PocketganError
from deploy.harness import ENERGY_S, MeasuringPlan
from deploy.targets import find_targets
from pipeline import benchmarking, progress
from pipeline.commands.arguments import BAD_INPUT, FAILED, OK, command_parser, parse, show
from pipeline.commands.entry_options import add_entry_options, entry_choice
from pipeline.commands.run import stage
from pipeline.recipe.reading import shipped_recipes
from pipeline.recipe.sections import Threads
from pipeline.report.benchmark import schema, terminal

MORE = """: bytes, memory, speed or instructions, outputs compared with this machine's, and a
sentence which file to ship where. Inputs are random over what the model's inputs can hold, or given
with --latents. Writes benchmark.json and benchmark.html; interrupted, the same command measures
what is missing. Given a recipe in place of files, it is that recipe's stage: `pocketgan benchmark
digits --help`.

For instance `pocketgan benchmark float32.tflite int8.tflite --target local --target
arm:cortex-a53 --threads 1,2` compares two files on this machine, with one thread and with two,
and counts their instructions on an emulated core."""

Seconds = restricted_number_type(
    "Seconds", float, [(">", 0), ("<=", 86400)], docstring="number > 0, at most a day"
)


def asks_for_files(arguments: Sequence[str]) -> bool:
    """Whether ``benchmark`` was given files, rather than a recipe whose stage is meant."""
    if arguments[:1] in ([], ["-h"], ["--help"]):
        return True
    return any(
        argument.endswith(benchmarking.SUFFIX)
        or argument.split("=")[0] == "--target"
        or benchmarking.is_model(Path(argument))
        for argument in arguments
    ) or (arguments[0] not in shipped_recipes() and Path(arguments[0]).is_dir())


def benchmark(arguments: list[str]) -> int:
    """Of files, or the stage of a recipe: the arguments decide."""
    if not asks_for_files(arguments):
        return stage("benchmark", arguments)
    options = parse(_parser(), arguments)
    files = benchmarking.find(options.files)
    question = benchmarking.Question(
        files=files,
        targets=find_targets(options.target or ["local"], progress.ask),
        plan=_plan(options),
        baseline=benchmarking.choose_baseline(options.baseline, list(files)),
        profile=options.profile,
        choice=entry_choice(options),
    )
    folder = Path(options.out)
    with progress.bar() as bar:
        answer = benchmarking.benchmark(question, folder, progress.lines(bar))
    show(options, schema.dumps(answer), lambda: terminal.render(answer, folder / benchmarking.PAGE))
    failed = [measurement.error is not None for measurement in answer.measurements]
    return BAD_INPUT if all(failed) else FAILED if any(failed) else OK


def _plan(options: Any) -> MeasuringPlan:
    latents = None if options.latents is None else benchmarking.latents(Path(options.latents))
    unchanged = {name: options[name] for name in ("rounds", "runs", "warmup", "seed", "time_limit")}
    return MeasuringPlan(
        threads=_numbers(options.threads),
        latents=latents,
        sustain_s=options.sustain,
        energy_s=options.energy,
        **unchanged,
    )


_OPTIONS: dict[str, tuple[Any, Any, str]] = {
    "threads": (
        str,
        "1",
        "how many threads a file may use; of several, as in 1,2,4, it is measured with each",
    ),
    "runs": (
        PositiveInt,
        2048,
        "timed inferences of each file on each target, all --rounds together",
    ),
    "rounds": (PositiveInt, 4, "fresh processes that share the timed inferences of a file"),
    "warmup": (NonNegativeInt, 256, "untimed inferences that each process makes first, at most"),
    "seed": (NonNegativeInt, 0, "seed of the random inputs and of the order"),
    "latents": (str, None, "inputs in place of random ones: a .npy file, float32 [N, L]"),
    "sustain": (
        Seconds,
        None,
        "seconds to run each file without a pause in the end, to see whether it slows down",
    ),
    "energy": (
        Seconds,
        ENERGY_S,
        "seconds to run each file without a pause in the end, at most, to meter the energy of an "
        "inference, where the device has a meter (INA sensor, RAPL, battery)",
    ),
    "baseline": (
        str,
        None,
        "name of the file that the others are compared with (default: float32, or the first)",
    ),
    "time-limit": (Seconds, 120.0, "seconds after which a silent process is ended"),
    "out": (str, "benchmark", "folder that the results are written to"),
}
"""Name → type, default and help."""


def _parser() -> ArgumentParser:
    usage = "pocketgan benchmark FILES … [--target T …] [options]"
    parser = command_parser("benchmark", "quiet", "json", more=MORE, usage=usage)
    parser.add_argument("files", nargs="+", type=str, help=".tflite files, or folders of them")
    parser.add_argument(
        "--target",
        action="append",
        type=str,
        help="where to measure; repeat it for several; `pocketgan targets` lists them "
        "(default: local)",
    )
    for name, (kind, default, words) in _OPTIONS.items():
        parser.add_argument(f"--{name}", type=kind, default=default, help=words)
    parser.add_argument(
        "--profile", action="store_true", help="also measure what each operation of a file costs"
    )
    add_entry_options(parser)
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers of threads, in a list with commas."""
    try:
        return tuple(dict.fromkeys(int(Threads(int(part))) for part in text.split(",")))
    except ValueError as error:
        raise PocketganError(
            f"--threads {text}: not numbers of threads, each {Threads.__doc__}",
            "Write for instance 1,2.",
        ) from error
