from collections.abc import Callable

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.tflite import count
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from pipeline.tflite.twin import float32_twin, int8_twin, twin
from tests.pipeline.tflite import others

Variant = Callable[[str], bytes]
LATENTS = np.random.default_rng(3).normal(size=(4, 16)).astype(np.float32)
ROUNDING = ("QUANTIZE", "DEQUANTIZE")


@pytest.mark.parametrize("kind", ["int8", "dynamic-range", "int8 inside float borders", "float16"])
def test_float32_twin_draws_what_the_file_draws(kind: str, variant: Variant) -> None:
    content = variant(kind)
    widened = float32_twin(read_model(content))
    assert np.abs(draw(content, LATENTS) - draw(widened, LATENTS)).mean() < 0.05


@pytest.mark.parametrize("kind", ["int8", "int16x8", "sparse int8", "int8 inside float borders"])
def test_float32_twin_has_the_same_layers_and_rounds_nothing(kind: str, variant: Variant) -> None:
    model = read_model(variant(kind))
    widened = read_model(float32_twin(model))
    assert not count.int8_macs(widened)
    assert [op.name for op in widened.ops] == [
        op.name for op in model.ops if op.name not in ROUNDING
    ]
    assert count.total_macs(widened) == count.total_macs(model)


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_int8_twin_has_the_same_layers_in_int8(kind: str, variant: Variant) -> None:
    model = read_model(variant(kind))
    rounded = read_model(int8_twin(model))
    assert not count.float_ops(rounded)
    assert count.int8_macs(rounded) == count.total_macs(model)
    draw(rounded.content, LATENTS)  # it runs


def test_twin_is_the_other_type(variant: Variant) -> None:
    assert count.int8_macs(twin(read_model(variant("float32"))))
    assert not count.int8_macs(twin(read_model(variant("int8"))))


def test_file_with_operations_of_its_makers_own_has_no_int8_twin() -> None:
    with pytest.raises(PocketganError, match=r"quantizer makes no int8 file of it: .*Erfinv"):
        int8_twin(read_model(others.with_custom_operation()))
