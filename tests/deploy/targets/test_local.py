import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.errors import PocketganError
from deploy.jobs import Job
from deploy.targets.local import measure, run_agent

MakeJob = Callable[..., Job]


def python(code: str) -> list[str]:
    """A command that runs ``code`` in place of the agent."""
    return [sys.executable, "-I", "-c", code]


def test_each_variant_and_thread_count_is_measured(float_file: Path, int8_file: Path) -> None:
    progress: list[tuple[int, int]] = []
    measurements = measure(
        {"float32": float_file, "int8": int8_file},
        threads=(1, 2),
        rounds=2,
        runs=33,
        warmup=4,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    assert [(m.variant, m.threads) for m in measurements] == [
        ("float32", 1),
        ("float32", 2),
        ("int8", 1),
        ("int8", 2),
    ]
    assert all(m.error is None and m.samples_ns is None for m in measurements)
    assert {(m.rounds, m.runs) for m in measurements} == {(2, 34)}
    assert {m.bytes for m in measurements[:2]} == {float_file.stat().st_size}
    assert measurements[2].output_sha256 == measurements[3].output_sha256 is not None
    assert measurements[0].output_sha256 != measurements[2].output_sha256
    assert progress[-1] == (8, 8)


def test_broken_variant_does_not_stop_the_others(float_file: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(float_file.read_bytes()[:1000])
    bad, good = measure(
        {"broken": broken, "float32": float_file},
        threads=(1,),
        rounds=2,
        runs=8,
        keep_samples=True,
    )
    assert bad.error
    assert bad.p50_ms is None
    assert good.error is None
    assert len(good.samples_ns or ()) == 8


def test_hostile_file_name_is_only_a_name(float_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "--help; $(exit 1) \n'\"ü.tflite"
    path.write_bytes(float_file.read_bytes())
    (measurement,) = measure({"odd": path}, threads=(1,), rounds=1, runs=4)
    assert measurement.error is None


def test_missing_file_is_told_before_anything_runs(float_file: Path, tmp_path: Path) -> None:
    progress: list[int] = []
    with pytest.raises(PocketganError, match=r"gone\.tflite"):
        measure(
            {"float32": float_file, "gone": tmp_path / "gone.tflite"},
            on_progress=lambda done, total: progress.append(done),
        )
    assert progress == []


@pytest.mark.parametrize("name", ["SIGKILL", "SIGSEGV", "SIGILL", "SIGABRT"])
def test_killed_agent_is_an_error_measurement(
    name: str, float_file: Path, job_for: MakeJob
) -> None:
    number = int(getattr(signal, name))
    command = python(f"import os; print('{{}}', flush=True); os.kill(os.getpid(), {number})")
    measurement = run_agent(job_for(float_file), command=command, time_limit=60)
    assert measurement.error is not None
    assert name in measurement.error
    assert measurement.variant == "float32"


def test_hanging_agent_is_an_error_measurement(float_file: Path, job_for: MakeJob) -> None:
    command = python("import time; time.sleep(600)")
    measurement = run_agent(job_for(float_file), command=command, time_limit=0.5)
    assert measurement.error == "no answer within 0.5 s"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("pass", "it said nothing"),
        ("raise SystemExit('no numpy here')", "no numpy here"),
        ("print('{}')", "exit code 0"),
        ("print('{\"p50_ms\": NaN}')", "exit code 0"),
    ],
)
def test_agent_without_a_measurement_is_an_error_measurement(
    code: str, said: str, float_file: Path, job_for: MakeJob
) -> None:
    measurement = run_agent(job_for(float_file), command=python(code), time_limit=60)
    assert measurement.error is not None
    assert said in measurement.error
