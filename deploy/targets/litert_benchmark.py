"""A second opinion on ``local``: the benchmark that ai-edge-litert ships, ``litert-benchmark``.

It is independent of the agent: another interface of the runtime (CompiledModel instead of
Interpreter), another clock loop, other random inputs. Each timed call takes the model's buffers
through Python by name, so it holds a little more than our ``invoke()``: the buffers' locks and the
look-ups. XNNPACK is on, with the number of threads asked for; there is no switch to turn it off.
All its figures are rounded to 0.01 ms.
"""

import json
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from deploy import agent
from deploy.agent import AgentError
from deploy.jobs import Job, Measurement, Subject, failure
from deploy.targets.target import Availability, Target, cautions, explain_silence, name_signal

# What the console script ``litert-benchmark`` starts.
TOOL = (sys.executable, "-I", "-m", "ai_edge_litert.tools.benchmark_litert_model")
ROUNDED = "less than half of the 0.01 ms that this tool rounds to"
SILENT = "this tool does not tell"


class LitertBenchmark(Target):
    """ai-edge-litert's own benchmark in this Python environment; random inputs only."""

    timed_here = True
    name = "litert-benchmark"
    compared = False
    profiled = False

    def availability(self) -> Availability:
        version = metadata.version("ai-edge-litert")
        return Availability(f"the benchmark that ai-edge-litert {version} ships", ready=True)

    def __init__(self) -> None:
        self._first_ms: dict[tuple[str, int], float] = {}
        """What one inference took, of a file (sha256) with so many threads."""

    def answer(self, job: Job, time_limit: float) -> Measurement:
        try:
            return read_result(job, _run(self._affordable(job, time_limit), time_limit))
        except subprocess.TimeoutExpired:
            return failure(job, f"no answer within {time_limit:g} s")
        except AgentError as error:
            return failure(job, str(error))

    def _affordable(self, job: Job, time_limit: float) -> Job:
        """With as many runs as the budget has time for: the tool makes all that it is asked for."""
        if job.budget_s is None:
            return job
        key = (job.sha256, job.threads)
        if key not in self._first_ms:
            once = _run(job.model_copy(update={"warmup": 0, "runs": 1}), time_limit)
            self._first_ms[key] = once["latency"]["avg_ms"]
        first_ns = round(self._first_ms[key] * agent.NS_PER_MS)
        most = agent.affordable_runs(first_ns, job.budget_s)
        warmup = min(job.warmup, int(most * agent.WARMUP_SHARE))
        runs = min(job.runs, max(most, agent.FEWEST_RUNS))
        return job.model_copy(update={"warmup": warmup, "runs": runs})


def _run(job: Job, time_limit: float) -> dict[str, Any]:
    """The tool's JSON; raises AgentError where it gives none, and subprocess.TimeoutExpired."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        settings = {
            "model": job.path,
            "num_threads": job.threads,
            "warmup_runs": max(job.warmup, 1),  # the first of them is first_ms
            "num_runs": job.runs,
            "result_json": result,
        }
        process = subprocess.run(
            [*TOOL, *(f"--{name}={value}" for name, value in settings.items())],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=time_limit,
        )
        if process.returncode != 0 or not result.is_file():
            raise AgentError(_explain(process))
        document: dict[str, Any] = json.loads(result.read_text())
        return document


def read_result(job: Job, result: dict[str, Any]) -> Measurement:
    """The measurement that the tool's JSON holds. A time that was rounded to 0 is absent."""
    latency = result["latency"]
    values = {
        "init_ms": latency["init_ms"],
        "first_ms": latency["warmup_first_ms"],
        "p50_ms": latency["median_ms"],
        "mean_ms": latency["avg_ms"],
        "min_ms": latency["min_ms"],
        "per_second": latency["avg_ms"] and 1e3 / latency["avg_ms"],
    }
    figures = {name: value for name, value in values.items() if value}
    absent = {
        **dict.fromkeys(agent.COUNTS, "counted on emulated ARM cores only"),
        **dict.fromkeys(("p90_ms", "p99_ms"), "this tool tells p5, p50 and p95"),
        **dict.fromkeys(("overhead_ns", "peak_rss_kb", "arena_bytes", "output_sha256"), SILENT),
        **dict.fromkeys(values.keys() - figures.keys(), ROUNDED),
        "spread": "needs more than one round",
    }
    if result["fully_accelerated"]:
        figures["delegated"] = 1.0
    else:
        absent["delegated"] = "this tool tells only that it is not all"
    return Measurement.model_validate(
        {
            **job.model_dump(include=set(Subject.model_fields)),
            "device": agent.device_name(),
            "cpu": agent.cpu_name(),
            "runtime": "ai-edge-litert",
            "runtime_version": metadata.version("ai-edge-litert"),
            **figures,
            "runs": latency["num_runs"],
            "absent": absent,
            "warnings": cautions(job, "litert-benchmark"),
        }
    )


def _explain(process: subprocess.CompletedProcess[str]) -> str:
    """Why the tool gave no result: the signal, or the last exception among its many log lines."""
    if process.returncode < 0:
        return f"litert-benchmark was ended by {name_signal(-process.returncode)}"
    raised = re.findall(r"^\w*(?:Error|Exception): .*(?:\n└.*)*", process.stderr, re.MULTILINE)
    return raised[-1].replace("\n└ ", ": ") if raised else explain_silence(process)
