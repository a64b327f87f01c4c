"""A phone's speed by the user's own ``benchmark_model``, TensorFlow Lite's or LiteRT's tool.

It is the file that $POCKETGAN_BENCHMARK_MODEL names, or one that lies at
/data/local/tmp/benchmark_model on the phone. Each round is a fresh process of it, pinned to the
last cores, which are the big ones.

What differs from the other targets: the tool has no samples and no percentiles but, when new, the
median; its clock counts whole microseconds; its inputs are always random; it shows no outputs, so
that nothing is compared with the desktop; and it warms up for half a second at least.
"""

import math
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import FIGURES, Job, Measurement, Subject
from deploy.targets.adb import Phone
from deploy.targets.android_backend import AndroidBackend
from deploy.targets.benchmark_model import parse
from deploy.targets.target import GRACE, TIMED_OUT, Availability, last_line, name_signal, unheeded

HOME = "/data/local/tmp"  # the one place where a shell may write and run
INSTALLED = f"{HOME}/benchmark_model"
VARIABLE = "POCKETGAN_BENCHMARK_MODEL"

PROFILED_RUNS = 64
# A mean below this is known to less than 1 % by a clock of whole microseconds.
COARSE_MS = 0.1

REASONS = {
    **dict.fromkeys(agent.COUNTS, "counted on emulated ARM cores only"),
    "p50_ms": "this benchmark_model shows no median",
    "p90_ms": "benchmark_model shows no 90th percentile",
    "p99_ms": "benchmark_model shows no 99th percentile",
    "overhead_ns": "benchmark_model does not measure it",
    "spread": "needs more than one round",
    "arena_bytes": "benchmark_model does not tell",
    "delegated": "this benchmark_model does not tell",
    "peak_rss_kb": "benchmark_model saw no growth",
    "output_sha256": "benchmark_model shows no outputs",
}


def find_tool(phone: Phone) -> Availability:
    """Whether there is a benchmark_model for this phone."""
    named = os.environ.get(VARIABLE)
    if named:
        if Path(named).is_file():
            return Availability(f"benchmark_model is {named}", ready=True)
        return Availability(f"${VARIABLE} names no file: {named}", ready=False)
    if phone.shell(f"test -x {INSTALLED}")[0] == 0:
        return Availability(f"benchmark_model is at {INSTALLED} on the phone", ready=True)
    return Availability(
        f"no benchmark_model: name TensorFlow Lite's or LiteRT's for this phone in ${VARIABLE}, or "
        f"push it as {INSTALLED} and make it executable",
        ready=False,
    )


class Tool(AndroidBackend):
    """``benchmark_model`` on ``phone``, with a ``folder`` there for what it reads and writes."""

    def __init__(self, phone: Phone, folder: str, command: str) -> None:
        super().__init__(phone)
        self._folder = folder
        self._command = command
        self._profiles: dict[tuple[str, int], Any] = {}

    @classmethod
    @contextmanager
    def placed(cls, phone: Phone) -> Iterator["Tool"]:
        """Make a fresh folder on the phone; it is removed in the end."""
        folder = f"{HOME}/pocketgan-{secrets.token_hex(8)}"
        named = os.environ.get(VARIABLE)
        try:
            phone.shell(f"mkdir {folder}")
            if named:
                phone.push(Path(named).read_bytes(), f"{folder}/benchmark_model", 0o755)
            yield cls(phone, folder, f"{folder}/benchmark_model" if named else INSTALLED)
        finally:
            with suppress(PocketganError, TimeoutError):
                phone.shell(f"rm -rf {folder}")

    def _measure(self, job: Job, time_limit: float) -> Measurement:
        if self._put(job.path, self._folder, ".tflite") != f"{job.sha256}.tflite":
            raise ValueError(f"{job.path} is not the file of the job: its sha256 differs")
        cores = self._last_cores(job)
        before = self._conditions(cores)
        pinned, text = self._run(job, ("--min_secs=0", f"--num_runs={job.runs}"), time_limit)
        after = self._conditions(cores)
        figures = parse(text)
        fields = {
            **job.model_dump(include=set(Subject.model_fields)),
            **figures,
            "device": self._device,
            "cpu": self._cpu,
            "runtime": "benchmark_model",
            "before": before,
            "after": after,
            "profile": self._profile(job, time_limit),
            "warnings": cautions(job, figures, pinned=pinned),
        }
        fields["absent"] = {
            name: REASONS.get(name, "benchmark_model did not tell")
            for name in FIGURES
            if fields.get(name) is None
        }
        return Measurement.model_validate(fields)

    def _run(self, job: Job, flags: Sequence[str], time_limit: float) -> tuple[bool, str]:
        """Whether the tool could be pinned to cores, and what it printed.

        Raises:
            ValueError: it crashed or failed.
            TimeoutError, TargetLostError, PhoneError: as the phone's methods.
        """
        mask = sum(1 << core for core in self._last_cores(job))
        xnnpack = "true" if job.delegate == "xnnpack" else "false"
        command = " ".join(
            (
                f"$limit $pin {self._command} --graph={job.sha256}.tflite",
                f"--num_threads={job.threads} --use_xnnpack={xnnpack}",
                f"--warmup_runs={job.warmup} --max_secs={math.ceil(time_limit)}",
                *flags,
            )
        )
        script = (
            f"cd {self._folder} || exit 1\n"
            f"taskset {mask:x} true 2>/dev/null && pin='taskset {mask:x}'\n"
            f"command -v timeout >/dev/null && limit='timeout {math.ceil(time_limit)}'\n"
            f"{command} >output 2>&1\n"
            "code=$?; echo $pin; exit $code"
        )
        code, pin = self._phone.shell(script, time_limit + GRACE)
        if code in TIMED_OUT:
            raise TimeoutError
        if code > 128:
            raise ValueError(f"benchmark_model was ended by {name_signal(code - 128)}")
        text = self._phone.pull(f"{self._folder}/output").decode(errors="replace")
        if code != 0:
            raise ValueError(f"benchmark_model failed (exit code {code}): {last_line(text)[:500]}")
        return "taskset" in pin, text

    def _profile(self, job: Job, time_limit: float) -> Any:
        """The cost of each operation, from a short run of its own: watching costs time."""
        key = (job.sha256, job.threads)
        if key not in self._profiles:
            # Each of the two tools knows one of these flags and passes over the other.
            flags = ("--enable_op_profiling=true", "--use_profiler=true")
            runs = ("--min_secs=0", f"--num_runs={min(job.runs, PROFILED_RUNS)}")
            self._profiles[key] = None
            with suppress(ValueError, TimeoutError):
                _, text = self._run(job, (*flags, *runs), time_limit)
                self._profiles[key] = parse(text).get("profile")
        return self._profiles[key]


def cautions(job: Job, figures: dict[str, Any], *, pinned: bool) -> list[str]:
    """What a reader must know of this tool's figures."""
    possible = {
        "not pinned to a core: this phone refuses": not pinned,
        "times are in whole microseconds: too coarse here": figures["mean_ms"] < COARSE_MS,
    }
    cautions_here = [caution for caution, holds in possible.items() if holds]
    return [*cautions_here, *unheeded(job, "benchmark_model")]
