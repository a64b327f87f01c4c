"""Unpaired translation in the one loop: a tiny one that is over within seconds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.determinism import prepare
from pipeline.networks import cyclegan, pix2pix
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings
from pipeline.networks.translators import TranslatorShape
from pipeline.training.objectives.unpaired import POOLED, UnpairedTranslation
from pipeline.training.randomness import StepSeeds
from pipeline.training.settings import TrainSettings, TranslationWeights
from pipeline.training.trainer import GANTrainer

PIXELS = (-1.0, 1.0)
SHAPE = TranslatorShape(source=(16, 16, 3), image=(16, 16, 3), source_pixels=PIXELS, pixels=PIXELS)
SETTINGS = TrainSettings(steps=4, batch=4, check_every=2, loss="lsgan")


def domain(count: int, brightness: int) -> np.ndarray:
    noise = np.random.default_rng(brightness).integers(0, 60, (count, 16, 16, 3))
    return (noise + brightness).astype(np.uint8)


def make_trainer(settings: TrainSettings = SETTINGS, held_back: int = 8) -> GANTrainer:
    prepare(1)
    alone = replace(SHAPE, source=(16, 16, 0))
    objective = UnpairedTranslation(
        [cyclegan.generator(GeneratorSettings(width=2), SHAPE) for _ in range(2)],
        [pix2pix.discriminator(DiscriminatorSettings(width=2), alone) for _ in range(2)],
        inputs=domain(24, 20),
        pictures=domain(30, 160),
        fixed=domain(held_back, 21),
        weights=TranslationWeights(),
        settings=settings,
        seed=1,
    )
    return GANTrainer(objective, 1)


def weights_of(trainer: GANTrainer) -> list[np.ndarray]:
    objective = trainer.objective
    networks = (*objective.generators, *objective.discriminators)
    arrays = [weight for network in networks for weight in network.get_weights()]
    return [*arrays, *(np.asarray(variable.numpy()) for variable in objective.state)]


def test_all_four_networks_learn(tmp_path: Path) -> None:
    trainer = make_trainer()
    objective = trainer.objective
    before = [
        network.get_weights()[0] for network in (*objective.generators, *objective.discriminators)
    ]
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert all(row.finite for row in history.rows)
    after = [
        network.get_weights()[0] for network in (*objective.generators, *objective.discriminators)
    ]
    assert not any(map(np.array_equal, before, after))


def test_single_input_that_is_held_back_is_shown_beside_one_of_the_training() -> None:
    trainer = make_trainer(held_back=1)
    pictures = trainer.fixed_pictures()
    assert pictures.shape == (2, 16, 16, 3)
    inputs = trainer.objective.frame(pictures)[:, :, :16]
    np.testing.assert_array_equal(inputs, np.concatenate([domain(1, 21), domain(24, 20)[:1]]))


def test_pictures_of_a_generator_are_shown_again_once_the_pool_is_full() -> None:
    trainer = make_trainer()
    steps = POOLED // SETTINGS.batch + 2
    for _ in range(steps):
        trainer.step(regularize=False)
    pool, filled = trainer.objective.state[:2]
    assert int(filled) == POOLED
    assert (np.abs(pool.numpy()).max(axis=(1, 2, 3)) > 0).all()


def test_frame_shows_input_picture_and_the_way_back() -> None:
    trainer = make_trainer()
    frame = trainer.objective.frame(trainer.fixed_pictures())
    assert frame.shape == (8, 16, 48, 3)
    np.testing.assert_array_equal(frame[:, :, :16], domain(8, 21))


@pytest.mark.slow
def test_interrupted_training_goes_on_in_the_same_bytes(tmp_path: Path) -> None:
    whole, first, second = (make_trainer() for _ in range(3))
    whole.train(tmp_path / "whole.npz", "test")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.train(tmp_path / "parted.npz", "test", interrupt)
    second.train(tmp_path / "parted.npz", "test")
    assert all(map(np.array_equal, weights_of(whole), weights_of(second)))


@pytest.mark.parametrize("names", [[], ["brightness"]])
def test_generators_are_judged_by_pictures_changed_as_the_discriminators_see_them(
    names: list[str],
) -> None:
    objective = make_trainer(replace(SETTINGS, augment=names)).objective
    seeds = StepSeeds(1, 0)
    batch = objective.batch(seeds)
    fakes = objective.generate(batch)
    logits = objective.judge(batch, fakes, seeds, regularize=False).fake_logits.numpy()
    judges = zip(objective.discriminators, (fakes.pictures, fakes.inputs), strict=True)
    unchanged = np.concatenate([judge(pictures).numpy() for judge, pictures in judges])
    assert np.array_equal(logits, unchanged) == (not names)
