"""The history of a training: one row of metrics for every check of the monitor."""

from dataclasses import dataclass, field, fields, replace

import numpy as np


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One line of the history: means over the steps since the line before."""

    step: int
    discriminator_loss: float
    generator_loss: float
    real_score: float
    """Mean logit of real pictures."""
    fake_score: float
    """Mean logit of generated pictures."""
    accuracy: float
    """Share of pictures, real and generated, on the right side of logit 0."""
    spread: float
    """Standard deviation of all logits of a batch."""
    diversity: float
    """Mean distance between two generated pictures over that between two real ones."""
    rate: float
    """The generator's learning rate at this step."""

    @property
    def finite(self) -> bool:
        """Whether no metric is NaN or infinite."""
        return bool(np.isfinite([getattr(self, name) for name in COLUMNS]).all())


COLUMNS = tuple(column.name for column in fields(HistoryRow))
STEP_METRICS = COLUMNS[1:-2]
"""Those that every step measures, in the order in which it gives them."""


@dataclass(frozen=True)
class TrainingHistory:
    """What a training leaves besides its networks."""

    rows: list[HistoryRow] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    """Warnings of the monitor and rollbacks, as sentences."""
    frames: list[np.ndarray] = field(default_factory=list, repr=False)
    """The objective's fixed pictures over time: uint8 [N, H, W, C] each."""

    @property
    def steps(self) -> int:
        """How many steps the training took so far."""
        return self.rows[-1].step if self.rows else 0

    def followed_by(self, later: "TrainingHistory") -> "TrainingHistory":
        """Both as one; ``later`` counts its steps from 0."""
        rows = [replace(row, step=self.steps + row.step) for row in later.rows]
        return TrainingHistory(
            [*self.rows, *rows], [*self.events, *later.events], [*self.frames, *later.frames]
        )
