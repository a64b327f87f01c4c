from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.data import digits
from pipeline.networks.settings import Codes
from pipeline.training.objectives.infogan import code_loss, recovered
from pipeline.training.randomness import StepSeeds

BOTH = Codes(continuous=2, discrete=3)
TRUE = np.float32([[1, -2, 0, 1, 0], [0, 0, 0, 0, 1]])


def test_loss_of_reading_nothing_is_that_of_the_prior() -> None:
    nothing = tf.zeros([2, 5])
    assert float(code_loss(BOTH, tf.constant(TRUE), nothing)) == pytest.approx(
        0.5 * 5 / 2 + np.log(3)
    )
    assert float(code_loss(Codes(2), tf.constant(TRUE[:, :2]), nothing[:, :2])) == 0.5 * 5 / 2


def test_loss_of_reading_all_is_nothing() -> None:
    sure = TRUE * np.float32([1, 1, 50, 50, 50])
    assert float(code_loss(BOTH, tf.constant(TRUE), tf.constant(sure))) == pytest.approx(
        0, abs=1e-6
    )


def test_codes_that_are_read_rightly_are_counted() -> None:
    random = np.random.default_rng(1)
    true = np.hstack([random.normal(size=[300, 2]), np.eye(3)[np.arange(300) % 3]])
    read = true.copy()
    read[:, 0] = -3 * true[:, 0] + 1
    read[:, 1] = 7.0
    read[:150, 2:] = np.roll(read[:150, 2:], 1, axis=1)
    assert recovered(BOTH, true, read) == {
        "discrete_code": 0.5,
        "continuous_code_1": -1.0,
        "continuous_code_2": 0.0,
    }
    assert recovered(Codes(), true[:, :0], read[:, :0]) == {}


def test_both_sides_learn_to_make_the_codes_readable(make_trainer: Any) -> None:
    objective = make_trainer(codes=BOTH).objective
    batch = objective.batch(StepSeeds(1, 0))
    with tf.GradientTape(persistent=True) as tape:
        fakes = objective.generate(batch)
        verdict = objective.judge(batch, fakes, StepSeeds(1, 0), regularize=False)
    variables = {
        "generator": objective.generator_variables,
        "head": objective.discriminator.get_layer("codes").trainable_variables,
    }
    for side, weights in variables.items():
        slopes = tape.gradient(verdict.code_loss, weights)
        assert all(slope is not None and np.abs(slope).max() > 0 for slope in slopes), side


def test_codes_can_be_read_off_pictures_after_a_short_training(
    make_trainer: Any, tmp_path: Path
) -> None:
    data = digits.load(0.2, seed=1)
    assert data.train_labels is not None
    pictures = data.train[data.train_labels < 2][:, 2:26:3, 2:26:3]
    trainer = make_trainer(
        real_pictures=pictures,
        codes=Codes(continuous=1, discrete=2),
        steps=300,
        batch=16,
        check_every=300,
        ema=0.8,
    )
    before = trainer.objective.figures()
    trainer.train(tmp_path / "checkpoint.npz", "test")
    after = trainer.objective.figures()
    assert after["discrete_code"] > max(0.9, before["discrete_code"])
    assert after["continuous_code_1"] > max(0.5, before["continuous_code_1"])


def test_codes_of_many_pictures_are_read_no_more_at_once_than_a_batch(
    make_trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    objective = make_trainer(codes=BOTH, batch=1000).objective
    infer, sizes = objective._infer, []
    monkeypatch.setattr(objective, "_infer", lambda read: sizes.append(len(read)) or infer(read))
    figures = objective.figures()
    assert sizes == [1000, 1000, 48]
    assert set(figures) == {"discrete_code", "continuous_code_1", "continuous_code_2"}
