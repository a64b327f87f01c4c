import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tf_keras

from pipeline.search.cost import predict_cost
from pipeline.search.operations import operations
from pipeline.search.size import AROUND, Structure, file_bytes, structure
from pipeline.tflite.read import read_model

Make = Callable[[str], tf_keras.Model]
NAMES = ["sub_pixel", "depthwise", "transposed", "dcgan", "dense"]


def of_kernels(model: tf_keras.Model, value: float) -> dict[str, float]:
    return {op.layer: value for op in operations(model) if op.kernel}


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_those_of_the_file_within_two_percent(
    name: str, student: Make, int8_file: Callable[..., bytes]
) -> None:
    assert predict_cost(student(name)).bytes == pytest.approx(len(int8_file(name)), rel=0.02)


@pytest.mark.parametrize(
    ("name", "bits"), [*((name, 8) for name in NAMES), ("sub_pixel", 4), ("transposed", 3)]
)
def test_gzip_bytes_are_those_of_the_file_within_some_percent(
    name: str, bits: int, student: Make, int8_file: Callable[..., bytes]
) -> None:
    model = student(name)
    every = dict.fromkeys(of_kernels(model, 0), bits)
    file = read_model(int8_file(name, bits))
    assert predict_cost(model, bits=every).bytes_gzip == pytest.approx(file.size_gzip, rel=0.05)


@pytest.mark.parametrize("name", ["sub_pixel", "dense"])
def test_fewer_bits_and_more_zeros_compress_better_but_leave_the_file_as_long(
    name: str, student: Make
) -> None:
    model = student(name)
    by_bits = [
        predict_cost(model, bits=dict.fromkeys(of_kernels(model, 0), bits)).bytes_gzip
        for bits in (8, 7, 6, 5, 4, 3, 2)
    ]
    by_zeros = [
        predict_cost(model, sparsity=of_kernels(model, share)) for share in (0, 0.3, 0.6, 0.9)
    ]
    assert by_bits == sorted(by_bits, reverse=True)
    sizes = [each.bytes_gzip for each in by_zeros]
    assert sizes == sorted(sizes, reverse=True)
    assert len({each.bytes for each in by_zeros}) == 1


def test_trained_weights_with_heavy_tails_compress_better_than_normal_ones(student: Make) -> None:
    model = tf_keras.models.clone_model(student("dcgan"))
    weights = [np.random.default_rng(3).standard_t(2.5, w.shape) for w in model.get_weights()]
    model.set_weights([np.abs(w) if w.ndim == 1 else w for w in weights])
    assert predict_cost(model, trained=True).bytes_gzip < 0.9 * predict_cost(model).bytes_gzip
    assert predict_cost(model, trained=True).bytes == predict_cost(model).bytes


def test_same_question_has_the_same_answer(student: Make) -> None:
    assert predict_cost(student("sub_pixel")) == predict_cost(student("sub_pixel"))


def test_what_surrounds_the_numbers_is_linear_in_what_there_is(student: Make) -> None:
    ops = operations(student("transposed"))
    nothing = Structure()
    longer = [dataclasses.replace(op, layer=op.layer + "_x") for op in ops]
    assert file_bytes(longer, nothing) == file_bytes(ops, nothing)
    assert structure(longer)[4] > structure(ops)[4]
    assert file_bytes(longer, AROUND) > file_bytes(ops, AROUND)
