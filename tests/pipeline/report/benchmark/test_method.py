from collections.abc import Callable

from deploy.jobs import Measurement
from pipeline.report.benchmark.method import method

Make = Callable[..., Measurement]


def sentences(*measurements: Measurement) -> str:
    return " ".join(method(measurements, {"seed": 3, "latents": None}))


def test_enough_runs_are_mlperfs_single_stream(measured: Make) -> None:
    said = sentences(measured("local", "int8", p50_ms=1, runs=2048, rounds=4))
    assert "2,048 of each file, in 4 fresh processes" in said
    assert "That is MLPerf's single stream" in said
    assert "by seed 3" in said


def test_too_few_runs_anywhere_are_a_quick_look(measured: Make) -> None:
    said = sentences(
        measured("local", "a", p50_ms=1, runs=2048), measured("local", "b", p50_ms=1, runs=8)
    )
    assert "8 to 2,048 of each file" in said
    assert "That is" not in said
    assert "fresh processes" not in said


def test_counted_targets_alone_have_no_stream(measured: Make) -> None:
    said = sentences(measured("arm:cortex-a53", "int8", instructions=9, runs=3))
    assert "MLPerf" not in said
    assert "counted between two marks" in said
    assert "memory" not in said


def test_given_latents_are_told() -> None:
    assert method((), {"seed": 0, "latents": "z.npy"})[0].startswith("Inputs are those of")
