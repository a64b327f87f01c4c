"""The same network in the other type: float32 of an int8 file, int8 of a float32 one.

A twin is made to be measured beside its file, operation by operation: what it computes with is of
the same shapes. What an int8 twin draws is worth nothing, as its ranges come of random inputs.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from deploy.errors import PocketganError, plain
from pipeline.tflite.model import LiteModel, Tensor
from pipeline.tflite.read import damage_reported, read_model
from pipeline.tflite.rewrite import pack

_ROUNDING = ("QUANTIZE", "DEQUANTIZE")
_INTEGERS = ("int2", "int4", "uint4", "int8", "uint8", "int16", "int32", "int64")
QUANTIZER = (sys.executable, "-I", str(Path(__file__).with_name("quantizer.py")))


def float32_twin(model: LiteModel) -> bytes:
    """``model`` with each rounded number as the float32 that it means, and nothing that rounds.

    It draws what the file draws, but for the rounding between operations.

    Raises:
        PocketganError: a constant cannot be read, or the file is damaged.
    """
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(model.content, 0)
        for graph, subgraph in zip(table.subgraphs, model.subgraphs, strict=True):
            for tensor, about in zip(graph.tensors, subgraph.tensors, strict=True):
                if _is_rounded(about) or _is_half(about):
                    _widen(table, tensor, about)
            _without_rounding(table, graph)
        table.signatureDefs = []
        _forget_unused_codes(table)
        return pack(table)


def _is_rounded(tensor: Tensor) -> bool:
    return bool(tensor.scales) and tensor.dtype in _INTEGERS


def _is_half(tensor: Tensor) -> bool:
    return tensor.is_constant and tensor.dtype == "float16"


def _widen(table: Any, tensor: Any, about: Tensor) -> None:
    tensor.type = schema.TensorType.FLOAT32
    tensor.quantization = None
    tensor.sparsity = None
    if about.is_constant:
        values = np.ascontiguousarray(about.real(), "<f4")
        tensor.buffer = len(table.buffers)
        table.buffers.append(schema.BufferT(np.frombuffer(values.tobytes(), np.uint8)))


def _without_rounding(table: Any, graph: Any) -> None:
    """Whoever read what a rounding operation gave reads what it read."""
    instead: dict[int, int] = {}
    kept_operators = []
    for operator in graph.operators or []:
        operator.inputs = np.array([instead.get(int(i), int(i)) for i in operator.inputs], np.int32)
        if _name(table, operator) in _ROUNDING and _is_float(graph, operator):
            instead[int(operator.outputs[0])] = int(operator.inputs[0])
        else:
            kept_operators.append(operator)
    graph.operators = kept_operators
    graph.outputs = np.array([instead.get(int(i), int(i)) for i in graph.outputs], np.int32)


def _forget_unused_codes(table: Any) -> None:
    """A runtime looks up each that the file lists, whether or not an operation has it."""
    operators = [op for graph in table.subgraphs for op in graph.operators]
    used = sorted({op.opcodeIndex for op in operators})
    for op in operators:
        op.opcodeIndex = used.index(op.opcodeIndex)
    table.operatorCodes = [table.operatorCodes[number] for number in used]


def _name(table: Any, operator: Any) -> str:
    code = table.operatorCodes[operator.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return next(
        (name for name, value in vars(schema.BuiltinOperator).items() if value == number), ""
    )


def _is_float(graph: Any, operator: Any) -> bool:
    """Whether it reads and writes float32 by now, and so does nothing."""
    ports = (operator.inputs[0], operator.outputs[0])
    return all(graph.tensors[port].type == schema.TensorType.FLOAT32 for port in ports)


def int8_twin(model: LiteModel) -> bytes:
    """``model`` in int8 through and through, as far as LiteRT's quantizer can.

    Raises:
        PocketganError: it cannot.
    """
    content = float32_twin(model)  # the quantizer reads nothing else
    shapes = json.dumps([list(tensor.shape) for tensor in model.inputs])
    done = subprocess.run([*QUANTIZER, shapes], input=content, capture_output=True)
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["it crashed"]
        raise PocketganError(
            f"LiteRT's quantizer makes no int8 file of it: {plain(said[-1])[:200]}"
        )
    return done.stdout


def twin(model: LiteModel) -> LiteModel:
    """The float32 file of one that holds integers, else the int8 file of it.

    Raises:
        PocketganError: there is none.
    """
    rounded = any(_is_rounded(tensor) for tensor in model.tensors)
    return read_model(float32_twin(model) if rounded else int8_twin(model))
