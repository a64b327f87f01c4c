"""A microcontroller's runtime on this machine: does the file run, and in how large an arena."""

import platform
from pathlib import Path

import deploy
from deploy.jobs import Job, Measurement
from deploy.targets.installing import Environment
from deploy.targets.target import Availability, Target, run_agent

# The environment lacks this repository. Appended: its own packages come first.
AGENT = "import sys; sys.path.append(sys.argv[1]); from deploy.micro_agent import main; main([])"


class Micro(Target):
    """TensorFlow Lite Micro's own interpreter; see ``deploy/micro_agent.py``."""

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
        return Availability("TFLite Micro's interpreter exists for x86-64 Linux only", ready=False)

    def answer(self, job: Job, time_limit: float) -> Measurement:
        home = str(Path(deploy.__file__).resolve().parents[1])
        command = (str(self.environment.python), "-I", "-c", AGENT, home)
        return run_agent(job, command=command, time_limit=time_limit)
