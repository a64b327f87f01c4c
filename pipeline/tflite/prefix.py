"""A file cut after each of its operations, so that the costs of neighbours can be subtracted."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.model import Op, Subgraph
from pipeline.tflite.read import damage_reported, read_model
from pipeline.tflite.rewrite import pack


class Prefix(NamedTuple):
    """A file that ends with ``operation``."""

    operation: str
    """e.g. "TRANSPOSE_CONV"."""
    layer: str
    content: bytes
    """A .tflite with the same inputs; its outputs are what the operations left out would read."""


def prefixes(content: bytes) -> list[Prefix]:
    """The file ``content`` cut after each operation of its first sub-graph, shortest first.

    Operations that only unpack a constant (the weights of a float16 file) end no prefix: they stay
    with the operation that reads it. Signatures are left out, for they name other outputs.

    Raises:
        PocketganError: ``content`` is no sound .tflite.
    """
    model = read_model(content)
    graph = model.subgraphs[0]
    ends = [place for place, op in enumerate(graph.ops) if not graph.unpacks_constant(op)]
    with damage_reported("the model"):
        table = schema.ModelT.InitFromPackedBuf(content, 0)
        table.signatureDefs = []
        operators = table.subgraphs[0].operators
        parts = []
        for end in ends:
            needed = _needed(graph, end)
            table.subgraphs[0].operators = [operators[place] for place in needed]
            table.subgraphs[0].outputs = _outputs(graph, needed)
            parts.append(Prefix(graph.ops[end].label, graph.ops[end].layer, pack(table)))
    return parts


def _needed(graph: Subgraph, end: int) -> list[int]:
    """Places of the operations up to ``end``, but no unpacking that only later ones need."""
    places: list[int] = []
    read: set[int] = set()
    for place in range(end, -1, -1):
        op = graph.ops[place]
        if not graph.unpacks_constant(op) or read & _makes(op):
            places.append(place)
            read |= {tensor.index for tensor in op.inputs if tensor is not None}
    return places[::-1]


def _outputs(graph: Subgraph, places: Sequence[int]) -> np.ndarray:
    """Indices of what the operations at ``places`` compute and not all of them use up, int32."""
    left_out = set(range(len(graph.ops))) - set(places)
    wanted = {t.index for place in left_out for t in graph.ops[place].inputs if t is not None}
    wanted |= {tensor.index for tensor in graph.outputs}
    used = {t.index for place in places for t in graph.ops[place].inputs if t is not None}
    computed = [
        tensor.index
        for place in places
        if not graph.unpacks_constant(graph.ops[place])
        for tensor in graph.ops[place].outputs
    ]
    return np.array([i for i in computed if i in wanted or i not in used], np.int32)


def _makes(op: Op) -> set[int]:
    return {tensor.index for tensor in op.outputs}
