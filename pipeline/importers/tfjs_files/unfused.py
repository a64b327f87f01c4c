"""Fused operations of TensorFlow.js's converter as the plain ones that they were made of.

TensorFlow has some of them only, with other attributes, and TFLite none.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import op_def_registry

_LINEAR = {
    "_FusedConv2D": "Conv2D",
    "_FusedMatMul": "MatMul",
    "FusedDepthwiseConv2dNative": "DepthwiseConv2dNative",
}
"""Fused operation → the one that comes first in it."""
_DEFAULTS = {"epsilon": 1e-4, "leakyrelu_alpha": 0.2}
"""Of the fused operations; the plain ones have others."""
_OPERANDS = {"BiasAdd": 1, "Prelu": 1, "FusedBatchNorm": 4}
"""How many further inputs an operation behind the first has; others have none."""


def unfuse(graph: Any) -> None:
    """Replace the fused operations of a GraphDef, in place; ValueError where one lacks inputs."""
    nodes = [plain for node in graph.node for plain in _plain_nodes(node)]
    del graph.node[:]
    graph.node.extend(nodes)


def _plain_nodes(node: Any) -> list[Any]:
    if node.op == "Prelu":
        return _prelu(node.name, list(node.input), node.attr["T"])
    if node.op not in _LINEAR:
        return [node]
    fused = [name.decode() for name in node.attr["fused_ops"].list.s]
    operands = list(node.input)
    chain = [_linear(node, operands[:2])]
    rest = operands[2:]
    for name in fused:
        count = _OPERANDS.get(name, 0)
        if len(rest) < count:
            raise ValueError(f"'{node.name}' lacks an input for its {name}")
        chain[-1].name = f"{node.name}/{len(chain)}_{chain[-1].op}"
        chain += _behind(name, node, [chain[-1].name, *rest[:count]])
        rest = rest[count:]
    return chain


def _linear(node: Any, inputs: Sequence[str]) -> Any:
    op = _LINEAR[node.op]
    attributes = {each.name for each in op_def_registry.get(op).attr}
    first = _node(op, node.name, inputs)
    for name in attributes & set(node.attr):
        first.attr[name].CopyFrom(node.attr[name])
    return first


def _behind(operation: str, node: Any, inputs: list[str]) -> list[Any]:
    """The nodes of one operation behind the first; the last has the name of the fused one."""
    number = node.attr["T"]
    if operation == "Prelu":
        return _prelu(node.name, inputs, number)
    batch_norm = operation == "FusedBatchNorm"
    one = _node("FusedBatchNormV3" if batch_norm else operation, node.name, inputs, number)
    if batch_norm:
        one.attr["U"].CopyFrom(number)
        one.attr["epsilon"].f = _setting(node, "epsilon")
        one.attr["is_training"].b = False
    if operation == "LeakyRelu":
        one.attr["alpha"].f = _setting(node, "leakyrelu_alpha")
    return [one]


def _setting(node: Any, name: str) -> float:
    """A setting of a fused operation: what stands at its default is often left out."""
    return float(node.attr[name].f if name in node.attr else _DEFAULTS[name])


def _prelu(name: str, inputs: Iterable[str], number: Any) -> list[Any]:
    """relu(x) − α · relu(−x)."""
    x, alpha = inputs
    return [
        _node("Relu", f"{name}/above", [x], number),
        _node("Neg", f"{name}/negative", [x], number),
        _node("Relu", f"{name}/below", [f"{name}/negative"], number),
        _node("Mul", f"{name}/slope", [alpha, f"{name}/below"], number),
        _node("Sub", name, [f"{name}/above", f"{name}/slope"], number),
    ]


def _node(op: str, name: str, inputs: Iterable[str], number: Any = None) -> Any:
    node = tf.compat.v1.NodeDef(op=op, name=name, input=inputs)
    if number is not None:
        node.attr["T"].CopyFrom(number)
    return node
