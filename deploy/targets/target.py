"""What every target is: a place where a job becomes a measurement.

Mostly an agent carries it out, in a process of its own on this machine or behind whatever command
starts it.
"""

import signal
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ValidationError

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure

GRACE = 10.0  # what the way to another device may add to a job's time limit, seconds
TIMED_OUT = (124, 143)  # exit codes of `timeout`: of coreutils and new Androids, and of busybox

LIKELY_CAUSES = {
    "SIGILL": "an instruction that this processor lacks",
    "SIGKILL": "out of memory, or ended by hand",
    "SIGSEGV": "the runtime crashed on this file",
    "SIGABRT": "the runtime gave up on this file",
}

BOOT_ID = "/proc/sys/kernel/random/boot_id"
"""A file of Linux that tells machines apart, whatever they are called and whoever asks."""
HERE = agent.read_text(BOOT_ID) or "here"
"""This machine, as a target's ``machine``."""

Say = Callable[[str], object]
"""Tell a person something, in a text of one line or more."""

Session = Callable[[Job, float], Measurement]
"""Carry out a job within so many seconds. Whatever befalls it becomes the answer's ``error``; only
TargetLostError is raised."""


@dataclass(frozen=True)
class Availability:
    """Whether a target can be used on this machine as it is."""

    detail: str
    """What is there, or what is missing."""
    remedy: str = ""
    """The command that adds what is missing, where there is one."""
    ready: bool = field(default=False, kw_only=True)


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What a target that is asked says of itself."""

    answers: bool
    detail: str
    """What is there, or why it does not answer."""
    missing: tuple[str, ...] = ()
    """What it lacks, or what would make it answer, each with what to do."""


def cautions(job: Job, tool: str, own: Mapping[str, bool] | None = None) -> list[str]:
    """What a reader must know of the figures of a tool that takes no latents and runs no longer
    than it has to; and those of its ``own`` that hold."""
    possible = {
        **(own or {}),
        f"inputs were random: {tool} takes no latents": job.latents is not None,
        f"sustained speed was not measured: {tool} cannot": job.sustain_s is not None,
    }
    return [caution for caution, holds in possible.items() if holds]


class TargetLostError(PocketganError):
    """The target is away, or went away in the middle. It may come back."""


class Target(ABC):
    """A place where variants are measured; one class a kind of place."""

    name: str
    """As a person types it, e.g. ``arm:cortex-a53``."""
    label: str = ""
    """What its owner's shelf calls it; empty where no shelf holds it."""
    machine: str | None = HERE
    """Whose cores carry jobs out: never two jobs at once on those of one machine. Known for sure
    once the target is open; None where it cannot be known."""
    timed: bool = True
    """False where figures are counts, the same in every process: one round is enough."""
    timed_here: bool = False
    """Whether this machine's clock times it: such targets take turns, as drift hits all alike."""
    compared: bool = True
    """Whether its answers hold outputs, to be compared with the desktop's."""
    profiled: bool = True
    """Whether the difference of two files' figures tells what an operation costs."""
    delegate: Literal["xnnpack", "none"] = "xnnpack"
    say: Say = staticmethod(lambda text: None)
    """Called with what a person must do before the target can measure."""

    @property
    def title(self) -> str:
        """What a person calls it."""
        return self.label or self.name

    def threads(self, wanted: Sequence[int]) -> Sequence[int]:
        """Those numbers of threads, of the ``wanted``, that mean something here.

        One, where nothing is timed: counts say nothing about who waits for whom.
        """
        return wanted if self.timed else (1,)

    @abstractmethod
    def availability(self) -> Availability:
        """Look, without changing anything, and without waiting long."""

    def diagnose(self) -> Diagnosis:
        """Ask it, without installing anything, for as long as opening it may take."""
        state = self.availability()
        missing = (f"Run: {state.remedy}",) if state.remedy else ()
        return Diagnosis(answers=state.ready, detail=state.detail, missing=missing)

    @contextmanager
    def open(self) -> Iterator[Session]:
        """Make the target ready for jobs; leaving the context tidies up behind it.

        Raises:
            PocketganError: it is not available; says what to do.
        """
        self.require()
        yield self.answer

    def answer(self, job: Job, time_limit: float) -> Measurement:
        """Carry out ``job`` in a fresh process; for targets that need no connection."""
        raise NotImplementedError

    def require(self) -> None:
        """Raise PocketganError unless the target is available."""
        availability = self.availability()
        if not availability.ready:
            command = availability.remedy
            remedy = f"Run: {command}" if command else "`pocketgan targets` tells more."
            raise PocketganError(f"target {self.name}: {availability.detail}", remedy)


def require_all(targets: Iterable[Target]) -> None:
    """Raise PocketganError for a target that is not available, but for boards of a shelf: one that
    is away costs its own rows only."""
    for target in targets:
        if not target.label:
            target.require()


def run_agent(
    job: Job,
    *,
    command: Sequence[str],
    time_limit: float,
    environment: Mapping[str, str] | None = None,
) -> Measurement:
    """Give ``job`` to an agent that ``command`` starts; whatever befalls it becomes an ``error``.

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
    last = last_line(process.stderr.strip() or process.stdout)[:500]
    return f"the agent gave no measurement (exit code {process.returncode}): {last}"


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]
