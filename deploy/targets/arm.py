"""ARM cores without a board: the agent under QEMU's user emulation, its instructions counted.

Emulated time says nothing about a core: QEMU translates ARM code into code of this machine, where a
multiplication may cost what a load costs and no cache is modelled. So nothing is timed. What the
emulated core *executes* for one inference is exact instead, and the same in every process: a small
plugin (``counter.c``) counts it between two marks that the agent sets around ``invoke()``.
"""

import hashlib
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from deploy import agent, cache_folder
from deploy.agent import COUNTS, EMPTY_BRACKETS
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets import sysroot
from deploy.targets.target import Availability, Session, Target, run_agent

# Each run executes the same instructions, but for a rare detour of its memory allocation: the
# median of these is the figure.
RUNS = 3

# An emulated inference that is counted takes some hundred times as long as one of this machine.
PATIENCE = 10

COUNTER_SOURCE = Path(__file__).with_name("counter.c")
COMPILER_FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden")
COMPILER_PACKAGES = "apt-get install gcc libc6-dev"

OF_THE_EMULATOR = "the emulator's own memory would be measured with it"


class Arm(Target):
    """One core, emulated, through one runtime."""

    timed = False

    def __init__(self, machine: sysroot.ArmMachine, core: str, runtime: str) -> None:
        usual = runtime == next(iter(machine.runtimes))
        self.name = f"arm:{core}" if usual else f"arm:{core}:{runtime}"
        self._machine, self._core, self._runtime = machine, core, runtime

    def availability(self) -> Availability:
        try:
            emulator = sysroot.find_emulator(self._machine)
        except PocketganError as error:
            return Availability(error.problem, error.remedy)
        if not loads_plugins(emulator):
            return Availability("not measurable here: this QEMU cannot load plugins")
        if not can_compile_counter():
            return Availability("no C compiler for its counter", COMPILER_PACKAGES)
        if not sysroot.ready():
            return Availability("its sysroot is not installed", sysroot.INSTALL_COMMAND)
        detail = f"{self._runtime}, counted by {emulator_version(emulator)}"
        return Availability(detail, ready=True)

    @contextmanager
    def open(self) -> Iterator[Session]:
        self.require()
        compile_counter()
        with tempfile.TemporaryDirectory(prefix="pocketgan-arm-") as folder:
            yield lambda job, time_limit: self._answer(job, time_limit, Path(folder) / "counts")

    def _answer(self, job: Job, time_limit: float, counts: Path) -> Measurement:
        """Carry out ``job`` under the emulator, which writes to ``counts``."""
        counts.unlink(missing_ok=True)
        python, environment = sysroot.emulation(
            self._machine, self._core, runtime=self._runtime, options=counter_options(counts)
        )
        measurement = run_agent(
            job.model_copy(update={"count": True, "warmup": 0, "runs": min(job.runs, RUNS)}),
            command=[*python, str(Path(agent.__file__).resolve())],
            time_limit=time_limit * PATIENCE,
            environment=environment,
        )
        if measurement.error is not None:
            return measurement
        counts_by_name = read_counts(counts, measurement.runs or 0)
        if counts_by_name is None:
            return failure(job, "the emulator did not count each run")
        absent = {
            name: why for name, why in measurement.absent.items() if name not in counts_by_name
        }
        about = {
            "device": f"emulated by {emulator_version(python[0])}",
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


def counter_plugin() -> Path:
    """Where the compiled counter belongs; its name changes with the source."""
    digest = hashlib.sha256(COUNTER_SOURCE.read_bytes()).hexdigest()[:16]
    return cache_folder.cache() / "arm" / f"counter-{digest}.so"


def can_compile_counter() -> bool:
    """Whether the counter is there, or could be."""
    return counter_plugin().is_file() or shutil.which("cc") is not None


def compile_counter() -> None:
    """Compile the counter, unless it is there.

    Raises:
        PocketganError: there is no C compiler, or it fails.
    """
    wanted = counter_plugin()
    if wanted.is_file():
        return
    if not can_compile_counter():
        raise PocketganError("no C compiler (cc) for the counter", COMPILER_PACKAGES)
    with cache_folder.aside(wanted) as folder:
        compiled = folder / wanted.name
        command = ["cc", *COMPILER_FLAGS, "-o", str(compiled), str(COUNTER_SOURCE)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            problem = f"the counter does not compile: {done.stderr.strip()[:500]}"
            raise PocketganError(problem, COMPILER_PACKAGES)
        compiled.rename(wanted)


def counter_options(answer: Path) -> list[str]:
    """QEMU's options that make the compiled counter append its lines to ``answer``."""
    # In QEMU's options a comma separates.
    plugin, counts = (str(path).replace(",", ",,") for path in (counter_plugin(), answer))
    return ["-plugin", f"{plugin},counts={counts}"]


@cache
def loads_plugins(emulator: str) -> bool:
    """Whether this QEMU was built with plugins: static builds are not."""
    done = subprocess.run([emulator, "-h"], capture_output=True, text=True)
    return "-plugin" in done.stdout


@cache
def emulator_version(emulator: str) -> str:
    """For instance "QEMU 7.2.22"."""
    done = subprocess.run([emulator, "--version"], capture_output=True, text=True)
    words = done.stdout.split()
    return f"QEMU {words[2]}" if len(words) > 2 else "QEMU"


def read_counts(answer: Path, runs: int) -> dict[str, int] | None:
    """What one inference costs, each of the agent's COUNTS; None unless each run was counted.

    ``answer`` holds a line a bracket: EMPTY_BRACKETS around nothing, then ``runs`` around one
    inference each. The figure is the median of these less the median of those.
    """
    try:
        rows = [[int(count) for count in line.split()] for line in answer.read_text().splitlines()]
    except (OSError, ValueError):
        return None
    if runs < 1 or len(rows) != EMPTY_BRACKETS + runs:
        return None
    empty, full = (
        [statistics.median_low(column) for column in zip(*bracketed, strict=True)]
        for bracketed in (rows[:EMPTY_BRACKETS], rows[EMPTY_BRACKETS:])
    )
    return {name: full[i] - empty[i] for i, name in enumerate(COUNTS)}
