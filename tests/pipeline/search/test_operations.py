from collections.abc import Callable

import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.search import calibration
from pipeline.search.operations import Operation, operations
from pipeline.tflite.count import total_macs
from pipeline.tflite.read import read_model

L = tf_keras.layers


def assert_same_as_file(ops: list[Operation], content: bytes) -> None:
    """Operations, multiply-accumulates, values moved and scales are those of the file."""
    file = read_model(content)
    assert sorted(op.op for op in ops) == sorted(op.label for op in file.ops)
    assert sorted(op.macs for op in ops) == sorted(op.macs for op in file.ops)
    assert sum(op.macs for op in ops) == total_macs(file)
    computed = {
        op.op: sum(t.size for t in (*op_.inputs, *op_.outputs) if t and not t.is_constant)
        for op in ops
        for op_ in file.ops
        if op_.label == op.op and op.op in ("RESHAPE", "ADD")
    }
    assert {op.op: op.moved for op in ops if op.op in computed} == computed


@pytest.mark.parametrize(
    "name",
    [
        "sub_pixel",
        "depthwise",
        "transposed",
        "dcgan",
        "dense",
        "r3gan",
        "stylegan",
        "biggan",
        "progressive",
    ],
)
def test_operations_are_those_of_the_file(
    name: str,
    student: Callable[[str], tf_keras.Model],
    int8_file: Callable[..., bytes],
) -> None:
    ops = operations(student(name))
    assert_same_as_file(ops, int8_file(name))
    scales = {
        op.layer: len(tensor.scales)
        for op in read_model(int8_file(name)).ops
        for tensor in op.inputs
        if tensor and tensor.is_constant and tensor.dtype == "int8"
    }
    assert {op.layer: op.ranges for op in ops if op.kernel} == scales


def test_operations_of_layers_that_students_lack_are_those_of_the_file() -> None:
    model = calibration.with_random_weights(calibration._resized((28, 28, 1), 4, residual=True))
    assert_same_as_file(operations(model), calibration.int8_file(model))


def test_kernels_of_few_bits_have_one_range(student: Callable[[str], tf_keras.Model]) -> None:
    name = "sub_pixel"
    (mix,) = [op for op in operations(student(name)) if op.layer == "mix_1"]
    (coarse,) = [op for op in operations(student(name), {"mix_1": 4}) if op.layer == "mix_1"]
    assert (mix.ranges, coarse.ranges) == (16, 1)


def test_layer_without_int8_form_is_refused() -> None:
    model = tf_keras.Sequential([L.Input([4]), L.LayerNormalization(name="strange")])
    with pytest.raises(PocketganError, match="'strange'"):
        operations(model)
