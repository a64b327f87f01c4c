from collections.abc import Callable

import pytest

from deploy.jobs import Measurement
from pipeline.report.benchmark.limits import limit_of
from pipeline.report.benchmark.schema import MeasuredFile

Make = Callable[..., Measurement]


@pytest.mark.parametrize(
    ("target", "place", "macs_each"),
    [
        ("arm:cortex-a76", 1, 16),
        ("arm:neoverse-n1:tflite-runtime", 1, 16),
        ("arm:cortex-a53", 1, 8),
        ("arm:cortex-a76", 0, 4),
    ],
)
def test_limit_of_a_counted_core_is_its_widest_instruction(
    target: str, place: int, macs_each: int, measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    file = files[place]
    limit = limit_of(measured(target, file.name, instructions=1_000_000), file, None)
    assert limit.share is not None
    assert limit.share == pytest.approx(2_400_000 / macs_each / 1e6)


def test_limit_of_this_machine_is_its_memory(
    measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    limit = limit_of(measured("local", "float32", p50_ms=0.001), files[0], 10e9)
    assert limit.share is not None
    assert limit.share == pytest.approx(4000 / 10e9 / 1e-6)


@pytest.mark.parametrize(
    ("int8", "floats", "needed"),
    [
        (2_400_000, 5, 150_000),  # dynamic range
        (2_400_000, 2, 150_000),  # int8 between a QUANTIZE and a DEQUANTIZE
        (1_600_000, 5, 300_000),  # one kernel was too small for the converter to quantize
    ],
)
def test_operations_on_floats_do_not_hide_kernels_of_int8(
    int8: int, floats: int, needed: int, measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    file = files[0].model_copy(update={"macs_int8": int8, "float_ops": floats})
    limit = limit_of(measured("arm:cortex-a76", "float32", instructions=400_000), file, None)
    assert limit.share == pytest.approx(needed / 400_000)
    assert limit.share <= 1
    assert f"at least {needed:,} instructions" in limit.words


def test_limit_that_cannot_be_told_says_why(
    measured: Make, files: tuple[MeasuredFile, ...]
) -> None:
    timed = measured("local", "float32", p50_ms=0.001)
    several = measured("local", "float32", p50_ms=0.001, threads=2)
    counted = measured("arm:cortex-a76", "float32", instructions=9)
    unknown = files[0].model_copy(update={"macs_int8": None})
    for limit, word in (
        (limit_of(timed, None, 10e9), "file"),
        (limit_of(timed, files[0], None), "bandwidth"),
        (limit_of(several, files[0], 10e9), "one thread"),
        (limit_of(counted, unknown, 10e9), "types"),
        (limit_of(measured("ssh:pi", "float32", p50_ms=0.001), files[0], 10e9), "this machine"),
        (limit_of(measured("micro", "int8", arena_bytes=9), files[1], 10e9), "counted"),
    ):
        assert limit.share is None
        assert word in limit.words
