"""The students that a search may try: shapes are drawn, widths are solved for.

A budget is an equation: of a shape (block, rank, ratio of the widths, bits, zeros) the widest
student that keeps it is the one worth trying (as in CAT, Jin 2021, where the width is solved for).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from deploy.errors import PocketganError
from pipeline.compression.rounding import Coarseness
from pipeline.networks.student import StudentSettings
from pipeline.search.budget import Budget
from pipeline.search.cost import Cost
from pipeline.search.students import HUNDREDTHS, SLIM

NARROWEST, WIDEST = 2, HUNDREDTHS
"""Channels of the first map; of a slim student hundredths of the teacher's channels."""
LEAST_RANK = 4
TAPERS = (0.5, 1.0)
"""Range of the ratio of one map's channels to those of the smaller map before it."""
MOST_MIXERS = 2
ZEROS = (0.0, 0.3, 0.5)
SHARES = (0.5, 1.0)
"""Range of the budget that a trial uses: smaller students make the front of size and quality."""


class Trial(Protocol):
    """What this asks of Optuna's trial."""

    def suggest_categorical(self, name: str, choices: Sequence[object]) -> object: ...
    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int: ...
    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float: ...


@dataclass(frozen=True)
class Proposal:
    """A student, how coarse its kernels get, and what its file is expected to cost."""

    student: StudentSettings
    coarseness: Coarseness
    cost: Cost


@dataclass(frozen=True)
class Space:
    """What may be drawn."""

    blocks: tuple[str, ...]
    bits: tuple[int, ...]
    zeros: tuple[float, ...]
    maps: int
    """Hidden maps of a purpose-built student; of a slim one, groups of channels."""
    groups: int
    latent: int
    """0 for a generator that reads pictures."""
    price: Callable[[StudentSettings, Coarseness], Cost]

    def draw(self, trial: Trial, budget: Budget) -> Proposal:
        """The widest student of a drawn shape that keeps its share of the budget.

        Raises PocketganError where even the narrowest does not.
        """
        shape = self._shape(trial)
        coarseness = Coarseness(
            int(str(trial.suggest_categorical("bits", self.bits))),
            float(str(trial.suggest_categorical("zeros", self.zeros))),
        )
        share = trial.suggest_float("share", *SHARES, log=True)
        return self.widest(shape, coarseness, budget, share)

    def widest(
        self, shape: "Shape", coarseness: Coarseness, budget: Budget, share: float = 1.0
    ) -> Proposal:
        """Bisection over the width: a wider student costs more."""

        def at(width: int) -> Proposal:
            student = self.student(shape, width)
            return Proposal(student, coarseness, self.price(student, coarseness))

        low, high = NARROWEST, WIDEST
        best = at(low)
        if budget.share(best.cost) > share:
            raise PocketganError(
                f"the budget is too small: the smallest {shape.block} student has "
                f"{best.cost.bytes:,} bytes ({best.cost.bytes_gzip:,} gzipped) and "
                f"{best.cost.macs:,} multiply-accumulates.",
                f"What binds is {budget.tightest(best.cost).words}.",
            )
        while low < high:
            middle = (low + high + 1) // 2
            proposal = at(middle)
            if budget.share(proposal.cost) <= share:
                low, best = middle, proposal
            else:
                high = middle - 1
        return best

    def student(self, shape: "Shape", width: int) -> StudentSettings:
        """A shape at a width."""
        if shape.block == SLIM:
            return StudentSettings(SLIM, shape.rank, (width,) * self.groups, 0)
        channels = [
            max(NARROWEST, round(width * shape.taper**number)) for number in range(self.maps)
        ]
        return StudentSettings(shape.block, shape.rank, tuple(channels), shape.mixers)

    def _shape(self, trial: Trial) -> "Shape":
        block = str(trial.suggest_categorical("block", self.blocks))
        most = max(LEAST_RANK, min(64, self.latent))
        rank = trial.suggest_int("rank", LEAST_RANK, most, log=True) if self.latent else 0
        taper = trial.suggest_float("taper", *TAPERS)
        mixers = trial.suggest_int("mixers", 0, MOST_MIXERS)
        return Shape(block, rank, taper, mixers)


@dataclass(frozen=True)
class Shape:
    """A student but for its width."""

    block: str
    rank: int
    taper: float
    mixers: int
