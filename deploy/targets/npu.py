"""Arm's Ethos-U NPUs without a board: what their compiler says of a file (``vela.py``).

Flash and SRAM are what the compiler lays out. Cycles and times are its estimates, by a model that
no board has confirmed here; so they stand in figures of their own, never among measured times.
"""

from pathlib import Path

from deploy import agent
from deploy.agent import AgentError
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, Subject, failure
from deploy.targets import vela
from deploy.targets.target import Availability, Target

NOT_RUN = "nothing was run: the compiler estimates a time, which stands under npu"
ESTIMATED = "nothing was run: its time is the compiler's estimate"
ABSENT = {
    **dict.fromkeys((*agent.TIMES, "runs", "spread"), NOT_RUN),
    **dict.fromkeys(agent.COUNTS, "counted on emulated ARM cores only"),
    "peak_rss_kb": "nothing was run: the compiler's SRAM stands under npu",
    "arena_bytes": "the compiler's SRAM stands under npu",
    "output_sha256": "nothing was drawn, so that no pixel can be compared",
}


class Npu(Target):
    """One NPU, by its compiler's report."""

    timed = False
    compared = False
    profiled = False
    delegate = "none"

    def __init__(self, accelerator: str) -> None:
        self.name = f"npu:{accelerator}"
        self.accelerator = accelerator

    def availability(self) -> Availability:
        return vela.ENVIRONMENT.availability()

    def answer(self, job: Job, time_limit: float) -> Measurement:
        try:
            agent.check_file(job.model_dump())
            report = vela.compile_file(Path(job.path), self.accelerator, time_limit=time_limit)
        except (AgentError, PocketganError) as error:
            return failure(job, getattr(error, "problem", None) or str(error))
        return Measurement(
            **job.model_dump(include=set(Subject.model_fields)),
            device=f"{self.accelerator}, not run",
            runtime=vela.PACKAGE,
            runtime_version=vela.VERSION,
            delegated=1 - len(report.on_cpu) / max(1, len(report.operations)),
            npu=report,
            absent=ABSENT,
            warnings=(ESTIMATED, *(f"on the CPU: {line}" for line in vela.cpu_operations(report))),
        )


def accelerators() -> list[Target]:
    """All NPUs that the compiler knows."""
    return [Npu(accelerator) for accelerator in vela.ACCELERATORS]
