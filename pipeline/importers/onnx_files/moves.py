"""Operations that only regroup numbers: no layer, another layout."""

import math
from collections.abc import Callable, Mapping

from pipeline.importers.onnx_files.graph import Graph, Node
from pipeline.importers.onnx_files.layout import Layout


def _reshape(graph: Graph, node: Node, layout: Layout) -> Layout:
    target = [int(length) for length in graph.demanded(node, "shape", 1)]
    if not node.attributes.get("allowzero"):
        target = [layout.shape[i] if length == 0 else length for i, length in enumerate(target)]
    if -1 in target:
        others = math.prod(length for length in target if length != -1)
        target[target.index(-1)] = math.prod(layout.shape) // max(others, 1)
    return layout.reshaped(target)


def _flatten(_graph: Graph, node: Node, layout: Layout) -> Layout:
    axis = node.attributes.get("axis", 1)  # the rank itself is allowed, too
    return layout.reshaped([math.prod(layout.shape[:axis]), math.prod(layout.shape[axis:])])


def _squeeze(graph: Graph, node: Node, layout: Layout) -> Layout:
    shape, axes = layout.shape, graph.setting(node, "axes", 1)
    if axes is None:
        axes = [index for index, length in enumerate(shape) if length == 1 and index]
    gone = {int(axis) % len(shape) for axis in axes}
    return layout.reshaped([length for index, length in enumerate(shape) if index not in gone])


def _unsqueeze(graph: Graph, node: Node, layout: Layout) -> Layout:
    axes = graph.demanded(node, "axes", 1)
    rank = len(layout.axes) + len(axes)
    added, old = {int(axis) % rank for axis in axes}, iter(layout.shape)
    return layout.reshaped([1 if index in added else next(old) for index in range(rank)])


def _transpose(_graph: Graph, node: Node, layout: Layout) -> Layout:
    return layout.transposed(node.attributes.get("perm", range(len(layout.axes))[::-1]))


def _depth_to_space(_graph: Graph, node: Node, layout: Layout) -> Layout:
    batch, channels, height, width = layout.shape
    block = node.attributes["blocksize"]
    rest = channels // block**2
    if node.attributes.get("mode", b"DCR") == b"CRD":
        split, order = [batch, rest, block, block, height, width], (0, 1, 4, 2, 5, 3)
    else:
        split, order = [batch, block, block, rest, height, width], (0, 3, 4, 1, 5, 2)
    shuffled = layout.reshaped(split).transposed(order)
    return shuffled.reshaped([batch, rest, height * block, width * block])


def _space_to_depth(_graph: Graph, node: Node, layout: Layout) -> Layout:
    batch, channels, height, width = layout.shape
    block = node.attributes["blocksize"]
    split = [batch, channels, height // block, block, width // block, block]
    shuffled = layout.reshaped(split).transposed((0, 3, 5, 1, 2, 4))
    return shuffled.reshaped([batch, channels * block**2, height // block, width // block])


MOVES: Mapping[str, Callable[[Graph, Node, Layout], Layout]] = {
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Transpose": _transpose,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
