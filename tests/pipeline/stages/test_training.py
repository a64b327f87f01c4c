from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.stage import StageContext
from pipeline.stages import inputs, training
from pipeline.training.randomness import Prior, Purpose
from pipeline.training.settings import WeightSettings

Bench = Callable[..., StageContext]


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """A folder of pictures without classes."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(40):
        noise = random.integers(0, 256, (8, 8), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return str(folder)


def test_unconditional_generator_is_told_no_class(ctx: Bench) -> None:
    assert inputs.class_count(ctx()) == 0
    assert inputs.prior(ctx()) == Prior(8)


def test_conditional_generator_is_told_the_classes_of_the_data(ctx: Bench) -> None:
    conditional = ctx("--generator.conditional", "true")
    assert inputs.prior(conditional) == Prior(8, (500,) * 10)
    assert inputs.image_shape(conditional).classes == 10


def test_conditional_generator_without_classes_is_refused(ctx: Bench, pictures: str) -> None:
    unlabelled = ctx(
        *("--generator.conditional", "true", "--data.source", "folder", "--data.folder", pictures)
    )
    with pytest.raises(PocketganError, match=r"generator\.conditional: .* no classes"):
        inputs.class_count(unlabelled)


def test_classes_are_drawn_in_the_shares_of_the_data(ctx: Bench, unequal: str) -> None:
    conditional = ctx(
        *("--generator.conditional", "true", "--data.source", "folder", "--data.folder", unequal)
    )
    latents = inputs.generator_inputs(conditional, Purpose.CALIBRATION, 1000)
    np.testing.assert_allclose(latents[:, 8:].mean(axis=0), [0.75, 0.25], atol=0.04)


def test_fine_tuning_keeps_the_rules_but_lets_the_generators_weights_alone(ctx: Bench) -> None:
    dense = ctx(
        *("--train.loss", "hinge", "--train.r1", "0.5", "--train.augment", "[shift]"),
        *("--train.generator_weights", "{l1: 0.1, drop: 0.2}"),
        *("--train.discriminator_weights", "{l2: 0.1, drop: 0.2}"),
    )
    rules = training.fine_tuning(dense, 200, 3e-5, 0.9)
    assert (rules.loss, rules.r1, rules.augment) == ("hinge", 0.5, ["shift"])
    assert (rules.steps, rules.generator_rate, rules.discriminator_rate) == (200, 3e-5, 3e-5)
    assert (rules.ema, rules.final_rate) == (0.9, 0.1)
    assert rules.generator_weights == WeightSettings()
    assert rules.discriminator_weights == WeightSettings(l2=0.1, drop=0.2)
    assert rules.check_every == dense.recipe.train.check_every


def test_short_fine_tuning_is_looked_at_eight_times(ctx: Bench) -> None:
    assert training.fine_tuning(ctx(), 16, 3e-5, 0.9).check_every == 2
    assert training.fine_tuning(ctx(), 3, 3e-5, 0.9).check_every == 1


def test_students_training_has_a_calmer_discriminator_than_its_teachers(ctx: Bench) -> None:
    dense = ctx(
        *("--train.r1", "0.1", "--train.augment", "[shift]", "--student.r1", "3"),
        *("--student.discriminator_rate", "4e-5"),
    )
    rules = training.student_training(dense, 200, 2e-3, 0.9)
    assert (rules.r1, rules.discriminator_rate, rules.generator_rate) == (3, 4e-5, 2e-3)
    assert (rules.augment, rules.steps, rules.ema) == (["shift"], 200, 0.9)


@pytest.mark.parametrize(("batch", "expected"), [(1, 64), (2, 64), (3, 66), (64, 64), (100, 100)])
def test_latents_fill_whole_batches(batch: int, expected: int, ctx: Bench) -> None:
    latents = inputs.batched_inputs(ctx("--convert.batch", str(batch)), Purpose.CONTROL, 64)
    assert len(latents) == expected


@pytest.mark.parametrize(
    ("weights", "is_asked"),
    [
        ((), True),
        (("--translation.adversarial", "0"), False),
        (("--translation.adversarial", "0", "--translation.feature_matching", "1"), True),
    ],
)
def test_translator_of_pairs_has_a_discriminator_where_a_loss_asks_one(
    weights: tuple[str, ...], is_asked: bool, ctx: Bench, tmp_path: Path
) -> None:
    pairs = ctx(*("--data.degrade", "half", "--generator.name", "residual"), *weights)
    networks = training.build_networks(pairs)
    assert (networks.discriminator is not None) == is_asked
    networks.save(tmp_path)
    finished: Any = SimpleNamespace(
        recipe=pairs.recipe, dataset=pairs.dataset, inputs={"train": tmp_path}
    )
    loaded = training.TrainedNetworks.load(finished, "train")
    assert (loaded.discriminator is not None) == is_asked
    trainer = training.trainer(pairs, loaded, settings=pairs.recipe.train)
    assert len(trainer.objective.discriminators) == is_asked
