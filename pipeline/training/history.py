"""The history of a training, a row for every check of the monitor; and its checkpoints."""

import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

import numpy as np

from pipeline.atomic import replaced


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
    """Share of pictures, real and generated, that the discriminator tells rightly, as its loss has
    it (``AdversarialLoss.accuracy``)."""
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


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The state after the last check of the monitor."""

    variables: list[np.ndarray]
    """Every variable of the networks, both optimizers and the moving average, in order."""
    step: int
    rate_scale: float
    rollbacks: int
    history: TrainingHistory

    def save(self, path: Path) -> None:
        """Write aside, flush to the disk, rename: a kill leaves the old file or the new one."""
        state = {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "rollbacks": self.rollbacks,
            "history": [asdict(row) for row in self.history.rows],
            "events": self.history.events,
        }
        arrays = {f"variable_{n:04d}": value for n, value in enumerate(self.variables)}
        arrays |= {f"frame_{n:04d}": value for n, value in enumerate(self.history.frames)}
        with replaced(path) as aside, aside.open("wb") as file:
            np.savez(file, state=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None where there is none or where it is damaged."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            state = json.loads(str(arrays["state"]))
            names = sorted(arrays.files)
            return Checkpoint(
                variables=[arrays[name] for name in names if name.startswith("variable_")],
                step=state["step"],
                rate_scale=state["rate_scale"],
                rollbacks=state["rollbacks"],
                history=TrainingHistory(
                    [HistoryRow(**row) for row in state["history"]],
                    state["events"],
                    [arrays[name] for name in names if name.startswith("frame_")],
                ),
            )
    except Exception:  # damage can surface as nearly any error of the archive reader
        return None
