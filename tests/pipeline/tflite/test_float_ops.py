from collections.abc import Callable
from typing import Any

import pytest

from deploy.errors import PocketganError
from pipeline.tflite.float_ops import refuse_float
from pipeline.tflite.read import read_model

Variant = Callable[[str], bytes]


def refusal(content: bytes) -> PocketganError:
    with pytest.raises(PocketganError) as refused:
        refuse_float(read_model(content), "int8-qat")
    return refused.value


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_an_integer_file_passes(kind: str, variant: Variant) -> None:
    refuse_float(read_model(variant(kind)), "int8")


def test_refusal_names_the_variant_each_operation_and_its_layer(variant: Variant) -> None:
    problem = refusal(variant("float32")).problem
    assert problem.startswith("variant int8-qat is not int8")
    for named in ("FULLY_CONNECTED in dense", "CONV_2D in picture", "its weights are float32"):
        assert named in problem


def test_float_borders_are_refused_with_their_remedy(variant: Variant) -> None:
    refused = refusal(variant("int8 inside float borders"))
    assert "QUANTIZE in" in refused.problem
    assert refused.remedy == "The input is float; convert with int8 input and output."


@pytest.mark.parametrize(
    ("ops", "remedy"),
    [
        (["MUL", "ADD"], "A batch norm is left over"),
        (["SUB", "RSQRT"], "Instance and layer norms"),
        (["ELU"], "Replace the layer"),
        ([], "The input is float"),
    ],
    ids=str,
)
def test_remedy_is_for_the_cause_and_not_for_what_stands_around_it(
    ops: list[str], remedy: str, pack: Callable[..., bytes], tensor: Callable[..., Any]
) -> None:
    chain = ["QUANTIZE", "DEQUANTIZE", *ops, "QUANTIZE"]
    dtypes = ["FLOAT32", "INT8", *["FLOAT32"] * (len(ops) + 1), "INT8"]
    tensors = [tensor([1, 4], dtype, name="net/culprit/Op") for dtype in dtypes]
    steps = [(name, [i], [i + 1]) for i, name in enumerate(chain)]
    refused = refusal(pack(tensors, [], steps, outputs=[len(chain)]))
    assert all(f"{op} in culprit" in refused.problem for op in chain)
    assert refused.remedy.startswith(remedy)


def test_a_long_list_is_cut_short(pack: Callable[..., bytes], tensor: Callable[..., Any]) -> None:
    tensors = [tensor([1, 4], "FLOAT32", name=f"net/layer_{i}/Op") for i in range(13)]
    content = pack(tensors, [], [("ELU", [i], [i + 1]) for i in range(12)], outputs=[12])
    problem = refusal(content).problem
    assert problem.count("ELU in layer_") == 8
    assert problem.endswith(" and 4 more.")
