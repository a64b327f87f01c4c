"""A phone's speed by the user's own ``benchmark_model``, TensorFlow Lite's or LiteRT's tool.

It is the file that $POCKETGAN_BENCHMARK_MODEL names, or one that lies at
/data/local/tmp/benchmark_model on the phone. Each round is a fresh process of it, pinned to the
last cores, which are the big ones.

What differs from the other targets: the tool has no samples and no percentiles but, when new, the
median; its clock counts whole microseconds; its inputs are always random; it shows no outputs, so
that nothing is compared with the desktop; and it warms up for half a second at least.

What it prints changed over the years; these parts did not. A line of statistics (whole
microseconds) ends the warm-up and another one the timed runs, then comes a summary::

    Initialized session in 16.772ms.
    count=67 first=8781 curr=7197 min=6335 max=9775 avg=7514.93 std=419
    count=50 first=7176 curr=7505 min=6373 max=7775 avg=7454.97 std=256
    Inference timings in us: Init: 16772, First inference: 8781, ...

Newer ones add ``p5=… median=… p95=…`` to the statistics. A log may put words before each line.
"""

import math
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import FIGURES, Job, Measurement, OperationCost, Subject
from deploy.targets.adb import AndroidBackend, Phone
from deploy.targets.target import GRACE, TIMED_OUT, Availability, cautions, last_line, name_signal

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

INIT_MS = re.compile(r"Initialized session in ([\d.e+]+) ?ms")
STATISTICS = re.compile(r"\bcount=(\d+)\b(.*)")
SUMMARY = re.compile(r"nference timings in us|BENCHMARK RESULTS")
# How far the resident size grew above that at the tool's start; old versions call it the peak.
GROWTH_MB = re.compile(
    r"(?:delta from the start of the tool|Peak memory footprint) \(MB\): \S+ overall=([\d.e+]+)"
    r"|Overall footprint: +([\d.e+]+) MB"
)
REPLACED = re.compile(r"Replacing (\d+) out of (\d+) node\(s\) with delegate \(TfLiteXNNPack")
PROFILE = re.compile(r"Operator-wise Profiling Info for Regular|BENCHMARK RESULTS")
LAYER = re.compile(r"\[(.*)\]:\d+")

US_PER_MS = 1e3
KB_PER_MB = 1024


def find_tool(phone: Phone) -> Availability:
    """Whether there is a benchmark_model for this phone."""
    named = os.environ.get(VARIABLE)
    if named:
        if Path(named).is_file():
            return Availability(f"benchmark_model is {named}", ready=True)
        return Availability(f"${VARIABLE} names no file: {named}")
    if phone.shell(f"test -x {INSTALLED}")[0] == 0:
        return Availability(f"benchmark_model is at {INSTALLED} on the phone", ready=True)
    return Availability(
        f"no benchmark_model: name TensorFlow Lite's or LiteRT's for this phone in ${VARIABLE}, or "
        f"push it as {INSTALLED} and make it executable"
    )


