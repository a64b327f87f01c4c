"""This machine: each job in a fresh process, through ai-edge-litert."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy import agent
from deploy.jobs import Job, Measurement
from deploy.targets.process import run_agent
from deploy.targets.target import Availability, Session, Target

# Isolated: no script folder, no user packages, no PYTHON* variables. The agent sees its runtime and
# numpy only, whoever starts it.
COMMAND = (sys.executable, "-I", str(Path(agent.__file__).resolve()))


class Local(Target):
    """ai-edge-litert in this Python environment, with XNNPACK or with its plain kernels."""

    timed_here = True

    def __init__(self, *, xnnpack: bool = True) -> None:
        self.name = "local" if xnnpack else "local:plain"
        self.delegate = "xnnpack" if xnnpack else "none"

    def availability(self) -> Availability:
        kernels = "XNNPACK" if self.delegate == "xnnpack" else "its kernels without XNNPACK"
        return Availability(f"ai-edge-litert in this environment, {kernels}", ready=True)

    @contextmanager
    def open(self) -> Iterator[Session]:
        yield answer


def answer(job: Job, time_limit: float) -> Measurement:
    """Carry out ``job`` in a fresh process of this environment."""
    return run_agent(job, command=COMMAND, time_limit=time_limit)
