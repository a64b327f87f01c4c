"""What a search leaves: its candidates, their front, and the student to train, with the reason."""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from deploy.jobs import FrozenModel, Size
from pipeline import pareto
from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import FileCost


class ScoreKind(StrEnum):
    """What the score of a candidate is: the less, the nearer to the teacher."""

    FRECHET = "frechet"
    PIXELS = "pixels"
    """Mean squared difference to the teacher's picture of the same input, in steps of 8 bits."""

    def text(self, score: float) -> str:
        """A score for people."""
        if self is ScoreKind.FRECHET:
            return f"Fréchet {score:.2f}"
        return f"{decibels(score):.1f} dB to its pictures"


def decibels(squared_steps: float) -> float:
    """The PSNR of a mean squared difference in steps of 8 bits; at most 99."""
    return min(99.0, 10 * math.log10(255**2 / max(squared_steps, 1e-9)))


class Candidate(FrozenModel):
    """A student of the search, briefly trained."""

    number: Size
    student: StudentSettings
    bits: Annotated[int, Field(ge=2, le=8)]
    zeros: Annotated[float, Field(ge=0, lt=1)]
    cost: FileCost
    """Expected, of the int8 file."""
    steps: Size
    """Updates of its distillation."""
    score: float
    """Distance to the teacher's pictures after them, of the search's ScoreKind."""
    finished: bool
    """Whether it reached the last rung."""

    @property
    def description(self) -> str:
        """The student in few words, for people."""
        student = self.student
        widths = "→".join(map(str, student.channels))
        parts = [f"{student.block.replace('_', '-')} {widths}"]
        parts += [f"rank {student.rank}"] if student.rank else []
        parts += [f"{student.mixers} mixing"] if student.mixers else []
        parts += [f"{self.bits} bits"] + ([f"{self.zeros:.0%} zeros"] if self.zeros else [])
        return ", ".join(parts)


class Choice(FrozenModel):
    """The content of ``choice.json``."""

    schema_version: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    chosen: Candidate
    reason: str
    ladder: tuple[Candidate, ...]
    """Larger students of the front, the next one first: for where the chosen one is too bad. Each
    has STEP_UP times the bytes of the one before, or more."""
    candidates: tuple[Candidate, ...] = Field(alias="tried")
    score_kind: ScoreKind = ScoreKind.FRECHET


def front(candidates: Sequence[Candidate]) -> list[Candidate]:
    """The candidates that no other beats in both size and score, the smallest first.

    Only students that were trained to the end are compared; those that came furthest where none was
    (it happens where a trial beats all others and its process is killed before the end).
    """
    furthest = max((one.steps for one in candidates), default=0)
    compared = [one for one in candidates if one.finished] or [
        one for one in candidates if one.steps == furthest
    ]
    return pareto.front(compared, lambda one: (one.cost.bytes_gzip, one.score))


ENOUGH = 6.0
"""A student whose early score is within this of the best may end as well: training mends much. Of
digits one of 7.7 times the best score of all ended with 1.01 times its teacher's distance, one of
10 times with 1.14; where it is not enough a larger one follows."""
STEP_UP = 1.3
"""So many times the bytes of one student has the next one that is worth a training."""


def choose(
    candidates: Sequence[Candidate], *, smallest: bool, kind: ScoreKind = ScoreKind.FRECHET
) -> Choice:
    """The best of the front; with ``smallest`` the smallest of those that are nearly as good.

    Raises ValueError where there is no candidate.
    """
    unbeaten = front(candidates)
    if not unbeaten:
        raise ValueError("no student was tried")
    best = unbeaten[-1]
    near = [one for one in unbeaten if one.score <= ENOUGH * best.score]
    chosen = near[0] if smallest else best
    named = f"number {chosen.number} ({chosen.description})"
    reason = (
        f"Of {len(candidates)} students within the budget, {named} came nearest to the teacher: "
        f"{kind.text(chosen.score)} after {chosen.steps:,} steps of distillation, with "
        f"{chosen.cost.bytes_gzip / 1000:.1f} kB gzipped expected."
        if chosen is best
        else f"Of {len(candidates)} students, {named} is the smallest whose early distance to "
        f"the teacher ({kind.text(chosen.score)}) is within {ENOUGH:g} times the best one's "
        f"({kind.text(best.score)})."
    )
    if len(candidates) == 1:
        origin = (
            "one that was found to fit the budget" if chosen.steps else "student that was given"
        )
        reason = f"The {origin}: {chosen.description}."
    ladder = [chosen]
    for one in unbeaten:
        if one.cost.bytes_gzip >= STEP_UP * ladder[-1].cost.bytes_gzip:
            ladder.append(one)
    return Choice(
        chosen=chosen,
        reason=reason,
        ladder=tuple(ladder[1:]),
        tried=tuple(candidates),
        score_kind=kind,
    )
