"""An agent in a process of its own, on this machine or behind whatever ``command`` starts."""

import signal
import subprocess
from collections.abc import Mapping, Sequence

from pydantic import ValidationError

from deploy.jobs import Job, Measurement, failure

GRACE = 10.0  # what the way to another device may add to a job's time limit, seconds
TIMED_OUT = (124, 143)  # exit codes of `timeout`: of coreutils and new Androids, and of busybox

LIKELY_CAUSES = {
    "SIGILL": "an instruction that this processor lacks",
    "SIGKILL": "out of memory, or ended by hand",
    "SIGSEGV": "the runtime crashed on this file",
    "SIGABRT": "the runtime gave up on this file",
}


def run_agent(
    job: Job,
    *,
    command: Sequence[str],
    time_limit: float,
    environment: Mapping[str, str] | None = None,
) -> Measurement:
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
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return failure(job, f"no answer within {time_limit:g} s")
    return read_answer(job, process)


def read_answer(job: Job, process: subprocess.CompletedProcess[str]) -> Measurement:
    """The measurement that an ended agent printed, or an error that says how it ended."""
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
