import pytest

from pipeline.report.cores import (
    core_of,
    cycle_peak,
    int8_instruction,
    lacks_dot_product,
    needed_instructions,
)


@pytest.mark.parametrize(
    ("target", "core", "lacks"),
    [
        ("arm:cortex-a53", "cortex-a53", True),
        ("arm:cortex-a76:tflite-runtime", "cortex-a76", False),
        ("local", "", False),
        ("ssh:pi@board", "", False),
    ],
)
def test_target_names_its_core(target: str, core: str, lacks: bool) -> None:
    assert core_of(target) == core
    assert lacks_dot_product(target) is lacks


def test_dot_product_halves_the_least_that_int8_needs() -> None:
    assert int8_instruction("arm:cortex-a76") == (16, "SDOT")
    assert needed_instructions("arm:cortex-a76", int8=160, other=40) == 10 + 10
    assert needed_instructions("arm:cortex-a53", int8=160, other=40) == 20 + 10


def test_peak_of_a_cycle_is_of_cores_whose_pipelines_are_documented() -> None:
    narrow, wide = cycle_peak("arm:cortex-a53"), cycle_peak("arm:neoverse-n1")
    assert narrow is not None
    assert wide is not None
    assert wide.int8 / narrow.int8 == 8
    assert cycle_peak("arm:cortex-a72") is None
    assert cycle_peak("local") is None
