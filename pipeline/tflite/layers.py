"""Which layer an operation belongs to: what a person calls it, read off the tensors' names."""

import re
from collections import Counter
from dataclasses import replace

from pipeline.tflite.model import Op, Subgraph, Tensor

# Nodes below a layer's operation: variable reads and TF-MOT's fake quantization.
_INNER = re.compile(r"ReadVariableOp|FakeQuant")
# TF-MOT's wrappers prefix the layer they wrap.
_WRAPPER = re.compile(r"^(quant|prune_low_magnitude)_")


def with_layers(subgraph: Subgraph) -> tuple[Op, ...]:
    """The sub-graph's operations, each with the name of the layer that it belongs to.

    The converter names a tensor after the graph nodes that were fused into it:
    ``generator/re_lu/Relu;generator/conv/BiasAdd;generator/conv/Conv2D``. The layer is the one that
    most of those paths run through, here ``conv``; the names of the operation's output and of its
    constants vote. Where none names a layer (the network's last tensor has no such name) the
    operation belongs to the layer that its input comes from; failing that it is called after itself
    and its place. What unpacks a constant belongs to its reader.
    """
    layers: dict[Op, str] = {}
    made_by: dict[Tensor, str] = {}
    read_by: dict[Tensor, str] = {}
    for position, op in enumerate(subgraph.ops):
        if subgraph.unpacks_constant(op):
            continue
        inputs = [tensor for tensor in op.inputs if tensor]
        above = next((made_by[tensor] for tensor in inputs if tensor in made_by), "")
        layers[op] = _elected(subgraph, op) or above or f"{op.name.lower()}_{position}"
        made_by.update(dict.fromkeys(op.outputs, layers[op]))
        for tensor in inputs:
            read_by.setdefault(tensor, layers[op])
    for op in reversed(subgraph.ops):
        if op not in layers:
            readers = [read_by[tensor] for tensor in op.outputs if tensor in read_by]
            layers[op] = readers[0] if readers else op.name.lower()
            read_by.update(dict.fromkeys((tensor for tensor in op.inputs if tensor), layers[op]))
    return tuple(replace(op, layer=layers[op]) for op in subgraph.ops)


def _elected(subgraph: Subgraph, op: Op) -> str:
    constants = [subgraph.constant(tensor) for tensor in op.inputs]
    named = [*op.outputs, *(tensor for tensor in constants if tensor)]
    paths = [path for tensor in named for path in tensor.name.split(";")]
    votes = Counter(filter(None, map(_layer_of, paths)))
    return votes.most_common(1)[0][0] if votes else ""


def _layer_of(path: str) -> str:
    """``model/block/conv/BiasAdd`` -> ``block/conv``; empty where the path names no layer."""
    parts = [part for part in path.split("/") if not part.startswith("StatefulPartitionedCall")]
    while parts and _INNER.match(parts[-1]):
        parts.pop()
    parts = parts[:-1]
    # The first part is the model, unless it is all there is.
    return "/".join(_WRAPPER.sub("", part) for part in parts[1:] or parts)
