"""The command inspect: what a .tflite file holds."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.tflite.count import STRUCTURE


def inspect(arguments: list[str]) -> int:
    parser = command_parser("inspect", "json")
    parser.add_argument("file", type=str, help="any .tflite file")
    options = parse(parser, arguments)
    from pipeline.tflite.inspect import describe

    summary = describe(Path(options.file))
    show(options, summary, lambda: render(summary))
    return OK


def render(summary: dict[str, Any]) -> RenderableType:
    """What ``pipeline.tflite.inspect.describe`` gives, as a table of operations and totals."""
    return Group(_layers_table(summary), _totals(summary))


def _layers_table(summary: dict[str, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("layer", "all", overflow="fold")
    table.add_column("operation", overflow="fold")
    table.add_column("output")
    table.add_column("type", overflow="fold")
    table.add_column("weights", f"{summary['weights']:,}", justify="right")
    table.add_column("zeros", _percent(summary["zeros"]), justify="right")
    table.add_column("MACs", f"{summary['macs']:,}", justify="right")
    table.add_column("bytes", f"{summary['bytes']:,}", justify="right")
    for row in summary["layers"]:
        fused = row["activation"] != "none"
        cells: list[str | Text] = [
            Text(row["layer"]),
            Text(row["op"] + (f" + {row['activation']}" if fused else "")),
            _shape(row["shape"]),
            Text(row["dtype"], style="red" if "float" in row["dtype"] else ""),
            _weights(row),
            _percent(row["zeros"]),
            f"{row['macs']:,}" if row["macs"] else "",
            f"{row['bytes']:,}" if row["bytes"] else "",
        ]
        table.add_row(*cells)
    structure = summary["bytes_by_layer"][STRUCTURE]
    table.add_row(Text(STRUCTURE, style="dim"), *[""] * 6, f"{structure:,}")
    return table


def _totals(summary: dict[str, Any]) -> Table:
    plan = summary["arena"]
    lines = {
        "file": summary["path"],
        "sha256": summary["sha256"],
        "size": f"{summary['bytes']:,} bytes, {summary['bytes_gzip']:,} gzipped, "
        f"{summary['bytes_zstd']:,} with zstd",
        "inputs": "\n".join(map(_port_line, summary["inputs"])),
        "outputs": "\n".join(map(_port_line, summary["outputs"])),
        "operations": ", ".join(f"{name} {times}" for name, times in summary["ops"].items()),
        "float operations": _float_lines(summary),
        "parameters": f"{summary['parameters']:,}",
        "zeros": f"{_percent(summary['zeros']) or 'none'} of {summary['weights']:,} kernel weights",
        "MACs": f"{summary['macs']:,} a run",
        "tensor arena": f"about {plan['peak']:,} bytes at {plan['alignment']}-byte alignment, "
        f"at least {plan['lower_bound']:,}",
        "provenance": json.dumps(summary["provenance"]) if summary["provenance"] else "none",
    }
    grid = Table.grid(padding=(0, 2))
    for name, line in lines.items():
        grid.add_row(Text(name, style="bold"), Text(line, overflow="fold"))
    return grid


def _port_line(port: dict[str, Any]) -> str:
    line = f"{port['name']}  {_shape(port['shape'])} {port['dtype']}"
    if len(port["scales"]) == len(port["zero_points"]) == 1:
        line += f"  scale {port['scales'][0]}, zero point {port['zero_points'][0]}"
    return line


def _float_lines(summary: dict[str, Any]) -> str:
    floats, total = summary["float_ops"], len(summary["layers"])
    if len(floats) in (0, total):
        return f"all {total}" if floats else "none"
    lines = [f"{op['op']} in {op['layer']}: {op['reason']}" for op in floats]
    return "\n".join([f"{len(floats)} of {total}", *lines])


def _weights(row: dict[str, Any]) -> str:
    """How many, and of which type where it is not the output's."""
    if not row["weights"]:
        return ""
    differ = row["weights_dtype"] != row["dtype"]
    return f"{row['weights']:,}" + (f" {row['weights_dtype']}" if differ else "")


def _shape(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "scalar"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
