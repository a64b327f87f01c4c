"""What an interrupted training needs to go on as if nothing had happened."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.atomic import replaced
from pipeline.training.history import HistoryRow, TrainingHistory


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
            np.savez(file, story=np.array(json.dumps(state)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None where there is none or where it is damaged."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            state = json.loads(str(arrays["story"]))
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
