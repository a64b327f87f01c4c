from pathlib import Path

import numpy as np
import pytest

from pipeline.training.history import Checkpoint, HistoryRow, TrainingHistory, load_checkpoint

ROW = HistoryRow(
    step=8,
    discriminator_loss=1.25,
    generator_loss=0.5,
    real_score=0.1,
    fake_score=-0.1,
    accuracy=0.75,
    spread=0.3,
    diversity=0.9,
    rate=2e-4,
)


@pytest.fixture
def state() -> Checkpoint:
    """With eleven variables and frames, so that 10 must come after 9."""
    return Checkpoint(
        variables=[np.array(8, np.int64), *(np.full([2, 3], n, np.float32) for n in range(11))],
        step=8,
        rate_scale=0.5,
        rollbacks=1,
        history=TrainingHistory(
            [ROW],
            ["step 8: mode collapse: é"],
            [np.full([2, 4, 4, 1], n, np.uint8) for n in range(11)],
        ),
    )


def assert_same(a: Checkpoint, b: Checkpoint) -> None:
    for ours, theirs in ((a.variables, b.variables), (a.history.frames, b.history.frames)):
        assert [array.dtype for array in ours] == [array.dtype for array in theirs]
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)
    assert (a.step, a.rate_scale, a.rollbacks) == (b.step, b.rate_scale, b.rollbacks)
    assert (a.history.rows, a.history.events) == (b.history.rows, b.history.events)


def test_checkpoint_is_read_back_as_it_was_saved(state: Checkpoint, tmp_path: Path) -> None:
    state.save(tmp_path / "checkpoint.npz")
    read = load_checkpoint(tmp_path / "checkpoint.npz")
    assert read is not None
    assert_same(read, state)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_missing_checkpoint_is_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "checkpoint.npz") is None


def test_damaged_checkpoint_is_none(state: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.npz"
    state.save(path)
    whole = path.read_bytes()
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert load_checkpoint(path) is None, f"cut after {length} bytes"
    path.write_bytes(b"not an archive at all")
    assert load_checkpoint(path) is None


def test_checkpoint_with_a_changed_byte_raises_nothing_and_gives_no_other_numbers(
    state: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.npz"
    state.save(path)
    whole = path.read_bytes()
    refused = 0
    for position in range(0, len(whole), 11):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0x5A]) + whole[position + 1 :])
        read = load_checkpoint(path)
        refused += read is None
        if read is not None and len(read.variables) == len(
            state.variables
        ):  # else it fits no training
            for one, other in zip(read.variables, state.variables, strict=True):
                np.testing.assert_array_equal(one, other)
    assert refused > len(whole) / 11 / 2


def test_checkpoint_that_cannot_be_written_leaves_the_one_before(
    state: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "checkpoint.npz"
    state.save(path)
    before = path.read_bytes()

    def full_disk(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="No space"):
        state.save(path)
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]
