from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipeline.training.history import COLUMNS, HistoryRow, TrainingHistory
from pipeline.training.log import TrainingLog

ROWS = [
    HistoryRow(
        step=step,
        discriminator_loss=1.0 + step,
        generator_loss=0.5,
        real_score=0.1,
        fake_score=-0.1,
        accuracy=0.75,
        spread=0.3,
        diversity=0.9,
        rate=2e-4,
    )
    for step in (8, 16)
]


@pytest.fixture(params=[1, 3], ids=["grey", "colour"])
def frames(request: pytest.FixtureRequest) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.integers(0, 256, (64, 4, 4, request.param), dtype=np.uint8) for _ in range(2)]


def new_log(folder: Path) -> TrainingLog:
    history, film = folder / "history-int8.csv", folder / "film-int8.png"
    return TrainingLog(
        folder / "events",
        history,
        film=film,
        watched=folder / "training.png",
        caption="fixed latents",
    )


def test_log_leaves_history_film_and_events(frames: list[np.ndarray], tmp_path: Path) -> None:
    log = new_log(tmp_path)
    for row, frame in zip(ROWS, frames, strict=True):
        log.write(row, frame)
    log.close(TrainingHistory(ROWS, [], frames))
    assert {path.name for path in tmp_path.iterdir()} == {
        *("history-int8.csv", "film-int8.png", "film-int8.gif", "events")
    }
    lines = (tmp_path / "history-int8.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS)
    assert lines[1].startswith("8,9.0,")
    assert len(lines) == 3
    events = EventAccumulator(str(tmp_path / "events"), size_guidance={"tensors": 0}).Reload()
    assert set(events.Tags()["tensors"]) == {*COLUMNS[1:], "fixed latents"}
    losses = [
        (event.step, float(tf.make_ndarray(event.tensor_proto)))
        for event in events.Tensors("discriminator_loss")
    ]
    assert losses == [(8, 9.0), (16, 17.0)]


def test_newest_frame_can_be_watched_until_the_film_is_there(
    frames: list[np.ndarray], tmp_path: Path
) -> None:
    log = new_log(tmp_path)
    for row, frame in zip(ROWS, frames, strict=True):
        log.write(row, frame)
        with Image.open(tmp_path / "training.png") as image:
            first = np.asarray(image)[:8:2, :8:2].reshape(frame[0].shape)
        np.testing.assert_array_equal(first, frame[0])
    log.close(TrainingHistory(ROWS, [], frames))
    assert not (tmp_path / "training.png").exists()


@pytest.mark.parametrize(
    ("height", "width", "strip", "grid"),
    [
        (28, 28, (12 * 28, 2 * 28), (8 * 56, 8 * 56)),
        (64, 64, (768, 2 * 64), (512, 512)),
        (128, 128, (768, 2 * 128), (512, 512)),
        (64, 192, (768, 2 * 64), (2 * 192, 8 * 64)),
        (900, 900, (900, 2 * 900), (900, 900)),
    ],
)
def test_film_of_large_pictures_shows_fewer_of_them(
    height: int, width: int, strip: tuple[int, int], grid: tuple[int, int], tmp_path: Path
) -> None:
    frame = np.zeros((64, height, width, 1), np.uint8)
    new_log(tmp_path).close(TrainingHistory(ROWS, [], [frame, frame]))
    for file, size in (("film-int8.png", strip), ("film-int8.gif", grid)):
        with Image.open(tmp_path / file) as image:
            assert image.size == size


@pytest.mark.parametrize(
    "call",
    [lambda log, frame: log.write(ROWS[0], frame), lambda log, _: log.close(TrainingHistory())],
)
def test_full_disk_is_the_systems_error_whoever_notices(
    call: Callable[[TrainingLog, np.ndarray], None],
    frames: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class FullWriter:
        def as_default(self, step: int) -> None:
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

        def close(self) -> None:
            self.as_default(0)

    monkeypatch.setattr(tf.summary, "create_file_writer", lambda _: FullWriter())
    with pytest.raises(OSError, match="No space left") as caught:
        call(new_log(tmp_path), frames[0])
    assert caught.value.filename == str(tmp_path / "events")
