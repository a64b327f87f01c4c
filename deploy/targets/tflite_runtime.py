"""This machine through tflite-runtime, LiteRT's predecessor, which devices out there still have.

Its last release needs numpy < 2 and Python ≤ 3.11, so it lives in an environment of its own and the
same agent runs in there. It applies its XNNPACK delegate to float files only. On x86 int8 files are
left to the kernels that ``local:plain`` has too, and draw the same bytes. Those do use threads: two
were seen to gain up to a third on idle cores, and to take fifty times as long where neighbours kept
the cores busy.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.jobs import Job, Measurement
from deploy.targets.environments import Environment
from deploy.targets.local import COMMAND
from deploy.targets.process import run_agent
from deploy.targets.target import Availability, Session, Target
from deploy.targets.wheels import TFLITE_RUNTIME

ENVIRONMENT = Environment(
    name="tflite-runtime",
    packages=(TFLITE_RUNTIME, "numpy==1.26.4"),
    module="tflite_runtime.interpreter",
    pythons=("3.11", "3.10", "3.9"),
)


class TfliteRuntime(Target):
    """tflite-runtime 2.14 in its environment, with the delegate that it applies by itself."""

    timed_here = True
    name = "local:tflite-runtime"

    def availability(self) -> Availability:
        if ENVIRONMENT.ready:
            return Availability(
                f"{ENVIRONMENT.packages[0]} in an environment of its own", ready=True
            )
        return Availability("its environment is not installed", ENVIRONMENT.remedy, ready=False)

    @contextmanager
    def open(self) -> Iterator[Session]:
        self.require()
        yield _answer


def _answer(job: Job, time_limit: float) -> Measurement:
    command = (str(ENVIRONMENT.python), *COMMAND[1:])
    return run_agent(job, command=command, time_limit=time_limit)
