from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploy.agent import FEWEST_RUNS
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job
from deploy.targets import find_target
from deploy.targets.litert_benchmark import read_result


def result(**changes: Any) -> dict[str, Any]:
    """What the tool of ai-edge-litert 2.3 writes, shortened to what is read."""
    latency = {
        "init_ms": 11.81,
        "warmup_first_ms": 0.33,
        "num_warmup_runs": 200,
        "avg_ms": 0.2,
        "min_ms": 0.1,
        "median_ms": 0.12,
        "num_runs": 512,
    }
    return {"fully_accelerated": True, "num_threads": 1, "latency": latency | changes}


def test_file_is_measured_by_the_tool_in_each_round(float_file: Path) -> None:
    target = find_target("litert-benchmark")
    assert target.availability().ready
    (measurement,) = measure(
        {"float32": float_file}, [target], plan=MeasuringPlan(rounds=2, runs=64, warmup=4)
    )
    assert measurement.error is None
    assert (measurement.rounds, measurement.runs) == (2, 64)
    assert measurement.runtime == "ai-edge-litert"
    assert measurement.init_ms
    assert measurement.agreement is None


def test_result_becomes_figures_and_reasons(float_file: Path, job_for: Callable[..., Job]) -> None:
    measurement = read_result(job_for(float_file, target="litert-benchmark"), result())
    assert (measurement.p50_ms, measurement.mean_ms, measurement.min_ms) == (0.12, 0.2, 0.1)
    assert (measurement.init_ms, measurement.first_ms) == (11.81, 0.33)
    assert measurement.per_second == pytest.approx(5000)
    assert (measurement.runs, measurement.delegated) == (512, 1.0)
    assert "p95" in measurement.absent["p90_ms"]


def test_what_the_tool_cannot_do_is_warned_of(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    assert read_result(job_for(float_file), result()).warnings == ()
    measurement = read_result(job_for(float_file, latents="z.npy", sustain_s=9.0), result())
    assert [warning.split(":")[0] for warning in measurement.warnings] == [
        "inputs were random",
        "sustained speed was not measured",
    ]


def test_time_that_was_rounded_away_is_absent(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    answer = result(median_ms=0.0, avg_ms=0.0, min_ms=0.0) | {"fully_accelerated": False}
    measurement = read_result(job_for(float_file), answer)
    assert measurement.p50_ms is measurement.mean_ms is measurement.per_second is None
    assert "rounds" in measurement.absent["p50_ms"]
    assert measurement.delegated is None


def test_broken_file_is_an_error_with_the_tools_own_words(
    float_file: Path, tmp_path: Path, job_for: Callable[..., Job]
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\0" * 100)
    with find_target("litert-benchmark").open() as session:
        measurement = session(job_for(broken), 60)
    assert measurement.error is not None
    assert "Failed to load model from file" in measurement.error


def test_slow_file_is_timed_for_seconds_not_for_all_runs(
    float_file: Path, job_for: Callable[..., Job]
) -> None:
    with find_target("litert-benchmark").open() as session:
        measurement = session(job_for(float_file, runs=500, warmup=500, budget_s=1e-9), 60)
        quick = session(job_for(float_file, runs=30, budget_s=60.0), 60)
    assert (measurement.error, measurement.runs) == (None, FEWEST_RUNS)
    assert quick.runs == 30


def test_hanging_tool_is_an_error(float_file: Path, job_for: Callable[..., Job]) -> None:
    with find_target("litert-benchmark").open() as session:
        measurement = session(job_for(float_file), 0.01)
    assert measurement.error == "no answer within 0.01 s"
