"""What an ONNX graph computes without its inputs, computed once: constants, and shapes."""

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from pipeline.importers.onnx_files.graph import Graph, node_of
from pipeline.importers.onnx_files.reading import nodes_of

_MOST_ELEMENTS = 2**24
"""Of a constant that a few numbers in the file could make as large as they like."""
_GROWING = ("ConstantOfShape", "Expand", "Tile", "Range", "Pad", "Resize", "OneHot")
_MOST_ROUNDS = 64
"""Shapes that follow from constants make more constants: a round for each of the resizings whose
sizes are computed of each other."""
_LOOPS = ("Loop", "Scan", "SequenceMap")
"""A few numbers could make them run as long as they like."""


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """Name of each constant of numbers → its values; text is left out."""
    return {
        each.name: numpy_helper.to_array(each)
        for each in model.graph.initializer
        if each.data_type != onnx.TensorProto.STRING
    }


def folded(model: onnx.ModelProto) -> Graph:
    """The graph for a batch of one, or the file's own; its inputs must be of fixed size otherwise.

    The model is left as it is.
    """
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    constants = initializers(fixed)
    inputs = [each for each in fixed.graph.input if each.name not in constants]
    for each in inputs:
        first = each.type.tensor_type.shape.dim[:1]
        for dimension in first:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 1
    for _ in range(_MOST_ROUNDS):
        shapes = _shapes(fixed)
        before = len(constants)
        rest = [node for node in fixed.graph.node if not _fold(node, fixed, constants, shapes)]
        del fixed.graph.node[:]
        fixed.graph.node.extend(rest)
        if len(constants) == before:
            break
    return Graph(
        inputs={each.name: shapes[each.name] for each in inputs},
        outputs=tuple(each.name for each in fixed.graph.output),
        nodes=tuple(node_of(node, number) for number, node in enumerate(fixed.graph.node)),
        constants=constants,
    )


def _shapes(model: onnx.ModelProto) -> Mapping[str, tuple[int, ...]]:
    """Name → shape, of every value whose shape is known."""
    graph = shape_inference.infer_shapes(model, data_prop=True).graph
    shapes = {}
    for each in (*graph.input, *graph.value_info, *graph.output):
        dimensions = each.type.tensor_type.shape.dim
        if each.type.tensor_type.HasField("shape") and all(
            dimension.HasField("dim_value") for dimension in dimensions
        ):
            shapes[each.name] = tuple(dimension.dim_value for dimension in dimensions)
    return shapes


def _fold(
    node: onnx.NodeProto,
    model: onnx.ModelProto,
    constants: dict[str, np.ndarray],
    shapes: Mapping[str, tuple[int, ...]],
) -> bool:
    """Whether all that an operation gives is constant now; adds it to ``constants``."""
    if node.domain not in ("", "ai.onnx"):
        return False
    if node.op_type in ("Shape", "Size") and node.input[0] in shapes:
        operands = {node.input[0]: np.broadcast_to(np.float32(0), shapes[node.input[0]])}
    else:
        operands = {name: constants[name] for name in node.input if name in constants}
    if any(name and name not in operands for name in node.input):
        outputs = _empty(node, shapes)
    else:
        outputs = None if _may_not_be_computed(node, shapes) else _computed(node, model, operands)
    if outputs is None:
        return False
    for name, array in zip(node.output, outputs, strict=False):
        constants[name] = array
        model.graph.initializer.append(numpy_helper.from_array(array, name))
    return True


def _may_not_be_computed(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """Whether an operation is random, or a few numbers could make it give, or take, any amount."""
    shape = shapes.get(node.output[0])
    is_large = shape is None or math.prod(shape) > _MOST_ELEMENTS
    inner = (each.op_type for each in nodes_of([node]))
    return (
        node.op_type.startswith("Random")
        or (node.op_type in _GROWING and is_large)
        or any(each in _LOOPS for each in inner)
    )


def _empty(node: onnx.NodeProto, shapes: Mapping[str, tuple[int, ...]]) -> list[np.ndarray] | None:
    """What an operation gives that gives no numbers at all, whatever goes in; else None."""
    if not all(0 in shapes.get(name, ()) for name in node.output):
        return None
    return [np.empty(shapes[name], np.float32) for name in node.output]


def _computed(
    node: onnx.NodeProto, model: onnx.ModelProto, operands: Mapping[str, np.ndarray]
) -> list[np.ndarray] | None:
    """What one operation gives; None where the reference cannot tell."""
    alone = onnx.helper.make_graph(
        [node],
        "alone",
        [onnx.ValueInfoProto(name=name) for name in operands],
        [onnx.ValueInfoProto(name=name) for name in node.output if name],
    )
    try:
        program = onnx.helper.make_model(alone, opset_imports=model.opset_import)
        outputs = ReferenceEvaluator(program).run(None, dict(operands))
    except Exception:  # whatever the reference raises of what it does not know
        return None
    return [np.asarray(each) for each in outputs]
