import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.jobs import Job
from deploy.targets.target import run_agent

MakeJob = Callable[..., Job]


def python(code: str) -> list[str]:
    """A command that runs ``code`` in place of the agent."""
    return [sys.executable, "-I", "-c", code]


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
