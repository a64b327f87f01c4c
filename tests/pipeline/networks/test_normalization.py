from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.networks.normalization import normalized
from pipeline.networks.registry import build_discriminator
from pipeline.networks.settings import DiscriminatorSettings, ImageShape

PICTURES = np.random.default_rng(1).normal(size=[4, 28, 28, 1]).astype(np.float32)
CLASSES = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]


def discriminator(name: str, spectral_norm: bool = True) -> tf_keras.Model:
    """Conditional, with kernels far from spectral norm 1."""
    tf_keras.utils.set_random_seed(1)
    settings = DiscriminatorSettings(name, 8, spectral_norm)
    model = build_discriminator(settings, ImageShape(28, 1, classes=3))
    for weight in model.trainable_variables:
        weight.assign(3 * weight)
    return model


def largest_singular_values(model: tf_keras.Model) -> list[float]:
    kernels = [weight.numpy() for weight in model.trainable_variables if "kernel" in weight.name]
    return [np.linalg.svd(k.reshape(-1, k.shape[-1]), compute_uv=False)[0] for k in kernels]


@pytest.mark.parametrize(("name", "kernels"), [("dense", 4), ("dcgan", 4)])
def test_every_kernel_comes_to_spectral_norm_1_while_training(name: str, kernels: int) -> None:
    model = discriminator(name)
    for _ in range(60):
        model([PICTURES, CLASSES], training=True)
    assert largest_singular_values(model) == pytest.approx([1.0] * kernels, rel=0.02)


def test_kernels_stay_as_they_are_without_training() -> None:
    model = discriminator("dense")
    before = largest_singular_values(model)
    model([PICTURES, CLASSES], training=False)
    assert largest_singular_values(model) == before


def test_kernels_stay_as_they_are_where_no_norm_is_asked_for() -> None:
    model = discriminator("dense", spectral_norm=False)
    before = largest_singular_values(model)
    model([PICTURES, CLASSES], training=True)
    assert largest_singular_values(model) == before
    layer = tf_keras.layers.Dense(1)
    assert normalized(layer, spectral_norm=False) is layer


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_normalized_discriminator_is_read_back_as_it_was_saved(name: str, tmp_path: Path) -> None:
    model = discriminator(name)
    model([PICTURES, CLASSES], training=True)
    model.save(tmp_path / "discriminator.keras")
    again: Any = tf_keras.models.load_model(tmp_path / "discriminator.keras", compile=False)
    for training in (False, True):
        given = [PICTURES, CLASSES]
        np.testing.assert_array_equal(
            again(given, training=training), model(given, training=training)
        )
