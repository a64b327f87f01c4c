"""The command inspect: what a .tflite file holds."""

import json
from pathlib import Path
from typing import Any

from jsonargparse.typing import PositiveInt
from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.commands.arguments import OK, command_parser, parse, show
from pipeline.commands.entry_options import add_entry_options, entry_choice
from pipeline.consoles import cell
from pipeline.tflite.count import STRUCTURE
from pipeline.tflite.entry import shape_words
from pipeline.tflite.inspect import OTHER_SIGNATURES, describe

ROWS = 50
"""How many operations are shown unless --top says another number."""
MORE = """; of any file. Of a file of several signatures it says what --signature names, and where
a file leaves the size of its pictures free, --size says for which size."""


def inspect(arguments: list[str]) -> int:
    parser = command_parser("inspect", "json", more=MORE)
    parser.add_argument("file", type=str, help="any .tflite file")
    add_entry_options(parser)
    parser.add_argument(
        "--top",
        type=PositiveInt,
        default=ROWS,
        help="how many operations are shown, those with the most MACs and bytes; --json has all",
    )
    options = parse(parser, arguments)
    summary = describe(Path(options.file), entry_choice(options))
    show(options, summary, lambda: render(summary, options.top))
    return OK


def render(summary: dict[str, Any], top: int = ROWS) -> RenderableType:
    """What ``pipeline.tflite.inspect.describe`` gives: ``top`` operations in a table, totals."""
    return Group(_layers_table(summary, top), _totals(summary, top))


def _layers_table(summary: dict[str, Any], top: int) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_footer=True, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("layer", "all", overflow="fold")
    table.add_column("operation", overflow="fold")
    table.add_column("output")
    table.add_column("type", overflow="fold")
    table.add_column("weights", f"{summary['weights']:,}", justify="right")
    table.add_column("zeros", _percent(summary["zeros"]), justify="right")
    table.add_column("MACs", _number_or_unknown(summary["macs"]), justify="right")
    table.add_column("bytes", f"{summary['bytes']:,}", justify="right")
    rows = summary["layers"]
    largest = sorted(rows, key=lambda row: (-(row["macs"] or 0), -row["bytes"]))[:top]
    shown_rows = [row for row in rows if any(row is each for each in largest)]
    for row in shown_rows:
        table.add_row(*_cells(row))
    if len(rows) > top:
        table.add_row(Text(f"({len(rows) - top:,} others: --top)", style="dim"))
    for name, size in summary["bytes_by_layer"].items():
        if name in (OTHER_SIGNATURES, STRUCTURE):
            table.add_row(Text(name, style="dim"), *[""] * 6, f"{size:,}")
    return table


def _cells(row: dict[str, Any]) -> list[str | Text]:
    fused = row["activation"] != "none"
    turn = " a turn" if row["loop"] and row["macs"] else ""
    return [
        cell(row["layer"]),
        cell(row["op"] + (f" + {row['activation']}" if fused else "")),
        shape_words(row["shape"], row["free_axes"]),
        Text(row["dtype"], style="red" if "float" in row["dtype"] else ""),
        _weights(row),
        _percent(row["zeros"]),
        "" if row["macs"] == 0 else _number_or_unknown(row["macs"]) + turn,
        f"{row['bytes']:,}" if row["bytes"] else "",
    ]


def _totals(summary: dict[str, Any], top: int) -> Table:
    lines = {
        "file": summary["path"],
        "sha256": summary["sha256"],
        "size": f"{summary['bytes']:,} bytes, {summary['bytes_gzip']:,} gzipped, "
        f"{summary['bytes_zstd']:,} with zstd",
        **_signature_lines(summary),
        "inputs": "\n".join(map(_port_line, summary["inputs"])),
        "outputs": "\n".join(map(_port_line, summary["outputs"])),
        "operations": ", ".join(f"{name} {times}" for name, times in summary["ops"].items()),
        "float operations": _float_lines(summary, top),
        "parameters": f"{summary['parameters']:,}",
        "zeros": f"{_percent(summary['zeros']) or 'none'} of {summary['weights']:,} kernel weights",
        "MACs": _macs_lines(summary),
        "tensor arena": _arena_line(summary),
        "provenance": json.dumps(summary["provenance"]) if summary["provenance"] else "none",
    }
    grid = Table.grid(padding=(0, 2))
    for name, line in lines.items():
        grid.add_row(Text(name, style="bold"), cell(line, overflow="fold"))
    return grid


def _signature_lines(summary: dict[str, Any]) -> dict[str, str]:
    """Which of several signatures all this is of."""
    if len(summary["signatures"]) < 2:
        return {}
    others = [key for key in summary["signatures"] if key != summary["signature"]]
    return {"signature": f"{summary['signature']} (others: {', '.join(others)})"}


def _macs_lines(summary: dict[str, Any]) -> str:
    if summary["macs"] is not None:
        return f"{summary['macs']:,} a run"
    lines = [f"unknown ({summary['macs_unknown']})"]
    if summary["macs_outside_loops"] is not None:
        place = "outside of loops" if summary["loops"] else "in all other operations"
        lines.append(f"{summary['macs_outside_loops']:,} {place}")
        lines += [
            f"{loop['macs_per_turn']:,} each turn of {loop['layer']}" for loop in summary["loops"]
        ]
    return "\n".join(lines)


def _arena_line(summary: dict[str, Any]) -> str:
    plan = summary["arena"]
    if plan is None:
        return f"unknown ({summary['unsized']})"
    return (
        f"about {plan['peak']:,} bytes at {plan['alignment']}-byte alignment, "
        f"at least {plan['lower_bound']:,}"
    )


def _number_or_unknown(value: int | None) -> str:
    return "unknown" if value is None else f"{value:,}"


def _port_line(port: dict[str, Any]) -> str:
    shape = shape_words(port["shape"], port["free_axes"])
    line = f"{port['name']}  {shape} {port['dtype']}"
    if port.get("file_shape", shape) != shape:
        line += f", in the file {port['file_shape']}"
    if len(port["scales"]) == len(port["zero_points"]) == 1:
        line += f"  scale {port['scales'][0]}, zero point {port['zero_points'][0]}"
    return line


def _float_lines(summary: dict[str, Any], top: int) -> str:
    floats, total = summary["float_ops"], len(summary["layers"])
    if len(floats) in (0, total):
        return f"all {total}" if floats else "none"
    lines = [f"{op['op']} in {op['layer']}: {op['reason']}" for op in floats[:top]]
    lines += [f"and {len(floats) - top:,} more: --top"] if len(floats) > top else []
    return "\n".join([f"{len(floats)} of {total}", *lines])


def _weights(row: dict[str, Any]) -> str:
    """How many, and of which type where it is not the output's."""
    if not row["weights"]:
        return ""
    differ = row["weights_dtype"] != row["dtype"]
    return f"{row['weights']:,}" + (f" {row['weights_dtype']}" if differ else "")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"
