"""The command inspect: what a .tflite file holds."""

from pathlib import Path

from pipeline.commands.arguments import OK, command_parser, parse, show

INSPECT = "What a .tflite holds: operations, types, zeros, MACs, memory"


def inspect(arguments: list[str]) -> int:
    parser = command_parser("inspect", INSPECT, "json")
    parser.add_argument("file", type=str, help="any .tflite file")
    options = parse(parser, arguments)
    from pipeline.report.inspect import render
    from pipeline.tflite.inspect import describe

    summary = describe(Path(options.file))
    show(options, summary, lambda: render(summary))
    return OK
