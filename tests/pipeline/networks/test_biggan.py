import numpy as np
import pytest
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.networks import biggan
from pipeline.networks.settings import GeneratorSettings, ImageShape

SETTINGS = GeneratorSettings(name="biggan", width=4, latent=16)
LATENTS = np.random.default_rng(1).normal(size=[6, 16]).astype(np.float32)


def of_class(number: int, classes: int = 3) -> np.ndarray:
    """LATENTS, all of one class."""
    one_hot = np.eye(classes, dtype=np.float32)[[number] * len(LATENTS)]
    return np.concatenate([LATENTS, one_hot], axis=1)


@pytest.fixture
def generator() -> tf_keras.Model:
    return biggan.generator(SETTINGS, ImageShape(8, classes=3))


@pytest.mark.parametrize("size", [27, 28, 50, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_draws_values_from_minus_1_to_1(size: int, channels: int) -> None:
    generator = biggan.generator(SETTINGS, ImageShape(size, channels))
    pictures = generator(1e4 * LATENTS).numpy()
    assert pictures.shape == (6, size, size, channels)
    assert np.all(np.abs(pictures) <= 1)
    assert pictures.std(axis=0).mean() > 0.1


def test_class_and_latent_scale_and_shift_maps_that_are_the_same_for_all(
    generator: tf_keras.Model,
) -> None:
    project = generator.get_layer("project").kernel
    project.assign(0 * project)
    pictures = generator(of_class(0)).numpy()
    assert np.abs(pictures - generator(of_class(1))).max() > 1e-3
    assert np.ptp(pictures, axis=0).max() > 1e-3
    for layer in generator.layers:
        if layer.name.endswith(("_gain", "_shift")):
            layer.kernel.assign(0 * layer.kernel)
    pictures = generator(of_class(0)).numpy()
    np.testing.assert_array_equal(pictures, generator(of_class(1)))
    assert np.ptp(pictures, axis=0).max() == 0


def test_one_embedding_says_everywhere_what_a_class_is(generator: tf_keras.Model) -> None:
    before = generator(of_class(2)).numpy()
    embedding = generator.get_layer("embedding").kernel
    latent, classes = embedding.numpy()[:-3], embedding.numpy()[-3:]
    embedding.assign(np.concatenate([latent, classes[::-1]]))
    np.testing.assert_allclose(generator(of_class(0)), before, atol=1e-6)


def test_normalization_goes_into_the_kernels_and_scales_stay(generator: tf_keras.Model) -> None:
    generator(of_class(1), training=True)
    folded = fold_batch_norm(generator)
    kinds = [type(layer).__name__ for layer in folded.layers]
    assert "BatchNormalization" not in kinds
    assert kinds.count("Multiply") == 4
    np.testing.assert_allclose(folded(of_class(1)), generator(of_class(1)), atol=1e-5)
