"""What an interrupted training needs to go on as if nothing had happened."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from pipeline.atomic import replaced
from pipeline.training.monitor import HistoryRow


@dataclass(frozen=True)
class Checkpoint:
    """The state after the last look of the monitor."""

    variables: list[np.ndarray]
    """Every variable of both networks, both optimizers and the moving average, in order."""
    step: int
    rate_scale: float
    rollbacks: int
    history: list[HistoryRow]
    events: list[str]
    frames: list[np.ndarray]
    """Pictures of the fixed latents so far: uint8 [N, H, W, C] each."""

    def save(self, path: Path) -> None:
        """Write aside, flush to the disk, rename: a kill leaves the old file or the new one."""
        story = {
            "step": self.step,
            "rate_scale": self.rate_scale,
            "rollbacks": self.rollbacks,
            "history": [asdict(row) for row in self.history],
            "events": self.events,
        }
        arrays = {f"variable_{n:04d}": value for n, value in enumerate(self.variables)}
        arrays |= {f"frame_{n:04d}": value for n, value in enumerate(self.frames)}
        with replaced(path) as aside, aside.open("wb") as file:
            np.savez(file, story=np.array(json.dumps(story)), **arrays)  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())


def load_checkpoint(path: Path) -> Checkpoint | None:
    """The checkpoint in a file; None where there is none or where it is damaged."""
    try:
        # Opened here, because np.load leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            story = json.loads(str(arrays["story"]))
            names = sorted(arrays.files)
            return Checkpoint(
                [arrays[name] for name in names if name.startswith("variable_")],
                story["step"],
                story["rate_scale"],
                story["rollbacks"],
                [HistoryRow(**row) for row in story["history"]],
                story["events"],
                [arrays[name] for name in names if name.startswith("frame_")],
            )
    except Exception:  # damage can surface as nearly any error of the archive reader
        return None
