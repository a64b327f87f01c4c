"""What others do for variety: scores of channels, a distance of distributions, gates."""

from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.networks import dcgan
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.objectives.generation import Generation
from pipeline.training.randomness import Prior
from pipeline.training.settings import TrainSettings
from pipeline.training.trainer import GANTrainer
from tools.experiments.variety_methods import (
    ChannelGate,
    DistributionMatching,
    SelectiveDiscrimination,
    gated,
    importance_by_latents,
    squared_discrepancy,
)

SHAPE = ImageShape(size=8, classes=2)
LATENT = 4
RANDOM = np.random.default_rng(1)
INPUTS = np.concatenate(
    [RANDOM.normal(size=[32, LATENT]), np.eye(2)[RANDOM.integers(2, size=32)]], axis=1
).astype(np.float32)
PICTURES = RANDOM.integers(0, 256, [32, 8, 8, 1], dtype=np.uint8)


def make_discriminator() -> tf_keras.Model:
    return dcgan.discriminator(DiscriminatorSettings(width=4), SHAPE)


def make_objective(family: type[Generation], discriminator: tf_keras.Model) -> Any:
    return family(
        dcgan.generator(GeneratorSettings(width=4, latent=LATENT), SHAPE),
        discriminator,
        pictures=PICTURES,
        labels=RANDOM.integers(2, size=32),
        prior=Prior.even(LATENT + 2, 2),
        pixels=(-1.0, 1.0),
        settings=TrainSettings(steps=8, batch=8, r1=1.0, r1_every=2, check_every=4),
        seed=1,
        teacher=DistillationSet(INPUTS, PICTURES, 2),
        distill=1.0,
    )


def test_a_channel_that_no_latent_reaches_is_the_least_important() -> None:
    model = dcgan.generator(GeneratorSettings(width=4, latent=LATENT), SHAPE)
    dense = model.get_layer("project")
    kernel = dense.get_weights()[0].reshape(
        LATENT + 2, -1, model.get_layer("seed_map").output.shape[-1]
    )
    kernel[..., 1] = 0.0
    dense.set_weights([kernel.reshape(LATENT + 2, -1)])
    first = next(iter(importance_by_latents(model, INPUTS).values()))
    assert first[1] == 0.0
    assert np.delete(first, 1).min() > 0


def test_classes_are_not_moved() -> None:
    model = dcgan.generator(GeneratorSettings(width=4, latent=LATENT), SHAPE)
    dense = model.get_layer("project")
    kernel = dense.get_weights()[0]
    kernel[:LATENT] = 0.0
    dense.set_weights([kernel])
    assert all((score == 0).all() for score in importance_by_latents(model, INPUTS).values())


def test_the_discrepancy_is_0_on_average_for_one_distribution_and_more_for_two() -> None:
    def mean(shift: float) -> float:
        return float(
            np.mean(
                [
                    squared_discrepancy(
                        *RANDOM.normal([[[0.0]], [[shift]]], size=[2, 16, 8]).astype(np.float32)
                    )
                    for _ in range(400)
                ]
            )
        )

    assert abs(mean(0.0)) < 0.1
    assert mean(1.0) > 1.0


def test_twins_say_nothing_about_the_distributions() -> None:
    features = tf.random.stateless_normal([16, 8], [1, 2])
    assert float(squared_discrepancy(features, features)) == pytest.approx(0.0, abs=1e-5)


def test_the_features_stay_while_the_discriminator_learns() -> None:
    objective = make_objective(DistributionMatching, make_discriminator())
    trainer = GANTrainer(objective, 1)
    before = [weight.numpy() for weight in objective._fixed.weights]
    trainer.step(regularize=False)
    for weight, old in zip(objective._fixed.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    assert objective.discriminators[0].get_weights()[0].ravel()[0] != before[0].ravel()[0]


def test_open_gates_change_nothing_and_a_shut_one_its_channel_only() -> None:
    discriminator = make_discriminator()
    inputs = [PICTURES[:2] / np.float32(255), np.eye(2, dtype=np.float32)]
    model = gated(discriminator)
    np.testing.assert_allclose(model(inputs), discriminator(inputs), atol=1e-6)
    gate = next(layer for layer in model.layers if isinstance(layer, ChannelGate))
    gate.alpha.assign(tf.constant([1.0, 0.4] + [1.0] * (gate.alpha.shape[0] - 2)))
    maps = tf_keras.Model(model.inputs, gate.output)(inputs).numpy()
    assert not maps[..., 1].any()
    assert np.delete(maps, 1, axis=-1).any(axis=(0, 1, 2)).all()


def test_gates_learn_where_r1_is_computed_and_are_part_of_a_checkpoint() -> None:
    discriminator = gated(make_discriminator())
    objective = make_objective(SelectiveDiscrimination, discriminator)
    trainer = GANTrainer(objective, 1)
    alphas = [layer.alpha for layer in discriminator.layers if isinstance(layer, ChannelGate)]
    trainer.step(regularize=False)
    assert all((alpha.numpy() == 1).all() for alpha in alphas)
    trainer.step(regularize=True)
    trainer.step(regularize=True)
    assert any((alpha.numpy() < 1).any() for alpha in alphas)
    kept = {id(variable) for variable in trainer._variables()}
    assert all(id(alpha) in kept for alpha in alphas)
