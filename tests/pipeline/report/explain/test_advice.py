import pytest

from pipeline.report.explain.advice import advice
from pipeline.report.explain.schema import ExplainedOperation
from tests.pipeline.report.explain.conftest import Explained, File, Operation


def test_transposed_convolutions_are_to_be_replaced_with_the_gain_measured_there(
    explained: Explained,
) -> None:
    said = list(advice(explained()))
    assert said[0].startswith("In place of its transposed convolutions (90.0 %)")
    assert (
        "on arm:cortex-a53 (median of 5 pairs of generators, 0.64× to 1.16×); see docs/suite.md."
        in said[0]
    )
    assert "depthwise" in said[1]
    assert "pocketgan compress" in said[2]


def test_where_it_was_not_measured_it_is_said_where_it_was(explained: Explained) -> None:
    said = " ".join(advice(explained(target="ssh:pi@board")))
    assert "on arm:cortex-a53" in said
    assert "not measured on ssh:pi@board" in said


def test_what_does_not_pay_on_a_core_is_not_advised(
    explained: Explained, file: File, operation: Operation
) -> None:
    free = file(
        operation("TRANSPOSE_CONV", 90.0, on_fast_path=False, size_is_computed=True, macs=100)
    )
    said = {
        target: " ".join(advice(explained(target=target, file=free, other=None)))
        for target in ("arm:cortex-a53", "local")
    }
    assert "batch of 1" in said["local"]
    assert "batch of 1" not in said["arm:cortex-a53"]  # it costs more there: docs/explain.md


def test_normalization_of_instances_is_to_be_batch_norm(
    explained: Explained, file: File, operation: Operation
) -> None:
    norms = file(
        operation("CONV_2D", 50.0, macs=10), operation("MEAN", 30.0), operation("RSQRT", 5.0)
    )
    (said, *_) = advice(explained(file=norms, other=None))
    assert said.startswith("Batch norm in place of instance")
    assert "(41.2 %)" in said


def test_rounding_between_costs_its_own_share(
    explained: Explained, file: File, operation: Operation
) -> None:
    def of(precision: str) -> str:
        operations = operation("CONV_2D", 90.0, macs=10), operation("QUANTIZE", 10.0)
        return " ".join(advice(explained(file=file(*operations, precision=precision), other=None)))

    assert "QUANTIZE and DEQUANTIZE take 10.0 % here" in of("mixed")
    assert "QUANTIZE" not in of("int8")  # from one scale to another: nothing there is in float


def test_weights_of_half_precision_are_not_taken_for_rounding(
    explained: Explained, file: File, operation: Operation
) -> None:
    half = file(
        operation("DEQUANTIZE", 10.0), operation("CONV_2D", 90.0, macs=10), precision="float32"
    )
    assert "DEQUANTIZE" not in " ".join(advice(explained(file=half, other=None)))


def test_uneven_channels_are_named_where_they_cost(
    explained: Explained, file: File, operation: Operation
) -> None:
    def of(channels: int) -> str:
        wide = file(operation("CONV_2D", 90.0, macs=10, shape=(1, 8, 8, channels)))
        return " ".join(advice(explained(target="local", file=wide, other=None)))

    assert "there are 20 in conv_2d" in of(20)
    assert "multiples of 8" not in of(24)
    assert "multiples of 8" not in of(3)  # the picture


def test_resizing_before_a_convolution_is_to_be_sub_pixel(
    explained: Explained, file: File, operation: Operation
) -> None:
    resizing, convolution = operation("RESIZE_BILINEAR", 10.0), operation("CONV_2D", 30.0, macs=10)
    dense = operation("FULLY_CONNECTED", 60.0, macs=10)

    def of(*operations: ExplainedOperation) -> str:
        return " ".join(advice(explained(file=file(*operations), other=None)))

    text = "In place of resizing and the convolution behind it (40.0 %)"
    assert text in of(dense, resizing, convolution)
    assert "In place of resizing" not in of(convolution, dense, resizing)


@pytest.mark.parametrize(
    ("enlarges", "words"),
    [(4, "to four times the channels"), (16, "to 16 times"), (0, ""), (1, "")],
)
@pytest.mark.parametrize("name", ["RESIZE_BILINEAR", "TRANSPOSE_CONV"])
def test_sub_pixel_is_for_what_enlarges_and_says_to_how_many_channels(
    name: str,
    enlarges: int,
    words: str,
    explained: Explained,
    file: File,
    operation: Operation,
) -> None:
    enlarging = operation(name, 60.0, enlarges=enlarges)
    convolution = operation("CONV_2D", 40.0, macs=10)
    said = " ".join(advice(explained(file=file(enlarging, convolution), other=None)))
    assert words in said
    assert ("sub-pixel" in said) == bool(words)


def test_gains_of_int8_files_are_called_so_beside_a_float_file(explained: Explained) -> None:
    pair = explained()
    of_int8 = "Measured of int8 files, not measured of these, it left"
    assert of_int8 in " ".join(advice(explained(file=pair.other, other=pair.file)))
    assert of_int8 not in " ".join(advice(pair))


def test_float32_is_advised_only_where_it_is_cheaper(
    explained: Explained, file: File, operation: Operation
) -> None:
    assert "ship float32" in " ".join(advice(explained()))
    cheap = file(operation("TRANSPOSE_CONV", 100_000, macs=800_000))
    assert "ship float32" not in " ".join(advice(explained(file=cheap)))


def test_file_that_nothing_applies_to_is_told_so(
    explained: Explained, file: File, operation: Operation
) -> None:
    plain = file(operation("FULLY_CONNECTED", 10.0, macs=10))
    said = list(advice(explained(file=plain, other=None)))
    assert said == [
        "Nothing that was measured in docs/suite.md and docs/explain.md would make it cheaper here."
    ]


def test_on_an_npu_only_what_holds_there_is_said(
    explained: Explained, file: File, operation: Operation
) -> None:
    def on_npu(name: str) -> list[str]:
        compiled = file(operation(name, 90.0, macs=10))
        npu = {"target": "npu:ethos-u55-128", "unit": "cycles", "fast_path": "NPU"}
        return list(advice(explained(**npu, file=compiled, other=None)))

    (dense,) = on_npu("FULLY_CONNECTED")
    assert "uses each weight once" in dense
    assert "Not compiled for this file." in dense
    (other,) = on_npu("TRANSPOSE_CONV")
    assert other.startswith("No change of a network was measured on an NPU")


def test_int8_is_advised_for_a_float_file_where_it_is_cheaper(
    explained: Explained, file: File, operation: Operation
) -> None:
    floats = explained().other
    cheap = file(operation("TRANSPOSE_CONV", 65_000, macs=800_000))
    assert "int8 in place of float32: it takes 0.10× of the cost" in " ".join(
        advice(explained(file=floats, other=cheap))
    )
    assert "in place of float32" not in " ".join(
        advice(explained(file=floats, other=explained().file))
    )
