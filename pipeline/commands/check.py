"""The command check."""

import json
import os
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.errors import PocketganError
from pipeline.commands.arguments import command_parser, parse
from pipeline.native_log import native_log

OK, BAD_INPUT = 0, 2

CHECK = """What compressing a generator, yours or anyone's, will meet: the fate of every layer, the
bytes, MACs and slow operations of the generator as it is, and whether it can be compressed. No
training, a few seconds. Exit code 0 if it can be compressed, 2 if not."""


def check(arguments: list[str]) -> int:
    made = command_parser("check", CHECK)
    add_generator(made)
    made.add_argument("--json", action="store_true", help="as JSON on standard output")
    options = parse(made, arguments)
    try:
        with native_log(Path(os.devnull)):
            from pipeline.importers import check as preflight
            from pipeline.importers.teacher import load_teacher

            teacher = load_teacher(Path(options.generator), **generator_options(options))
            found = preflight.check(teacher, str(options.generator))
    except PocketganError as error:
        if not options.json:
            raise
        refused = {"verdict": f"cannot be: {error.problem}", "remedy": error.remedy}
        print(json.dumps({"schema": 1, "path": options.generator, **refused}, indent=1))
        return BAD_INPUT
    if options.json:
        print(json.dumps(found.as_dict(), indent=1))
    else:
        from pipeline.report.check import render

        Console(highlight=False).print(render(found))
    return OK


def add_generator(made: Any) -> None:
    """Let a parser take a generator of any origin, and what its file does not say."""
    made.add_argument("generator", type=str, help="a run's folder, a model file, or a SavedModel")
    made.add_argument(
        "--classes", type=int, help="how many entries at the end of the latents are a one-hot class"
    )
    made.add_argument(
        "--pixels",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="black and white in the pictures it draws, if its last layer does not say: -1 1",
    )
    made.add_argument(
        "--input-pixels",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="black and white in the pictures it reads, if it reads pictures",
    )
    made.add_argument(
        "--custom",
        type=str,
        metavar="FILE",
        help="a Python file of yours that defines the generator's own layers; it is run",
    )
    made.add_argument(
        "--allow-unsafe",
        action="store_true",
        help="load a file that runs code, such as Lambda layers: it may do anything that you may",
    )


def generator_options(options: Any) -> dict[str, Any]:
    """What ``load_teacher`` takes besides the path, from parsed arguments."""
    return {
        "classes": options.classes,
        "pixels": options.pixels and tuple(options.pixels),
        "input_pixels": options.input_pixels and tuple(options.input_pixels),
        "custom": Path(options.custom) if options.custom else None,
        "allow_unsafe": options.allow_unsafe,
    }
