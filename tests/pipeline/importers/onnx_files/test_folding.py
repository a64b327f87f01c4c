"""What follows from constants and sizes alone."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from pipeline.importers.onnx_files.folding import folded

RESIZINGS = 12


def test_sizes_that_are_computed_of_each_other_are_all_known(writer: Any) -> None:
    x = writer.input("z", 1, 1, 1, 1)
    for _ in range(RESIZINGS):
        ends = [writer.constant([2]), writer.constant([4]), writer.constant([0])]
        sides = writer.op("Cast", writer.op("Slice", writer.op("Shape", x), *ends), to=1)
        larger = writer.op("Floor", writer.op("Add", sides, writer.constant([1.5, 2.5])))
        sizes = [writer.constant([1, 1]), writer.op("Cast", larger, to=TensorProto.INT64)]
        x = writer.op("Resize", x, "", "", writer.op("Concat", *sizes, axis=0))
    graph = folded(writer.model(x))
    assert [node.op for node in graph.nodes] == ["Resize"] * RESIZINGS
    last = graph.constants[graph.nodes[-1].inputs[3]]
    assert last.tolist() == [1, 1, 1 + RESIZINGS, 1 + 2 * RESIZINGS]


def test_loop_is_left_to_the_runtime_however_often_it_turns(writer: Any) -> None:
    nodes = [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["a"], ["b"])]
    flag, number = ([TensorProto.BOOL, []], [TensorProto.FLOAT, [1]])
    inputs = {"turn": [TensorProto.INT64, []], "go": flag, "a": number}
    body = helper.make_graph(
        nodes,
        "body",
        [helper.make_tensor_value_info(name, *kind) for name, kind in inputs.items()],
        [helper.make_tensor_value_info(*each) for each in (["on", *flag], ["b", *number])],
    )
    writer.initializers.append(numpy_helper.from_array(np.array(True), "true"))
    looped = writer.op(
        "Loop", writer.constant(np.array(3)), "true", writer.constant([1.0]), body=body
    )
    output = writer.op("Add", writer.input("z", 1, 1), looped)
    assert [node.op for node in folded(writer.model(output)).nodes] == ["Loop", "Add"]
