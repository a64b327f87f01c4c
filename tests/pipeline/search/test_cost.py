import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import tf_keras

from pipeline.search.cost import AROUND, Structure, file_bytes, predict_cost, structure
from pipeline.search.latency import FitErrors, Latency, Unit
from pipeline.search.operations import operations
from pipeline.tflite.count import total_macs
from pipeline.tflite.read import read_model

Make = Callable[[str], tf_keras.Model]
NAMES = ["sub_pixel", "depthwise", "transposed", "dcgan", "dense"]
FIT = FitErrors(
    generators=1,
    median=0,
    largest=0,
    left_out_median=0,
    left_out_largest=0,
    left_out_worst="",
)


def latency(unit: Unit) -> Latency:
    return Latency(
        target="there", unit=unit, tile=(1, 1), costs={"a run": 3.0, "TANH": 4.0}, fit=FIT
    )


def test_speed_is_told_in_the_unit_of_the_target(
    student: Make,
) -> None:
    model = student("sub_pixel")
    timed, counted = (predict_cost(model, latency=latency(unit)) for unit in ("ms", "instructions"))
    assert (timed.p50_ms, timed.instructions) == (7.0, None)
    assert (counted.p50_ms, counted.instructions) == (None, 7)
    nowhere = predict_cost(model)
    assert (nowhere.p50_ms, nowhere.instructions) == (None, None)


@pytest.mark.parametrize("name", NAMES)
def test_macs_are_exactly_those_of_the_file(
    name: str, student: Make, int8_file: Callable[..., bytes]
) -> None:
    assert predict_cost(student(name)).macs == total_macs(read_model(int8_file(name)))


def test_model_is_left_alone(student: Make) -> None:
    model = student("depthwise")
    before = [weight.copy() for weight in model.get_weights()]
    predict_cost(model, bits={"project": 3}, sparsity={"project": 0.5})
    for one, other in zip(model.get_weights(), before, strict=True):
        assert (one == other).all()


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