def _read_tool(named: str) -> bytes:
    try:
        return Path(named).read_bytes()
    except OSError as error:
        problem = f"${VARIABLE} names a file that cannot be read: {named}: {error.strerror}"
        raise PocketganError(problem, "Name one that you may read.") from error


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
        content = _read_tool(named) if named else b""
        try:
            phone.shell(f"mkdir {folder}")
            if named:
                phone.push(content, f"{folder}/benchmark_model", 0o755)
            yield cls(phone, folder, f"{folder}/benchmark_model" if named else INSTALLED)
        finally:
            with suppress(PocketganError, TimeoutError):
                phone.shell(f"rm -rf {folder}")

    def _measure(self, job: Job, time_limit: float) -> Measurement:
        if self._put(job.path, self._folder, ".tflite") != f"{job.sha256}.tflite":
            raise ValueError(f"{job.path} is not the file of the job: its sha256 differs")
        before = self._conditions(job)
        pinned, text = self._run(job, time_limit, job.runs)
        after = self._conditions(job)
        figures = parse(text)
        own = {
            "not pinned to a core: this phone refuses": not pinned,
            "times are in whole microseconds: too coarse here": figures["mean_ms"] < COARSE_MS,
        }
        fields = {
            **job.model_dump(include=set(Subject.model_fields)),
            **figures,
            "device": self._device,
            "cpu": self._cpu,
            "runtime": "benchmark_model",
            "before": before,
            "after": after,
            "profile": self._profile(job, time_limit),
            "warnings": cautions(job, "benchmark_model", own),
        }
        fields["absent"] = {
            name: REASONS.get(name, "benchmark_model did not tell")
            for name in FIGURES
            if fields.get(name) is None
        }
        return Measurement.model_validate(fields)

    def _run(self, job: Job, time_limit: float, runs: int, *flags: str) -> tuple[bool, str]:
        """Whether the tool could be pinned to cores, and what it printed."""
        mask = sum(1 << core for core in self._last_cores(job))
        xnnpack = "true" if job.delegate == "xnnpack" else "false"
        command = " ".join(
            (
                f"$limit $pin {self._command} --graph={job.sha256}.tflite",
                f"--num_threads={job.threads} --use_xnnpack={xnnpack}",
                f"--warmup_runs={job.warmup} --max_secs={job.budget_s or time_limit:g}",
                f"--min_secs=0 --num_runs={runs}",
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
            runs = min(job.runs, PROFILED_RUNS)
            self._profiles[key] = None
            with suppress(ValueError, TimeoutError):
                _, text = self._run(job, time_limit, runs, *flags)
                self._profiles[key] = parse(text).get("profile")
        return self._profiles[key]


def parse(text: str) -> dict[str, Any]:
    """The fields of a measurement that ``text``, the tool's output, holds; no others.

    Raises:
        ValueError: it does not end in a summary, or nothing was timed.
    """
    text = "\n".join(text.splitlines())  # a terminal ends lines in its own way
    summary = SUMMARY.search(text)
    if summary is None:
        raise ValueError("benchmark_model printed no summary")
    lines = STATISTICS.findall(text[: summary.start()])
    *warmup, timed = [read_statistics(int(count), rest) for count, rest in lines] or [{}]
    if not timed:
        raise ValueError("benchmark_model timed nothing")
    init, growth = INIT_MS.search(text), GROWTH_MB.search(text)
    values = {
        "init_ms": float(init[1]) if init else None,
        "first_ms": warmup[0].get("first") if warmup else None,
        "p50_ms": timed.get("median"),
        "mean_ms": timed["avg"],
        "min_ms": timed["min"],
        "runs": timed["count"],
        "per_second": 1e3 / timed["avg"] if timed["avg"] else None,
        "peak_rss_kb": round(float(growth[1] or growth[2]) * KB_PER_MB) if growth else None,
        "profile": parse_profile(text),
    }
    # 0 µs or 0 MB is less than the tool can tell, and no figure.
    figures = {name: value for name, value in values.items() if value}
    share = delegated_share(text)
    return figures if share is None else figures | {"delegated": share}


def read_statistics(count: int, rest: str) -> dict[str, Any]:
    """One line of statistics, times in ms; empty for no run. Equal runs are told by one value."""
    if count == 0:
        return {}
    pairs = re.findall(r"(\w+)=([\d.e+]+)", rest)
    values: dict[str, Any] = {name: float(value) / US_PER_MS for name, value in pairs}
    if values.keys() == {"curr"}:
        values = dict.fromkeys(("first", "min", "avg", "median"), values["curr"])
    if not values.keys() >= {"first", "min", "avg"}:
        raise ValueError(f"benchmark_model printed unknown statistics: count={count}{rest}")
    return {**values, "count": count}


def delegated_share(text: str) -> float | None:
    """The share of the file's operations that XNNPACK took; None where the tool does not tell."""
    if "XNNPACK delegate is explicitly applied, the model graph will not be" in text:
        return 0.0
    replaced = [(int(taken), int(all_)) for taken, all_ in REPLACED.findall(text)]
    operations = sum(all_ for _, all_ in replaced)
    return sum(taken for taken, _ in replaced) / operations if operations else None


def parse_profile(text: str) -> tuple[OperationCost, ...]:
    """The cost of each operation of a timed run, in their order; empty without a profile."""
    heading = PROFILE.search(text)
    if heading is None:
        return ()
    _, _, table = text[heading.end() :].partition("= Run Order =")
    lines = table.partition("\n")[2].partition("\n\n")[0].splitlines()
    if not lines or not lines[0].endswith("[Name]"):
        return ()
    rows = [[cell.strip() for cell in line.strip().split("\t")] for line in lines]
    named = [dict(zip(rows[0], row, strict=True)) for row in rows if len(row) == len(rows[0])]
    return tuple(
        OperationCost(
            operation=row["[node type]"],
            layer=LAYER.sub(r"\1", row["[Name]"]),
            cost=float(row["[avg ms]"]),
            unit="ms",
        )
        for row in named[1:]
        if row["[times called]"] != "0"  # else it belongs to the start
    )
