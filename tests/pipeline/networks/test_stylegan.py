from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.networks import stylegan
from pipeline.networks.settings import GeneratorSettings, ImageShape

STYLED = GeneratorSettings(name="stylegan", width=4, latent=16)
LATENTS = np.random.default_rng(1).normal(size=[8, 16]).astype(np.float32)


def inside(generator: tf_keras.Model, *names: str) -> Any:
    """What layers of the generator give for LATENTS."""
    outputs = [generator.get_layer(name).output for name in names]
    return tf_keras.Model(generator.input, outputs)(LATENTS)


@pytest.mark.parametrize("size", [27, 28, 32, 50, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_draws_values_from_minus_1_to_1(size: int, channels: int) -> None:
    generator = stylegan.generator(STYLED, ImageShape(size, channels))
    pictures = generator(1e4 * LATENTS).numpy()
    assert pictures.shape == (8, size, size, channels)
    assert np.all(np.abs(pictures) <= 1)
    assert pictures.std(axis=0).mean() > 0.1


def test_styles_are_all_that_the_latent_decides() -> None:
    generator = stylegan.generator(STYLED, ImageShape(8))
    for layer in generator.layers:
        if layer.name.endswith("_style"):
            layer.kernel.assign(0 * layer.kernel)
    pictures = generator(LATENTS).numpy()
    np.testing.assert_array_equal(pictures, np.repeat(pictures[:1], len(pictures), axis=0))
    assert np.ptp(pictures) > 0


def test_demodulation_is_the_inverse_root_of_what_the_squared_styles_are_times_a_matrix() -> None:
    generator = stylegan.generator(STYLED, ImageShape(8))
    kernel, bias = generator.get_layer("map_2_in_power").get_weights()
    style, factors = inside(generator, "map_2_in_style", "map_2_in_demodulation")
    np.testing.assert_allclose(factors, (np.square(style) @ kernel + bias) ** -0.5, rtol=1e-5)


def test_a_style_ten_times_as_strong_hardly_changes_the_map_behind_its_kernel() -> None:
    generator = stylegan.generator(STYLED, ImageShape(8))
    name = "map_2_in"
    demodulated = tf_keras.Model(
        generator.input,
        generator.get_layer(f"{name}_act").output
        * generator.get_layer(f"{name}_demodulation").output[:, None, None],
    )
    before = demodulated(LATENTS).numpy()
    for weight in generator.get_layer(f"{name}_style").weights:
        weight.assign(10 * weight)
    after = demodulated(LATENTS).numpy()
    assert np.abs(after - before).max() < 0.15 * before.max()


def test_truncated_to_nothing_all_pictures_are_one() -> None:
    settings = GeneratorSettings(name="stylegan", width=4, latent=16, truncation=0.0)
    generator = stylegan.generator(settings, ImageShape(8))
    assert np.ptp(generator(LATENTS, training=True).numpy(), axis=0).max() > 0
    assert np.ptp(generator(LATENTS).numpy(), axis=0).max() == 0
