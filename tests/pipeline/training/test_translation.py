"""Paired translation in the one loop: a tiny one that is over within seconds."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.determinism import prepare
from pipeline.networks import pix2pix
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.training import feature_loss
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.randomness import StepSeeds
from pipeline.training.settings import TrainSettings, TranslationWeights
from pipeline.training.trainer import GANTrainer

SETTINGS = TrainSettings(
    steps=4, batch=8, check_every=2, generator_rate=2e-3, discriminator_rate=2e-3
)
PIXELS = (-1.0, 1.0)
SHAPE = TranslatorShape(source=(16, 16, 3), image=(16, 16, 3), source_pixels=PIXELS, pixels=PIXELS)


def pairs(count: int, seed: int) -> DistillationSet:
    """Noise, and the same inverted."""
    inputs = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    return DistillationSet(inputs, 255 - inputs, 0, PIXELS)


def make_trainer(
    *,
    adversarial: bool = True,
    settings: TrainSettings = SETTINGS,
    held_back: int = 8,
    **weights: Any,
) -> GANTrainer:
    prepare(1)
    student = StudentSettings("residual", 0, (4, 4), 0)
    objective = PairedTranslation(
        build_translator_student(student, SHAPE),
        pix2pix.discriminator(DiscriminatorSettings(width=2), SHAPE) if adversarial else None,
        pairs=pairs(32, 1),
        fixed=pairs(held_back, 2),
        pixels=PIXELS,
        weights=TranslationWeights(**weights),
        settings=settings,
        seed=1,
    )
    return GANTrainer(objective, 1)


def weights_of(trainer: GANTrainer) -> list[np.ndarray]:
    return [*trainer.objective.generators[0].get_weights()]


@pytest.mark.parametrize(
    ("adversarial", "changes"),
    [
        (True, {}),
        (True, {"r1": 1.0, "r1_every": 2, "augment": ["shift"]}),
        (True, {"loss": "wgan_gp", "critic_steps": 2}),
        (False, {}),
    ],
)
def test_translation_trains_with_and_without_a_discriminator(
    adversarial: bool, changes: dict[str, Any], tmp_path: Path
) -> None:
    trainer = make_trainer(adversarial=adversarial, settings=replace(SETTINGS, **changes))
    before = weights_of(trainer)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert all(row.finite for row in history.rows)
    assert not history.events
    assert not all(map(np.array_equal, before, weights_of(trainer)))


def test_single_picture_that_is_held_back_is_shown_beside_one_of_the_training(
    tmp_path: Path,
) -> None:
    trainer = make_trainer(adversarial=False, held_back=1)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    assert all(row.finite and row.diversity > 0 for row in history.rows)
    assert history.frames[-1].shape == (2, 16, 48, 3)
    np.testing.assert_array_equal(
        history.frames[-1][:, :, :16], np.concatenate([pairs(1, 2).inputs, pairs(1, 1).inputs])
    )


def test_discriminator_sees_pictures_moved_together_with_their_inputs() -> None:
    objective = make_trainer(settings=replace(SETTINGS, augment=["shift"])).objective
    seen = []
    judge, seeds = objective.discriminator, StepSeeds(1, 0)

    def watched(pictures: Any, *, training: bool) -> Any:
        seen.append(pictures.numpy())
        return judge(pictures, training=training)

    objective.discriminator = watched
    batch = objective.batch(seeds)
    objective.judge(batch, objective.generate(batch), seeds, regularize=False)
    real = seen[0]
    np.testing.assert_allclose(real[..., :3], -real[..., 3:], atol=1e-6)
    assert not np.array_equal(real[..., 3:], batch.targets.numpy())


def test_training_without_a_discriminator_learns_the_pairs(tmp_path: Path) -> None:
    settings = replace(SETTINGS, steps=300, check_every=100, generator_rate=1e-2)
    trainer = make_trainer(adversarial=False, settings=settings, l1=0.0, l2=1.0)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    losses = [row.generator_loss for row in history.rows]
    assert losses[-1] < losses[0] / 4


def loss_of(trainer: GANTrainer) -> float:
    """Of the first step, in which all start alike."""
    return float(trainer.step(regularize=False)[1])


@pytest.mark.parametrize("term", ["feature_matching", "perceptual"])
def test_feature_terms_add_what_networks_see_differently(
    term: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_loss, "looks_at", lambda shape: True)
    plain = loss_of(make_trainer())
    some, more = (loss_of(make_trainer(**{term: weight})) for weight in (1.0, 2.0))
    assert some > plain
    assert more - some == pytest.approx(some - plain, rel=1e-3)


def test_perceptual_term_refuses_pictures_that_are_too_small() -> None:
    with pytest.raises(PocketganError, match=r"perceptual.* 32 pixels a side at least, not at .16"):
        make_trainer(perceptual=1.0)


def test_moved_pairs_stay_pairs() -> None:
    objective = make_trainer(shift=4).objective
    batch = objective.batch(StepSeeds(1, 0))
    np.testing.assert_allclose(batch.inputs, -batch.targets, atol=1e-6)


def test_frame_shows_input_picture_and_truth_side_by_side() -> None:
    trainer = make_trainer()
    frame = trainer.objective.frame(trainer.fixed_pictures())
    assert frame.shape == (8, 16, 48, 3)
    fixed = pairs(8, 2)
    np.testing.assert_array_equal(frame[:, :, :16], fixed.inputs)
    np.testing.assert_array_equal(frame[:, :, 32:], fixed.pictures)


def test_frame_of_grey_small_inputs_is_as_large_as_the_pictures() -> None:
    shape = TranslatorShape(
        source=(8, 8, 1), image=(16, 16, 3), source_pixels=PIXELS, pixels=PIXELS
    )
    random = np.random.default_rng(1)
    some = DistillationSet(
        random.integers(0, 256, (8, 8, 8, 1), dtype=np.uint8),
        random.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8),
        0,
        PIXELS,
    )
    objective = PairedTranslation(
        pix2pix.generator(GeneratorSettings(width=2), shape),
        pix2pix.discriminator(DiscriminatorSettings(width=2), shape),
        pairs=some,
        fixed=some,
        pixels=PIXELS,
        weights=TranslationWeights(),
        settings=SETTINGS,
        seed=1,
    )
    assert objective.frame(objective.fixed_pictures()).shape == (8, 16, 48, 3)
    trainer = GANTrainer(objective, 1)
    trainer.step(regularize=False)


@pytest.mark.parametrize(
    ("channels", "visible", "expected"),
    [
        (3, None, [54]),  # colour as its luma, whose red alone is 10
        (4, None, [54]),  # a mask behind the colours
        (11, 1, [10]),  # planes of a class behind a grey picture are no colours
    ],
)
def test_frame_shows_the_inputs_of_grey_pictures_as_grey(
    channels: int, visible: int | None, expected: list[int]
) -> None:
    shape = TranslatorShape(
        source=(16, 16, channels), image=(16, 16, 1), source_pixels=PIXELS, pixels=PIXELS
    )
    inputs = np.full((2, 16, 16, channels), 255, np.uint8)
    inputs[..., :3] = (10, 60, 140)
    some = DistillationSet(inputs, np.zeros((2, 16, 16, 1), np.uint8), 0, PIXELS)
    student = StudentSettings("residual", 0, (4, 4), 0)
    objective = PairedTranslation(
        build_translator_student(student, shape),
        None,
        pairs=some,
        fixed=some,
        pixels=PIXELS,
        weights=TranslationWeights(),
        settings=SETTINGS,
        seed=1,
        visible=visible,
    )
    frame = objective.frame(objective.fixed_pictures())
    assert frame.shape == (2, 16, 48, 1)
    np.testing.assert_array_equal(np.unique(frame[:, :, :16]), expected)


def test_interrupted_translation_goes_on_in_the_same_bytes(tmp_path: Path) -> None:
    whole = make_trainer()
    whole.train(tmp_path / "whole.npz", "test")
    first = make_trainer()

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        first.train(tmp_path / "parted.npz", "test", interrupt)
    second = make_trainer()
    second.train(tmp_path / "parted.npz", "test")
    assert all(map(np.array_equal, weights_of(whole), weights_of(second)))
