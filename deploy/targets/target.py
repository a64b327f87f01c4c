"""What every target is: a place where a job becomes a measurement."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement

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
    ready: bool = field(kw_only=True)


def unheeded(job: Job, tool: str) -> list[str]:
    """What was asked of a tool that takes no latents and runs no longer than it has to."""
    cautions = {
        f"inputs were random: {tool} takes no latents": job.latents is not None,
        f"sustained speed was not measured: {tool} cannot": job.sustain_s is not None,
    }
    return [caution for caution, holds in cautions.items() if holds]


class TargetLostError(PocketganError):
    """The target went away in the middle: no further job can succeed there."""


class Target(ABC):
    """A place where variants are measured; one class a kind of place."""

    name: str
    """As a person types it, e.g. ``arm:cortex-a53``."""
    timed: bool = True
    """False where figures are counts, the same in every process: one round is enough."""
    timed_here: bool = False
    """Whether this machine's clock times it: such targets take turns, as drift hits all alike."""
    compared: bool = True
    """Whether its answers hold outputs, to be compared with the desktop's."""
    profiled: bool = True
    """Whether the difference of two files' figures tells what an operation costs."""
    delegate: Literal["xnnpack", "none"] = "xnnpack"

    def threads(self, wanted: Sequence[int]) -> Sequence[int]:
        """Those numbers of threads, of the ``wanted``, that mean something here."""
        return wanted

    @abstractmethod
    def availability(self) -> Availability:
        """Look, without changing anything, and without waiting long."""

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
            remedy = (
                f"Run: {availability.remedy}"
                if availability.remedy
                else "`pocketgan targets` tells more."
            )
            raise PocketganError(f"target {self.name}: {availability.detail}", remedy)
