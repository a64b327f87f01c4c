"""What a search found: every student tried, the front, and the one to teach, with the reason."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from deploy.errors import PocketganError
from pipeline import pareto
from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import Cost

Count = Annotated[int, Field(ge=0)]


class Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Candidate(Part):
    """One student of the search."""

    number: Count
    student: StudentSettings
    bits: Annotated[int, Field(ge=2, le=8)]
    zeros: Annotated[float, Field(ge=0, lt=1)]
    cost: Cost
    """Expected, of the int8 file."""
    steps: Count
    """Updates of imitation that it got."""
    score: float
    """Fréchet distance to the teacher's pictures after them."""
    finished: bool
    """Whether it reached the last rung."""

    @property
    def words(self) -> str:
        student = self.student
        widths = "→".join(map(str, student.channels))
        parts = [f"{student.block.replace('_', '-')} {widths}"]
        parts += [f"rank {student.rank}"] if student.rank else []
        parts += [f"{student.mixers} mixing"] if student.mixers else []
        parts += [f"{self.bits} bits"] + ([f"{self.zeros:.0%} zeros"] if self.zeros else [])
        return ", ".join(parts)


class Choice(Part):
    """The content of ``choice.json``."""

    schema_version: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    chosen: Candidate
    reason: str
    ladder: tuple[Candidate, ...]
    """Larger students of the front, the next one first: for where the chosen one is too bad. Each
    has STEP_UP times the bytes of the one before, or more."""
    tried: tuple[Candidate, ...]


def front(tried: Sequence[Candidate]) -> list[Candidate]:
    """Those that no other beats in both size and score, the smallest first.

    Only students that were trained to the end are compared; those that came furthest where none was
    (it happens where a trial beats all others and its process is killed before the end).
    """
    furthest = max((one.steps for one in tried), default=0)
    compared = [one for one in tried if one.finished] or [
        one for one in tried if one.steps == furthest
    ]
    return pareto.front(compared, lambda one: (one.cost.bytes_gzip, one.score))


ENOUGH = 6.0
"""A student whose early score is within this of the best may end as well: the game mends much. Of
digits one of 7.7 times the best score of all ended with 1.01 times its teacher's distance, one of
10 times with 1.14; where it is not enough a larger one follows."""
STEP_UP = 1.3
"""So many times the bytes of one student has the next one that is worth a training."""


def choose(tried: Sequence[Candidate], *, smallest: bool) -> Choice:
    """The best of the front; with ``smallest`` the smallest of those that are nearly as good."""
    known = front(tried)
    if not known:
        raise ValueError("no student was tried")
    best = known[-1]
    near = [one for one in known if one.score <= ENOUGH * best.score]
    chosen = near[0] if smallest else best
    reason = (
        f"Of {len(tried)} students within the budget, number {chosen.number} ({chosen.words}) "
        f"came nearest to the teacher: Fréchet {chosen.score:.2f} after {chosen.steps:,} steps of "
        f"imitation, with {chosen.cost.bytes_gzip / 1000:.1f} kB gzipped expected."
        if chosen is best
        else f"Of {len(tried)} students, number {chosen.number} ({chosen.words}) is the smallest "
        f"whose early distance to the teacher ({chosen.score:.2f}) is within "
        f"{ENOUGH:g} times the best one's ({best.score:.2f})."
    )
    if len(tried) == 1:
        found = "one that was found to fit the budget" if chosen.steps else "student that was given"
        reason = f"The {found}: {chosen.words}."
    ladder = [chosen]
    for one in known:
        if one.cost.bytes_gzip >= STEP_UP * ladder[-1].cost.bytes_gzip:
            ladder.append(one)
    return Choice(chosen=chosen, reason=reason, ladder=tuple(ladder[1:]), tried=tuple(tried))


def dumps(choice: Choice) -> str:
    """The text of ``choice.json``."""
    return choice.model_dump_json(by_alias=True, indent=1) + "\n"


def loads(text: str, where: str) -> Choice:
    """What ``dumps`` wrote; PocketganError where it is damaged."""
    try:
        return Choice.model_validate_json(text)
    except ValidationError as error:
        raise PocketganError(
            f"{where} is damaged: {error.errors()[0]['msg']}.", "Make the stage search again."
        ) from error
