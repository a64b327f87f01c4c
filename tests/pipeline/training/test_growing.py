from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipeline.training.objectives.growing import Growing, Schedule
from pipeline.training.randomness import StepSeeds
from pipeline.training.trainer import GANTrainer

GROWING: dict[str, Any] = {"network": "progressive", "steps": 40, "growth": 0.5}
"""Three sizes: 2 pixels for ten steps, 4 for ten, 8 for twenty; five steps to fade in."""


@pytest.fixture
def trainer(make_trainer: Any) -> GANTrainer:
    trainer: GANTrainer = make_trainer(**GROWING)
    return trainer


@pytest.fixture
def growing(trainer: GANTrainer) -> Growing:
    assert isinstance(trainer.objective, Growing)
    return trainer.objective


def pictures_at(growing: Growing, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Real and generated pictures of a step, of the same latents at each."""
    growing.enter(step)
    batch = growing.batch(StepSeeds(1, tf.constant(0)))
    batch = type(batch)(
        **{**vars(batch), "fade": growing._schedule.fade(tf.constant(step), growing._level)}
    )
    return batch.real.numpy(), growing.generate(batch).numpy()


def test_each_size_has_its_steps_and_is_faded_in_over_half_of_them() -> None:
    schedule = Schedule(levels=3, grown=20)
    assert [schedule.at(step) for step in (0, 9, 10, 14, 15, 19, 20, 24, 25, 39)] == [
        *[(1, False)] * 2,
        *[(2, True)] * 2,
        *[(2, False)] * 2,
        *[(3, True)] * 2,
        *[(3, False)] * 2,
    ]
    fades = [float(schedule.fade(tf.constant(step), 2)) for step in (10, 12, 14, 19)]
    assert fades == pytest.approx([0.2, 0.6, 1.0, 1.0])


@pytest.mark.parametrize(("step", "side"), [(0, 2), (9, 2), (10, 4), (19, 4), (20, 8), (39, 8)])
def test_real_and_drawn_pictures_have_the_size_of_the_step(
    growing: Growing, step: int, side: int
) -> None:
    real, drawn = pictures_at(growing, step)
    assert real.shape == drawn.shape == (8, side, side, 1)
    assert growing.fixed_pictures().shape == (64, 8, 8, 1)


def test_a_new_size_begins_as_the_small_picture_in_large_pixels(growing: Growing) -> None:
    small = growing._at_level[0](growing._fixed_inputs, training=True).numpy()
    large = small.repeat(2, axis=1).repeat(2, axis=2)
    growing.enter(10)
    batch = growing.batch(StepSeeds(1, tf.constant(10)))
    at = {**vars(batch), "inputs": growing._fixed_inputs}
    early, late = (
        growing.generate(type(batch)(**{**at, "fade": tf.constant(fade)})).numpy()
        for fade in (0.0, 1.0)
    )
    np.testing.assert_allclose(early, large, atol=1e-5)
    now = growing._at_level[1](growing._fixed_inputs, training=True)[-1]
    np.testing.assert_allclose(late, now, atol=1e-5)


def test_a_discriminator_judges_a_new_size_as_it_judged_the_small_one(growing: Growing) -> None:
    pictures = tf.random.stateless_normal([3, 4, 4, 1], [1, 2])
    no_classes = tf.zeros([3, 0])
    growing.enter(10)
    of_new = growing._score_level(pictures, no_classes, tf.constant(0.0))
    whole = growing._score_level(pictures, no_classes, tf.constant(1.0))
    growing.enter(9)
    small = tf.nn.avg_pool2d(pictures, 2, 2, "VALID")
    as_small = growing._score_level(small, no_classes, tf.constant(1.0))
    np.testing.assert_allclose(of_new, as_small, rtol=1e-4)
    growing.enter(15)
    settled = growing._score_level(pictures, no_classes, tf.constant(1.0))
    np.testing.assert_allclose(whole, settled, rtol=1e-4)
    assert np.abs(whole - of_new).max() > 1e-4


def test_a_grown_discriminator_is_the_one_that_is_kept(growing: Growing) -> None:
    pictures = tf.random.stateless_normal([3, 8, 8, 1], [1, 2])
    growing.enter(39)
    np.testing.assert_allclose(
        growing._score_level(pictures, tf.zeros([3, 0]), tf.constant(1.0)),
        growing.discriminator(pictures),
        rtol=1e-5,
    )


def test_small_pictures_leave_what_only_large_ones_need_as_it_was(
    make_trainer: Any, tmp_path: Path
) -> None:
    trainer = make_trainer(**{**GROWING, "growth": 1.0, "steps": 4, "check_every": 1})
    generator = trainer.objective.generator
    names = ("map_1", "map_2", "map_3")
    steps = []

    def look(row: Any, frame: np.ndarray) -> None:
        steps.append([generator.get_layer(name).kernel.numpy() for name in names])

    trainer.train(tmp_path / "checkpoint.npz", "test", look)
    changed = [
        [not np.array_equal(*pair) for pair in zip(before, after, strict=True)]
        for before, after in pairwise(steps)
    ]
    assert changed == [[True, False, False], [True, True, False], [True, True, False]]


def test_a_growing_training_goes_on_where_it_was_interrupted(
    make_trainer: Any, weights_of: Any, tmp_path: Path
) -> None:
    settings = {**GROWING, "growth": 1.0, "steps": 3, "check_every": 1}  # a size each step
    whole, halted, again = (make_trainer(**settings) for _ in range(3))
    whole.train(tmp_path / "whole.npz", "test")

    def interrupt(row: Any, frame: np.ndarray) -> None:
        if row.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        halted.train(tmp_path / "halted.npz", "test", interrupt)
    again.train(tmp_path / "halted.npz", "test")
    for one, other in zip(weights_of(whole), weights_of(again), strict=True):
        np.testing.assert_array_equal(one, other)
