"""A graph of ONNX operations, as the translation into layers reads it."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx

from pipeline.importers.layer_mapping import UnmappedLayerError

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.]+")


@dataclass(frozen=True, kw_only=True, eq=False)
class Node:
    """One operation."""

    op: str
    name: str
    """Fit for a layer: the file's own without the characters that tf_keras refuses."""
    inputs: tuple[str, ...]
    """Names of values; empty where an optional one is left out."""
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Operations in the order of their use, and the values that are known without an input."""

    inputs: Mapping[str, tuple[int, ...]]
    """Name → shape, the batch as long as the graph was folded for."""
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: Mapping[str, np.ndarray]

    @cached_property
    def readers(self) -> Mapping[str, Sequence[Node | None]]:
        """Name of a value → the operations that read it, None for the end of the graph."""
        readers: dict[str, list[Node | None]] = defaultdict(list)
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        for name in self.outputs:
            readers[name].append(None)
        return readers

    def only_reader(self, name: str) -> Node | None:
        """The operation that reads a value, where it is the only one."""
        first, *others = self.readers[name] or [None]
        return None if others else first

    def setting(self, node: Node, name: str, place: int, default: Any = None) -> Any:
        """What newer versions of an operation read as input ``place``, and older ones as a setting.

        A constant as an array, a setting as it stands in the file, or ``default``; None too where
        the input is no constant.
        """
        if name in node.attributes:
            return node.attributes[name]
        if place >= len(node.inputs) or not node.inputs[place]:
            return default
        return self.constants.get(node.inputs[place])

    def demanded(self, node: Node, name: str, place: int) -> Sequence[Any] | np.ndarray:
        """A ``setting`` that must be constant: UnmappedLayerError where it is computed."""
        values: Sequence[Any] | np.ndarray | None = self.setting(node, name, place)
        if values is None:
            described = f"'{node.name}' ({node.op})"
            raise UnmappedLayerError(f"the {name} of operation {described} is computed")
        return values


def node_of(proto: onnx.NodeProto, number: int) -> Node:
    """An operation as the file holds it; ``number`` names it where the file does not."""
    name = proto.name or f"{proto.op_type}_{number}"
    return Node(
        op=proto.op_type if proto.domain in ("", "ai.onnx") else f"{proto.domain}.{proto.op_type}",
        name=layer_name(name),
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        attributes={each.name: onnx.helper.get_attribute_value(each) for each in proto.attribute},
    )


def layer_name(name: str) -> str:
    """A name that tf_keras takes: /main/main.0/ConvTranspose → main.main.0.ConvTranspose."""
    plain = _NOT_IN_NAMES.sub("_", name.strip("/").replace("/", ".")).lstrip("_.")
    return plain or "unnamed"
