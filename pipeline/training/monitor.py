"""Warnings while a GAN trains: mode collapse, and a discriminator that teaches nothing.

The monitor is a pure function of the history, so it needs no state of its own to be resumed.
"""

from collections.abc import Sequence

import numpy as np
from scipy.spatial.distance import pdist

from deploy.errors import PocketganError
from pipeline.training.history import HistoryRow

PATIENCE = 3
"""Rows in a row that must show a symptom before there is a warning."""
PERFECT_LOSS = 0.01
PERFECT_ACCURACY = 0.999
BLIND_SPREAD = 1e-6
REFERENCE_PICTURES = 1024
VALUES_AT_ONCE = 4096
"""Of each picture: in float64 a thousand large ones would take more memory than their training."""


def mean_distance(pictures: np.ndarray, chosen: np.ndarray | slice = slice(None)) -> float:
    """Mean Euclidean distance between two of the ``chosen`` pictures uint8 [N, H, W, C], N ≥ 2."""
    rows = pictures.reshape(len(pictures), -1)
    # Squares of whole numbers add up exactly, in whatever portions.
    squares = sum(
        pdist(rows[:, start : start + VALUES_AT_ONCE][chosen].astype(np.float64), "sqeuclidean")
        for start in range(0, rows.shape[1], VALUES_AT_ONCE)
    )
    return float(np.sqrt(squares).mean())


def reference_distance(pictures: np.ndarray, seed: int) -> float:
    """``mean_distance`` of real pictures uint8 [N, H, W, C], or of 1024 of them.

    Raises PocketganError where these are all the same.
    """
    count = min(REFERENCE_PICTURES, len(pictures))
    chosen = np.random.default_rng(seed).choice(len(pictures), count, replace=False)
    distance = mean_distance(pictures, chosen) if count > 1 else 0.0
    if not distance:
        raise PocketganError(
            f"the {len(pictures)} pictures to train on are all the same"
            + ("." if count == len(pictures) else f", as far as {count} of them tell."),
            "A GAN learns how pictures differ: add some that do.",
        )
    return distance


def warnings(
    history: Sequence[HistoryRow], collapse_ratio: float, *, saturates: bool = True
) -> dict[str, str]:
    """What has been wrong in the last PATIENCE rows: name of the symptom → symptom and remedy.

    ``mode collapse``: the generator makes too few different pictures. ``perfect discriminator``:
    it is always right, so its gradient teaches nothing, by a loss that ``saturates``. ``blind
    discriminator``: it says the same of every picture.
    """
    recent = history[-PATIENCE:]
    if len(recent) < PATIENCE:
        return {}
    last = recent[-1]
    messages = {}
    if all(row.diversity < collapse_ratio for row in recent):
        messages["mode collapse"] = (
            f"drawn pictures differ {last.diversity:.2f} times as much as real ones "
            f"(below {collapse_ratio}); try train.r1, a lower generator rate or another loss"
        )
    if saturates and all(
        row.accuracy >= PERFECT_ACCURACY and abs(row.discriminator_loss) < PERFECT_LOSS
        for row in recent
    ):
        messages["perfect discriminator"] = (
            f"it tells all pictures apart (loss {last.discriminator_loss:.4f}), so the generator "
            "learns nothing; try train.r1, train.augment or a lower discriminator rate"
        )
    if all(row.spread < BLIND_SPREAD for row in recent):
        messages["blind discriminator"] = (
            "it says the same of every picture; try a lower discriminator rate or a larger clip"
        )
    return messages


def new_events(
    history: Sequence[HistoryRow], collapse_ratio: float, *, saturates: bool = True
) -> list[str]:
    """What to say after the newest row: warnings that began with it and those that ended."""
    before = warnings(history[:-1], collapse_ratio, saturates=saturates)
    now = warnings(history, collapse_ratio, saturates=saturates)
    step = history[-1].step
    began = [f"step {step}: {name}: {now[name]}" for name in now if name not in before]
    ended = [f"step {step}: {name} is over" for name in before if name not in now]
    return began + ended
