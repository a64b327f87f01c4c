"""This machine: each job in a fresh process of the agent, or of the microcontroller's one."""

import platform
import sys
from pathlib import Path

import deploy
from deploy import agent
from deploy.jobs import Job, Measurement
from deploy.targets.installing import TFLITE_RUNTIME, Environment
from deploy.targets.target import Availability, Target, run_agent

# Isolated: no script folder, no user packages, no PYTHON* variables. The agent sees its runtime and
# numpy only, whoever starts it.
COMMAND = (sys.executable, "-I", str(Path(agent.__file__).resolve()))
# Its environment lacks this repository. Appended: its own packages come first.
MICRO_AGENT = (
    "import sys; sys.path.append(sys.argv[1]); from deploy import agent, micro_agent; "
    "agent.answer([], micro_agent.measure)"
)


class Local(Target):
    """ai-edge-litert in this Python environment, with XNNPACK or with its plain kernels."""

    timed_here = True

    def __init__(self, *, xnnpack: bool = True) -> None:
        self.name = "local" if xnnpack else "local:plain"
        self.delegate = "xnnpack" if xnnpack else "none"

    def availability(self) -> Availability:
        kernels = "XNNPACK" if self.delegate == "xnnpack" else "its kernels without XNNPACK"
        return Availability(f"ai-edge-litert in this environment, {kernels}", ready=True)

    def answer(self, job: Job, time_limit: float) -> Measurement:
        return run_agent(job, command=COMMAND, time_limit=time_limit)


class TfliteRuntime(Target):
    """tflite-runtime, LiteRT's predecessor, which devices out there still have.

    Its last release needs numpy < 2 and Python ≤ 3.11, so it lives in an environment of its own and
    the same agent runs in there. It applies its XNNPACK delegate to float files only. On x86 int8
    files are left to the kernels that ``local:plain`` has too, and draw the same bytes. Those do
    use threads: two were seen to gain up to a third on idle cores, and to take fifty times as long
    where neighbours kept the cores busy.
    """

    timed_here = True
    name = "local:tflite-runtime"
    environment = Environment(
        name="tflite-runtime",
        packages=(TFLITE_RUNTIME, "numpy==1.26.4"),
        module="tflite_runtime.interpreter",
        pythons=("3.11", "3.10", "3.9"),
    )

    def availability(self) -> Availability:
        return self.environment.availability()

    def answer(self, job: Job, time_limit: float) -> Measurement:
        command = (str(self.environment.python), *COMMAND[1:])
        return run_agent(job, command=command, time_limit=time_limit)


class Micro(Target):
    """TensorFlow Lite Micro's own interpreter: does the file run, and in how large an arena.

    See ``deploy/micro_agent.py``.
    """

    name = "micro"
    timed = False
    profiled = False
    delegate = "none"
    environment = Environment(
        name="micro",
        packages=(
            "tflite-micro==0.dev20261023182759",
            "numpy==2.4.6",
            "flatbuffers==25.12.19",
            "PyYAML==6.0.3",
        ),
        module="tflite_micro",
        pythons=("3.11",),
    )

    def availability(self) -> Availability:
        possible = (platform.system(), platform.machine()) == ("Linux", "x86_64")
        if possible or self.environment.ready:
            return self.environment.availability()
        return Availability("TFLite Micro's interpreter exists for x86-64 Linux only")

    def answer(self, job: Job, time_limit: float) -> Measurement:
        home = str(Path(deploy.__file__).resolve().parents[1])
        command = (str(self.environment.python), "-I", "-c", MICRO_AGENT, home)
        return run_agent(job, command=command, time_limit=time_limit)
