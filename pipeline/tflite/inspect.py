"""What a person wants to know about a .tflite: a summary."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.tflite import arena, count
from pipeline.tflite.count import float_ops
from pipeline.tflite.model import LiteModel, Op, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE


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
        "float_ops": [op._asdict() for op in float_ops(model)],
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
            "scales": [s if math.isfinite(s) else None for s in tensor.scales],
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
