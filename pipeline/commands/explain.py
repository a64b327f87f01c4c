"""The command explain: why a .tflite costs what it costs on a target."""

from pathlib import Path

from jsonargparse.typing import PositiveInt

from deploy.targets import find_target
from pipeline import progress
from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.commands.entry_options import add_entry_options, entry_choice
from pipeline.explaining import ExplainQuestion, explain
from pipeline.report.explain.sentences import sections
from pipeline.report.explain.terminal import render

ROWS = 8
"""How many operations are shown unless --top says another number."""

MORE = """, in sentences with figures: which operations take the time, which leave the fast path and
why, int8 against float32 operation by operation, how far it is from the least possible, what would
change it and by how much, and what a phone's GPU would make of it. Of any .tflite.

The file is cut after each operation and every piece is measured, which takes a minute or a few.
Beside it is measured OTHER, the same generator in another type; without one, the file's own layers
in the other type, which are made of it.

A target that counts (arm:cortex-a53, arm:cortex-a76, …: emulated cores) gives instructions, exact
and the same each time. One that times (local, ssh:…) gives ms, and wants a quiet machine. An NPU
(npu:ethos-u55-128, …) gives its compiler's estimated cycles, of int8 files, in seconds.

For instance:

  pocketgan explain int8.tflite --target arm:cortex-a53
  pocketgan explain int8.tflite float32.tflite --target local
  pocketgan explain enlarger.tflite --size 64x64 --json

Exit code 0; 2 where a file or a target does not serve, with what to do."""


def explain_file(arguments: list[str]) -> int:
    usage = "pocketgan explain FILE [OTHER] [--target T] [options]"
    parser = command_parser("explain", "quiet", "json", more=MORE, usage=usage)
    parser.add_argument("file", type=str, help="any .tflite file")
    parser.add_argument(
        "other", nargs="?", type=str, help="another to compare it with (default: its own layers)"
    )
    parser.add_argument(
        "--target",
        type=str,
        default="local",
        help="where to measure; `pocketgan targets` lists what is there",
    )
    add_entry_options(parser)
    parser.add_argument(
        "--top",
        type=PositiveInt,
        default=ROWS,
        help="how many operations the table has, the dearest; --json has all",
    )
    options = parse(parser, arguments)
    question = ExplainQuestion(
        file=Path(options.file),
        other=Path(options.other) if options.other else None,
        target=find_target(options.target),
        choice=entry_choice(options),
    )
    with progress.bar() as bar:
        explanation = explain(question, progress.lines(bar))
    document = explanation.model_dump(mode="json", by_alias=True)
    document["sentences"] = sections(explanation)
    show(options, document, lambda: render(explanation, options.top))
    return OK
