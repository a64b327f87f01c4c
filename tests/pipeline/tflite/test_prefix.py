from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from deploy.errors import PocketganError
from pipeline.tflite.prefix import prefixes
from pipeline.tflite.read import read_model

Variant = Callable[[str], bytes]


def run(content: bytes, **options: Any) -> Interpreter:
    interpreter = Interpreter(model_content=content, **options)
    interpreter.allocate_tensors()
    detail = interpreter.get_input_details()[0]
    generator = np.random.default_rng(1)
    values = generator.integers(-100, 100, size=detail["shape"]).astype(detail["dtype"])
    interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    return interpreter


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8", "sparse"])
def test_prefixes_end_with_each_operation_that_computes(kind: str, variant: Variant) -> None:
    content = variant(kind)
    graph = read_model(content).subgraphs[0]
    found = prefixes(content)
    assert [(p.operation, p.layer) for p in found] == [
        (op.label, op.layer) for op in graph.ops if not graph.unpacks_constant(op)
    ]
    for place, prefix in enumerate(found):
        cut = read_model(prefix.content).subgraphs[0]
        computing = [op for op in cut.ops if not cut.unpacks_constant(op)]
        assert [op.label for op in computing] == [p.operation for p in found[: place + 1]]
        assert cut.inputs[0].name == graph.inputs[0].name


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8"])
def test_prefix_computes_what_the_whole_file_computes_up_to_there(
    kind: str, variant: Variant
) -> None:
    # Plain kernels: only then does the interpreter keep what lies between the operations.
    plain = {
        "experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        "experimental_preserve_all_tensors": True,
    }
    content = variant(kind)
    whole = run(content, **plain)
    for prefix in prefixes(content):
        cut = run(prefix.content, **plain)
        for detail in cut.get_output_details():
            expected = whole.get_tensor(detail["index"])
            np.testing.assert_array_equal(cut.get_tensor(detail["index"]), expected)


@pytest.mark.parametrize("kind", ["float32", "float16", "dynamic-range", "int8"])
def test_longest_prefix_draws_what_the_file_draws(kind: str, variant: Variant) -> None:
    content = variant(kind)
    drawn, again = (
        interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        for interpreter in (run(content), run(prefixes(content)[-1].content))
    )
    np.testing.assert_array_equal(drawn, again)


def test_prefix_of_float16_unpacks_no_weights_of_later_layers(variant: Variant) -> None:
    content = variant("float16")
    assert len(read_model(prefixes(content)[0].content).ops) < len(read_model(content).ops) / 2


def test_all_that_later_operations_read_is_an_output(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    shape = (1, 4)
    content = pack(
        [tensor(shape, "FLOAT32", name=name) for name in "iabcd"],
        [],
        [("RELU", [0], [1]), ("TANH", [1], [2]), ("NEG", [1], [3]), ("ADD", [2, 3], [4])],
        outputs=[4],
    )
    outputs = [[t.name for t in read_model(prefix.content).outputs] for prefix in prefixes(content)]
    assert outputs == [["a"], ["a", "b"], ["b", "c"], ["d"]]


def test_output_between_the_operations_stays_an_output(
    pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    content = pack(
        [tensor((1, 4), "FLOAT32", name=name) for name in "iab"],
        [],
        [("RELU", [0], [1]), ("TANH", [1], [2])],
        outputs=[1, 2],
    )
    assert [t.name for t in read_model(prefixes(content)[-1].content).outputs] == ["a", "b"]


def test_damaged_file_has_no_prefixes(variant: Variant) -> None:
    content = variant("int8")
    with pytest.raises(PocketganError, match="damaged"):
        prefixes(content[: len(content) // 2])
