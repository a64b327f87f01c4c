"""ARM cores without a board: the agent under QEMU's user emulation, its instructions counted.

Emulated time says nothing about a core: QEMU translates ARM code into code of this machine, where a
multiplication may cost what a load costs and no cache is modelled. So nothing is timed. What the
emulated core *executes* for one inference is exact instead, and the same in every process: a small
plugin (``counter.c``) counts it between two marks that the agent sets around ``invoke()``.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets import counter, sysroot
from deploy.targets.target import Availability, Session, Target, run_agent

# Each run executes the same instructions, but for a rare detour of its memory allocation: the
# median of these is the figure.
RUNS = 3

# An emulated inference that is counted takes some hundred times as long as one of this machine.
PATIENCE = 10

OF_THE_EMULATOR = "the emulator's own memory would be measured with it"


class Arm(Target):
    """One core, emulated, through one runtime."""

    timed = False

    def __init__(self, machine: sysroot.ArmMachine, core: str, runtime: str) -> None:
        usual = runtime == next(iter(machine.runtimes))
        self.name = f"arm:{core}" if usual else f"arm:{core}:{runtime}"
        self._machine, self._core, self._runtime = machine, core, runtime

    def threads(self, wanted: Sequence[int]) -> Sequence[int]:
        """One: how many instructions there are says nothing about who waits for whom."""
        return (1,)

    def availability(self) -> Availability:
        try:
            emulator = sysroot.find_emulator(self._machine)
        except PocketganError as error:
            return Availability(error.problem, error.remedy, ready=False)
        if not counter.loads_plugins(emulator):
            return Availability("not measurable here: this QEMU cannot load plugins", ready=False)
        if not counter.can_compile():
            return Availability("no C compiler for its counter", counter.COMPILER, ready=False)
        if not sysroot.ready():
            return Availability(
                "its sysroot is not installed", sysroot.INSTALL_COMMAND, ready=False
            )
        detail = f"{self._runtime}, counted by {counter.emulator_version(emulator)}"
        return Availability(detail, ready=True)

    @contextmanager
    def open(self) -> Iterator[Session]:
        self.require()
        counter.compile_plugin()
        with tempfile.TemporaryDirectory(prefix="pocketgan-arm-") as folder:
            yield lambda job, time_limit: self._answer(job, time_limit, Path(folder) / "counts")

    def _answer(self, job: Job, time_limit: float, counts: Path) -> Measurement:
        """Carry out ``job`` under the emulator, which writes to ``counts``."""
        counts.unlink(missing_ok=True)
        python, environment = sysroot.emulation(
            self._machine, self._core, runtime=self._runtime, options=counter.options(counts)
        )
        measurement = run_agent(
            job.model_copy(update={"count": True, "warmup": 0, "runs": min(job.runs, RUNS)}),
            command=[*python, str(Path(agent.__file__).resolve())],
            time_limit=time_limit * PATIENCE,
            environment=environment,
        )
        if measurement.error is not None:
            return measurement
        counts_by_name = counter.read_counts(counts, measurement.runs or 0)
        if counts_by_name is None:
            return failure(job, "the emulator did not count each run")
        absent = {
            name: why for name, why in measurement.absent.items() if name not in counts_by_name
        }
        about = {
            "device": f"emulated by {counter.emulator_version(python[0])}",
            # What the agent saw of its surroundings is this machine's.
            "before": None,
            "after": None,
            "warnings": (),
            "peak_rss_kb": None,
            "absent": {**absent, "peak_rss_kb": OF_THE_EMULATOR},
        }
        return Measurement.model_validate(measurement.model_dump() | about | counts_by_name)


def cores() -> list[Target]:
    """All cores on offer, with each runtime that has wheels for them."""
    return [
        Arm(machine, core, runtime)
        for machine in sysroot.MACHINES
        for core in machine.cores
        for runtime in machine.runtimes
    ]
