"""Is the game still worth playing? Two of the article's open challenges, watched while it runs.

The monitor is a pure function of the history, so it needs no state of its own to be resumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from scipy.spatial.distance import pdist

PATIENCE = 3  # looks in a row before something is called a trouble
PERFECT_LOSS = 0.01
PERFECT_ACCURACY = 0.999
BLIND_SPREAD = 1e-6


@dataclass(frozen=True)
class HistoryRow:
    """One line of the history: means over the steps since the line before."""

    step: int
    discriminator_loss: float
    generator_loss: float
    real_score: float
    """Mean logit of real pictures."""
    fake_score: float
    """Mean logit of drawn pictures."""
    accuracy: float
    """Share of pictures, real and drawn, on the right side of logit 0."""
    spread: float
    """Standard deviation of all logits of a batch."""
    diversity: float
    """Mean distance between two drawn pictures over that between two real ones."""
    rate: float
    """The generator's learning rate at this step."""

    @property
    def finite(self) -> bool:
        """Whether no figure is NaN or infinite."""
        return bool(np.isfinite([getattr(self, name) for name in COLUMNS]).all())


COLUMNS = tuple(column.name for column in fields(HistoryRow))


def mean_distance(pictures: np.ndarray) -> float:
    """Mean Euclidean distance between two of the pictures [N, H, W, C], N ≥ 2."""
    return float(pdist(pictures.reshape(len(pictures), -1).astype(np.float64)).mean())


def troubles(history: Sequence[HistoryRow], collapse_ratio: float) -> dict[str, str]:
    """What has been wrong for the last few looks: name of the trouble → what a person should know.

    ``collapse``: the generator draws too few different pictures. ``perfect discriminator``: it is
    always right, so its gradient teaches nothing. ``blind discriminator``: it says the same of
    every picture.
    """
    recent = history[-PATIENCE:]
    if len(recent) < PATIENCE:
        return {}
    last = recent[-1]
    found = {}
    if all(row.diversity < collapse_ratio for row in recent):
        found["mode collapse"] = (
            f"drawn pictures differ {last.diversity:.2f} times as much as real ones "
            f"(below {collapse_ratio}); try train.r1, a lower generator rate or another loss"
        )
    if all(
        row.accuracy >= PERFECT_ACCURACY and abs(row.discriminator_loss) < PERFECT_LOSS
        for row in recent
    ):
        found["perfect discriminator"] = (
            f"it tells all pictures apart (loss {last.discriminator_loss:.4f}), so the generator "
            "learns nothing; try train.r1, train.augment or a lower discriminator rate"
        )
    if all(row.spread < BLIND_SPREAD for row in recent):
        found["blind discriminator"] = (
            "it says the same of every picture; try a lower discriminator rate or a larger clip"
        )
    return found


def new_events(history: Sequence[HistoryRow], collapse_ratio: float) -> list[str]:
    """What to say after the newest row: troubles that began with it and those that ended."""
    before = troubles(history[:-1], collapse_ratio)
    now = troubles(history, collapse_ratio)
    step = history[-1].step
    began = [f"step {step}: {name}: {now[name]}" for name in now if name not in before]
    ended = [f"step {step}: {name} is over" for name in before if name not in now]
    return began + ended
