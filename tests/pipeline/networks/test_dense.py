import numpy as np
import pytest

from pipeline.networks import dense
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape


def test_generator_of_the_article_has_the_parameters_counted_by_hand() -> None:
    generator = dense.generator(
        GeneratorSettings(name="dense", width=128, latent=100), ImageShape(28)
    )
    by_hand = (100 * 128 + 128) + (128 * 128 + 128) + (128 * 784 + 784)
    assert generator.count_params() == by_hand == 130_576


def test_discriminator_of_the_article_has_the_parameters_counted_by_hand() -> None:
    discriminator = dense.discriminator(DiscriminatorSettings("dense", 128), ImageShape(28))
    by_hand = (784 * 128 + 128) + (128 * 128 + 128) + (128 + 1)
    assert discriminator.count_params() == by_hand == 117_121


@pytest.mark.parametrize("size", [28, 30, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_draws_values_from_0_to_1_in_any_size(size: int, channels: int) -> None:
    generator = dense.generator(
        GeneratorSettings(name="dense", width=8, latent=16), ImageShape(size, channels)
    )
    latents = 1e3 * np.random.default_rng(1).normal(size=[5, 16]).astype(np.float32)
    pictures = generator(latents).numpy()
    assert pictures.shape == (5, size, size, channels)
    assert pictures.min() < 0.01
    assert pictures.max() > 0.99
    assert np.all((pictures >= 0) & (pictures <= 1))


def test_hidden_layers_leak() -> None:
    generator = dense.generator(GeneratorSettings(name="dense", width=8, latent=16), ImageShape(28))
    names = ("hidden_1_act", "hidden_2_act")
    for number, name in enumerate(names, start=1):
        features = np.array([[-1.0, 0.0, 1.0]], np.float32)
        np.testing.assert_allclose(generator.get_layer(name)(features), [[-0.2, 0, 1]], atol=1e-6)
        before = generator.get_layer(f"hidden_{number}").output
        assert generator.get_layer(name).input is before
