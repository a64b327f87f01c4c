from collections.abc import Callable

import pytest
import tf_keras

from pipeline.search.cost import predict_cost
from pipeline.search.latency import FitErrors, Latency, Unit
from pipeline.tflite.count import total_macs
from pipeline.tflite.read import read_model

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
    student: Callable[[str], tf_keras.Model],
) -> None:
    model = student("sub_pixel")
    timed, counted = (predict_cost(model, latency=latency(unit)) for unit in ("ms", "instructions"))
    assert (timed.p50_ms, timed.instructions) == (7.0, None)
    assert (counted.p50_ms, counted.instructions) == (None, 7)
    nowhere = predict_cost(model)
    assert (nowhere.p50_ms, nowhere.instructions) == (None, None)


@pytest.mark.parametrize("name", ["sub_pixel", "depthwise", "transposed", "dcgan", "dense"])
def test_macs_are_exactly_those_of_the_file(
    name: str, student: Callable[[str], tf_keras.Model], int8_file: Callable[..., bytes]
) -> None:
    assert predict_cost(student(name)).macs == total_macs(read_model(int8_file(name)))


def test_model_is_left_alone(student: Callable[[str], tf_keras.Model]) -> None:
    model = student("depthwise")
    before = [weight.copy() for weight in model.get_weights()]
    predict_cost(model, bits={"project": 3}, sparsity={"project": 0.5})
    for one, other in zip(model.get_weights(), before, strict=True):
        assert (one == other).all()
