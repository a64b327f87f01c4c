"""CoGAN has no objective of its own: what its networks share makes a pair of what they draw."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.data import digits
from pipeline.data.coupling import coupled


def likeness(left: np.ndarray, right: np.ndarray) -> float:
    """Cosine of how both differ from their mean pictures."""
    one, other = (each - each.mean(axis=0, dtype=float) for each in (left, right))
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


def test_halves_become_a_picture_and_its_negative_though_no_pair_was_shown(
    make_trainer: Any, tmp_path: Path
) -> None:
    data = digits.load(0.2, seed=1)
    assert data.train_labels is not None
    pictures = data.train[data.train_labels < 2][:, 2:26:3, 2:26:3]
    strangers = np.random.default_rng(1).permutation(len(pictures))
    # Partners are torn apart, so that nothing but the shared layers can bring them together.
    both = coupled(pictures, "negative")
    both[:, :, 8:] = both[strangers, :, 8:]
    assert abs(likeness(both[:, :, :8], 255 - both[:, :, 8:])) < 0.1
    trainer = make_trainer(
        "cogan", real_pictures=both, steps=200, batch=16, check_every=200, ema=0.8
    )
    trainer.train(tmp_path / "checkpoint.npz", "test")
    trainer.recalibrate(8)
    left, right = np.split(trainer.fixed_pictures(), 2, axis=2)
    assert right.mean() > left.mean() + 50
    assert likeness(left, 255 - right) > 0.4
    assert abs(likeness(left, 255 - right[::-1])) < 0.3
