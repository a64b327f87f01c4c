"""What the second half of a training brought: it says what more time would bring."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.atomic import write_text
from pipeline.training.history import HistoryRow, TrainingHistory
from pipeline.training.trainer import GANTrainer, OnRow

COMPARED_ON_THE_WAY = 256
"""Held-back inputs by which a training is judged on the way."""


@dataclass(frozen=True, kw_only=True)
class Prospects:
    """How a training is rated on the way, and what would prolong it."""

    what: str
    """The training, in a word."""
    rate: Callable[[], float]
    """A figure of the generator as it is; it changes nothing."""
    text: Callable[[float], str]
    """The figure for people."""
    more: str
    """Options that double its time."""


def prospect(what: str, *, half: str, work: str, end: str, more: str) -> str:
    """The sentence about a work: how far it was after half of it, and at the end."""
    return (
        f"{what}: {half} after half of {work}, {end} at the end; twice the time ({more}) may bring "
        "as much again"
    )


def train_and_look_ahead(
    trainer: GANTrainer,
    checkpoint: Path,
    *,
    description: str,
    on_row: OnRow,
    prospects: Prospects,
) -> tuple[TrainingHistory, str]:
    """``trainer.train`` and ``recalibrate``, and what more time would bring, as a sentence.

    The rating after half lies beside the checkpoint, for a run that is killed after it.
    """
    half_file, steps, rate = checkpoint.with_suffix(".half"), trainer.settings.steps, prospects.rate

    def on_row_and_half(row: HistoryRow, frame: np.ndarray) -> None:
        on_row(row, frame)
        if 2 * row.step >= steps and not half_file.exists():
            with trainer.ended():
                write_text(half_file, repr(rate()))

    history = trainer.train(checkpoint, description, on_row_and_half)
    trainer.recalibrate()
    end = rate()
    # A checkpoint of an older version may lie behind the half, and have no rating beside it.
    half = float(half_file.read_text(encoding="utf-8")) if half_file.exists() else end
    half_text, end_text = map(prospects.text, (half, end))
    work = f"its {steps:,} steps"
    return history, prospect(
        prospects.what, half=half_text, work=work, end=end_text, more=prospects.more
    )
