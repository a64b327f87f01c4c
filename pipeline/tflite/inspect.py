"""What a person wants to know about a .tflite: a summary, and a table of it for the terminal."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.tflite import arena, count
from pipeline.tflite.metadata import PROVENANCE
from pipeline.tflite.model import LiteModel, Op, Tensor
from pipeline.tflite.read import read_model


def describe(path: str | Path) -> dict[str, Any]:
    """Everything that can be read off the file without running it, as JSON-safe values.

    Sizes in bytes, shares 0..1; a share that does not exist (no weights) is None. ``layers`` has
    one row an operation, in order. Raises PocketganError where the file is no sound .tflite.
    """
    model = read_model(path)
    weights = count.kernels(model)
    return {
        "path": str(path),
        "sha256": model.sha256,
        "bytes": model.size,
        "bytes_gzip": model.size_gzip,
        "bytes_zstd": model.size_zstd,
        "description": model.description,
        "inputs": _ports(model.inputs, [signature.inputs for signature in model.signatures]),
        "outputs": _ports(model.outputs, [signature.outputs for signature in model.signatures]),
        "ops": count.op_counts(model),
        "dtypes": dict(Counter(tensor.dtype for tensor in model.tensors).most_common()),
        "float_ops": [found._asdict() for found in count.float_ops(model)],
        "parameters": count.parameters(model),
        "weights": sum(kernel.size for kernel in weights),
        "zeros": count.zero_share(weights),
        "macs": count.total_macs(model),
        "arena": asdict(arena.estimate(model)),
        "layers": _rows(model),
        "bytes_by_layer": count.bytes_by_layer(model),
        "metadata": list(model.metadata),
        "provenance": _provenance(model.metadata.get(PROVENANCE)),
    }


def _ports(
    tensors: Sequence[Tensor], signatures: Sequence[Mapping[str, Tensor]]
) -> list[dict[str, Any]]:
    names = {tensor: name for signature in signatures for name, tensor in signature.items()}
    return [
        {
            "name": names.get(tensor, tensor.name),
            "shape": list(tensor.shape),
            "dtype": tensor.dtype,
            "scales": [_finite(scale) for scale in tensor.scales],
            "zero_points": list(tensor.zero_points),
        }
        for tensor in tensors
    ]


def _rows(model: LiteModel) -> list[dict[str, Any]]:
    read: dict[Op, list[count.Constant]] = {op: [] for op in model.ops}
    for constant in count.constants(model):
        read[constant.op].append(constant)
    return [_row(op, constants) for op, constants in read.items()]


def _row(op: Op, constants: Sequence[count.Constant]) -> dict[str, Any]:
    weights = [count.kernel(constant) for constant in constants if constant.is_kernel]
    return {
        "layer": op.layer,
        "op": op.label,
        "activation": op.fused_activation,
        "shape": list(op.outputs[0].shape) if op.outputs else [],
        "dtype": op.outputs[0].dtype if op.outputs else "",
        "weights_dtype": weights[0].dtype if weights else None,
        "weights": sum(kernel.size for kernel in weights),
        "zeros": count.zero_share(weights),
        "macs": op.macs,
        "bytes": sum(constant.tensor.stored_bytes for constant in constants),
    }


def _provenance(stored: bytes | None) -> Any:
    """The stored JSON; an object that says so where it cannot be read; None where there is none."""
    if stored is None:
        return None
    try:
        return json.loads(stored, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {"error": "this entry is not JSON"}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def render(summary: dict[str, Any]) -> RenderableType:
    """The summary as a table of operations and a list of totals, for a rich console."""
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
        table.add_row(
            Text(row["layer"]),
            Text(row["op"] + (f" + {row['activation']}" if fused else "")),
            _shape(row["shape"]),
            Text(row["dtype"], style="red" if "float" in row["dtype"] else ""),
            _weights(row),
            _percent(row["zeros"]),
            f"{row['macs']:,}" if row["macs"] else "",
            f"{row['bytes']:,}" if row["bytes"] else "",
        )
    structure = summary["bytes_by_layer"][count.STRUCTURE]
    table.add_row(Text(count.STRUCTURE, style="dim"), *[""] * 6, f"{structure:,}")
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
    found, ops = summary["float_ops"], len(summary["layers"])
    if len(found) in (0, ops):
        return f"all {ops}" if found else "none"
    lines = [f"{op['op']} in {op['layer']}: {op['reason']}" for op in found]
    return "\n".join([f"{len(found)} of {ops}", *lines])


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
