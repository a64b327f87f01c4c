from collections.abc import Callable

import pytest

from deploy.jobs import Measurement
from pipeline.benchmarks.limits import limit_of
from pipeline.benchmarks.schema import File

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
    target: str, place: int, macs_each: int, measured: Make, files: tuple[File, ...]
) -> None:
    file = files[place]
    limit = limit_of(measured(target, file.name, instructions=1_000_000), file, None)
    assert limit is not None
    assert limit.share == pytest.approx(2_400_000 / macs_each / 1e6)


def test_limit_of_this_machine_is_its_memory(measured: Make, files: tuple[File, ...]) -> None:
    limit = limit_of(measured("local", "float32", p50_ms=0.001), files[0], 10e9)
    assert limit is not None
    assert limit.share == pytest.approx(4000 / 10e9 / 1e-6)


def test_limit_that_cannot_be_told_is_none(measured: Make, files: tuple[File, ...]) -> None:
    timed = measured("local", "float32", p50_ms=0.001)
    assert limit_of(timed, None, 10e9) is None
    assert limit_of(timed, files[0], None) is None
    assert limit_of(measured("ssh:pi", "float32", p50_ms=0.001), files[0], 10e9) is None
    assert limit_of(measured("micro", "int8", arena_bytes=9), files[1], 10e9) is None
