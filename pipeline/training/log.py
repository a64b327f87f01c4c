"""TrainingLog: a training as curves (CSV), TensorBoard events, and a film of its fixed pictures."""

import csv
import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from deploy.bundle.sheet import tiled
from pipeline.atomic import replaced
from pipeline.training.history import COLUMNS, HistoryRow, TrainingHistory

STRIP_PICTURES, STRIP_WIDTH = 12, 768
GRID_COLUMNS, GRID_WIDTH = 8, 512
"""At most so many pictures side by side, of large ones as many as are so wide in pixels."""
GIF_MILLISECONDS = 350
GIF_SCALE = 2


class TrainingLog:
    """Writes TensorBoard events during a training, and history and film at its end.

    ``events``: folder of the events; ``history``: the CSV; ``film``: the .png, with a .gif of the
    same name beside it; ``watched``: a picture of the newest frame, while the training goes on;
    ``caption``: of the frames in TensorBoard, as the objective has it.
    """

    def __init__(
        self, events: Path, history: Path, *, film: Path, watched: Path, caption: str
    ) -> None:
        self._folder, self._history, self._film = events, history, film
        self._watched, self._caption = watched, caption
        with self._disk_errors():
            self._events = tf.summary.create_file_writer(str(events))

    def write(self, row: HistoryRow, frame: np.ndarray) -> None:
        """One row of the history, and the objective's frame uint8 [N, H, W, C] at that step."""
        with self._disk_errors(), self._events.as_default(step=row.step):
            for column in COLUMNS[1:]:
                tf.summary.scalar(column, getattr(row, column))
            tf.summary.image(self._caption, tiled(frame, GRID_COLUMNS)[None])
        with replaced(self._watched) as aside:
            _grid(frame).save(aside, "png")

    def after(self, history: TrainingHistory) -> Callable[[HistoryRow, np.ndarray], None]:
        """``write`` for a training that follows another one and counts its steps from 0."""
        return lambda row, frame: self.write(replace(row, step=history.steps + row.step), frame)

    def close(self, history: TrainingHistory) -> None:
        """Write the history as CSV; the film as a strip (rows are time) and as a GIF."""
        with self._disk_errors():
            self._events.close()
        with replaced(self._history) as aside, aside.open("w") as file:
            table = csv.writer(file)
            table.writerow(COLUMNS)
            table.writerows([getattr(row, column) for column in COLUMNS] for row in history.rows)
        strips = [_row(frame) for frame in history.frames]
        _image(np.concatenate(strips)).save(self._film)
        first, *others = [_grid(frame) for frame in history.frames]
        first.save(
            self._film.with_suffix(".gif"),
            save_all=True,
            append_images=others,
            duration=GIF_MILLISECONDS,
            loop=0,
        )
        self._watched.unlink(missing_ok=True)

    @contextmanager
    def _disk_errors(self) -> Iterator[None]:
        """A full disk as the system's error: TensorFlow has one of its own."""
        try:
            yield
        except tf.errors.ResourceExhaustedError as error:
            raise OSError(errno.ENOSPC, "No space left on device", str(self._folder)) from error


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def _row(frame: np.ndarray) -> np.ndarray:
    """The first pictures of a frame side by side."""
    count = max(1, min(STRIP_PICTURES, STRIP_WIDTH // frame.shape[2]))
    return tiled(frame[:count], count)


def _grid(frame: np.ndarray) -> Image.Image:
    """The first pictures of a frame in rows, enlarged where there is room."""
    rows, columns = (max(1, min(GRID_COLUMNS, GRID_WIDTH // side)) for side in frame.shape[1:3])
    image = _image(tiled(frame[: rows * columns], columns))
    scale = GIF_SCALE if image.width * GIF_SCALE <= GRID_WIDTH else 1
    return image.resize((image.width * scale, image.height * scale), Image.Resampling.NEAREST)
