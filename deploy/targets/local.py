"""This machine: each round of each variant in a fresh process, through ai-edge-litert."""

import math
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from deploy import agent
from deploy.jobs import Job, Measurement, describe_file, failure
from deploy.rounds import ENOUGH_RUNS, Progress, run_rounds

# Isolated: no script folder, no user packages, no PYTHON* variables. The agent sees its runtime and
# numpy only, whoever starts it.
COMMAND = (sys.executable, "-I", str(Path(agent.__file__).resolve()))

LIKELY_CAUSES = {
    "SIGILL": "an instruction that this processor lacks",
    "SIGKILL": "out of memory, or ended by hand",
    "SIGSEGV": "the runtime crashed on this file",
    "SIGABRT": "the runtime gave up on this file",
}


def measure(
    variants: Mapping[str, Path],
    *,
    threads: Sequence[int] = (1, 2),
    delegate: Literal["xnnpack", "none"] = "xnnpack",
    rounds: int = 4,
    runs: int = 2 * ENOUGH_RUNS,
    warmup: int = 256,
    seed: int = 0,
    latents: Path | None = None,
    keep_samples: bool = False,
    time_limit: float = 120.0,
    on_progress: Progress | None = None,
) -> list[Measurement]:
    """Measure each of ``variants`` (name -> .tflite) with each number of ``threads``.

    Args:
        rounds: fresh processes a variant and thread count, interleaved (``deploy/rounds.py``).
        runs: timed runs of all rounds together, rounded up to a multiple of ``rounds``.
        warmup: most runs a process makes before the clock counts.
        seed: of the random inputs and of the order within a round.
        latents: .npy file, float32 [N, L], instead of random inputs.
        keep_samples: keep the time of each run, in order of the rounds.
        time_limit: seconds one process may take.
        on_progress: called with (processes done, processes in all).

    Returns:
        One measurement a variant and thread count, variants first. A variant that crashes, hangs
        or fails has an ``error`` in its measurements; the others are measured all the same.

    Raises:
        PocketganError: a file cannot be read.
    """
    files = {name: describe_file(path) for name, path in variants.items()}
    jobs = [
        Job.model_validate(
            {
                "target": "local",
                "variant": name,
                **files[name],
                "threads": count,
                "delegate": delegate,
                "warmup": warmup,
                "runs": math.ceil(runs / rounds),
                "seed": seed,
                "latents": None if latents is None else str(latents.resolve()),
                "keep_samples": True,
            }
        )
        for name in variants
        for count in threads
    ]
    measurements = run_rounds(
        jobs,
        lambda job: run_agent(job, time_limit=time_limit),
        rounds=rounds,
        seed=seed,
        on_progress=on_progress,
    )
    if keep_samples:
        return measurements
    return [measurement.model_copy(update={"samples_ns": None}) for measurement in measurements]


def run_agent(job: Job, *, command: Sequence[str] = COMMAND, time_limit: float) -> Measurement:
    """Give ``job`` to an agent in a process of its own; whatever befalls it becomes an ``error``.

    The agent is killed after ``time_limit`` seconds, or when the caller is interrupted.
    """
    try:
        process = subprocess.run(
            command,
            input=job.model_dump_json(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=time_limit,
        )
    except subprocess.TimeoutExpired:
        return failure(job, f"no answer within {time_limit:g} s")
    if process.returncode < 0:
        return failure(job, f"the agent was ended by {name_signal(-process.returncode)}")
    try:
        return Measurement.model_validate_json(process.stdout)
    except ValidationError:
        return failure(job, explain_silence(process))


def name_signal(number: int) -> str:
    """The signal's name and what mostly causes it."""
    name = {item.value: item.name for item in signal.Signals}.get(number, f"signal {number}")
    cause = LIKELY_CAUSES.get(name)
    return f"{name} ({cause})" if cause else name


def explain_silence(process: subprocess.CompletedProcess[str]) -> str:
    """An error for an agent that ended by itself but printed no measurement."""
    said = (process.stderr.strip() or process.stdout.strip()).splitlines()
    last = said[-1][:500] if said else "it said nothing"
    return f"the agent gave no measurement (exit code {process.returncode}): {last}"
