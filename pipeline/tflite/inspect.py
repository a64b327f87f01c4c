"""What a person wants to know about a .tflite: a summary."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pipeline.tflite import arena, count
from pipeline.tflite.count import float_ops
from pipeline.tflite.entry import NO_CHOICE, Entered, EntryChoice, enter
from pipeline.tflite.model import LiteModel, Op, Tensor
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE
from pipeline.tflite.work import is_uncounted, loops_around

OTHER_SIGNATURES = "(other signatures)"


def describe(path: str | Path, choice: EntryChoice = NO_CHOICE) -> dict[str, Any]:
    """Everything that can be read off the file, by one way into it, as JSON-safe values.

    It is run once where it leaves sizes free, and only then. Sizes in bytes, shares 0..1; what
    does not exist (a share of no weights) or is not known is None: ``macs`` with its reason in
    ``macs_unknown``, ``arena`` with that in ``unsized``. ``layers`` has one row an operation, in
    order. Raises PocketganError where the file is no sound .tflite, and as
    ``pipeline.tflite.entry.enter`` does.
    """
    file = read_model(path)
    entered = enter(file, choice, str(path))
    return _of_file(file, path) | _of_entered(entered, file)


def _of_file(file: LiteModel, path: str | Path) -> dict[str, Any]:
    return {
        "path": str(path),
        "sha256": file.sha256,
        "bytes": file.size,
        "bytes_gzip": file.size_gzip,
        "bytes_zstd": file.size_zstd,
        "description": file.description,
        "signatures": [signature.key for signature in file.signatures],
        "metadata": list(file.metadata),
        "provenance": _provenance(file.metadata.get(PROVENANCE)),
    }


def _of_entered(entered: Entered, file: LiteModel) -> dict[str, Any]:
    model, work = entered.model, entered.work
    weights = count.kernels(model)
    return {
        "signature": entered.signature,
        "unsized": entered.why_unsized or None,
        "inputs": [
            port | {"file_shape": shape}
            for port, shape in zip(_ports(model, model.inputs), entered.file_shapes, strict=True)
        ],
        "outputs": _ports(model, model.outputs),
        "ops": count.op_counts(model),
        "dtypes": dict(Counter(tensor.dtype for tensor in model.tensors).most_common()),
        "float_ops": [op._asdict() for op in float_ops(model)],
        "parameters": count.parameters(model),
        "weights": sum(kernel.size for kernel in weights),
        "zeros": count.zero_share(weights),
        "macs": None if entered.macs_unknown else work.once,
        "macs_unknown": entered.macs_unknown or None,
        "macs_outside_loops": None if entered.why_unsized else work.once,
        "loops": [{"layer": loop.layer, "macs_per_turn": loop.macs} for loop in work.loops],
        "arena": None if entered.why_unsized else asdict(arena.estimate(model)),
        "layers": _rows(model, sized=not entered.why_unsized),
        "bytes_by_layer": _bytes_by_layer(model, file),
    }


def _bytes_by_layer(model: LiteModel, file: LiteModel) -> dict[str, int]:
    """Of the whole file: what only other signatures read is a row of its own."""
    layers, whole = count.bytes_by_layer(model), count.bytes_by_layer(file)
    del layers[count.STRUCTURE]
    others = sum(whole.values()) - whole[count.STRUCTURE] - sum(layers.values())
    if others:
        layers[OTHER_SIGNATURES] = others
    return {**layers, count.STRUCTURE: file.size - sum(layers.values())}


def _ports(model: LiteModel, tensors: Sequence[Tensor]) -> list[dict[str, Any]]:
    return [
        {
            "name": model.port_name(tensor),
            "shape": list(tensor.shape),
            "free_axes": list(tensor.free_axes),
            "dtype": tensor.dtype,
            "scales": [s if math.isfinite(s) else None for s in tensor.scales],
            "zero_points": list(tensor.zero_points),
        }
        for tensor in tensors
    ]


def _rows(model: LiteModel, *, sized: bool) -> list[dict[str, Any]]:
    read: dict[Op, list[count.Constant]] = {op: [] for op in model.ops}
    for constant in count.constants(model):
        read[constant.op].append(constant)
    around = loops_around(model)
    loops = {
        op: around.get(n) or None for n, graph in enumerate(model.subgraphs) for op in graph.ops
    }
    return [
        _row(op, constants) | {"loop": loops[op], "macs": _macs(op, sized=sized)}
        for op, constants in read.items()
    ]


def _row(op: Op, constants: Sequence[count.Constant]) -> dict[str, Any]:
    weights = [count.kernel(constant) for constant in constants if constant.is_kernel]
    return {
        "layer": op.layer,
        "op": op.label,
        "activation": op.fused_activation,
        "shape": list(op.outputs[0].shape) if op.outputs else [],
        "free_axes": list(op.outputs[0].free_axes) if op.outputs else [],
        "dtype": op.outputs[0].dtype if op.outputs else "",
        "weights_dtype": weights[0].dtype if weights else None,
        "weights": sum(kernel.size for kernel in weights),
        "zeros": count.zero_share(weights),
        "bytes": sum(constant.tensor.stored_bytes for constant in constants),
    }


def _macs(op: Op, *, sized: bool) -> int | None:
    """Of one run of the operation, in a loop of one turn; None where it is not known."""
    depends = op.macs and not sized
    return None if depends or is_uncounted(op) else op.macs


def _provenance(stored: bytes | None) -> Any:
    """The stored JSON; an object that says so where it cannot be read; None where there is none."""
    if stored is None:
        return None
    try:
        return json.loads(stored, parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return {"error": "this entry is not JSON"}
