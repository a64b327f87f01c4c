"""What changes to a generator gained where they were measured: ``measured.csv``, in words.

Its rows of the suite are those of docs/suite.md, the others those of docs/explain.md
(`python -m tools.experiments.advice`). All are of int8 files.
"""

import csv
import statistics
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipeline.report.quantities import times_of

TABLE = Path(__file__).with_name("measured.csv")
FASTER = 1.03
"""A gain below is none."""


@dataclass(frozen=True)
class Gain:
    """Cost before over cost after, of each pair of generators that was measured on a target."""

    target: str
    ratios: tuple[float, ...]

    @property
    def median(self) -> float:
        """One pair that a neighbour on the machine disturbed does not move it."""
        return statistics.median(self.ratios)

    @property
    def words(self) -> str:
        """As in "0.89× of the cost on local (median of 5 pairs of generators, 0.64× to 1.16×)"."""
        left = [1 / ratio for ratio in self.ratios]
        pairs = f"median of {len(left)} pairs of generators"
        spread = f"{times_of(min(left))} to {times_of(max(left))}"
        return f"{times_of(1 / self.median)} of the cost on {self.target} ({pairs}, {spread})"


@cache
def gains(change: str) -> dict[str, Gain]:
    """Target → gain of a change; empty where it was never measured."""
    ratios: dict[str, list[float]] = defaultdict(list)
    with TABLE.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["change"] == change:
                ratios[row["target"]].append(float(row["before"]) / float(row["after"]))
    return {target: Gain(target, tuple(each)) for target, each in ratios.items()}


def gain_in_words(change: str, target: str) -> str:
    """What is left of the cost on ``target``, or where else it was measured."""
    measured = gains(change)
    if target in measured:
        return measured[target].words
    elsewhere = "; ".join(gain.words for gain in measured.values())
    return f"{elsewhere}; not measured on {target}"


def pays(change: str, target: str) -> bool:
    """Whether a change gains on ``target``, or anywhere if it was not measured there."""
    measured = gains(change)
    here = [measured[target]] if target in measured else list(measured.values())
    return any(gain.median >= FASTER for gain in here)
