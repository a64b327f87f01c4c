import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks import dcgan
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

DIGITS = tuple("1234")  # the ends of convolutions' names


@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_generator_draws_values_from_minus_1_to_1(size: int, channels: int) -> None:
    generator = dcgan.generator(GeneratorSettings(width=4, latent=16), ImageShape(size, channels))
    latents = 1e4 * np.random.default_rng(1).normal(size=[5, 16]).astype(np.float32)
    pictures = generator(latents, training=False).numpy()
    assert pictures.shape == (5, size, size, channels)
    assert pictures.min() < -0.9
    assert pictures.max() > 0.9
    assert np.all(np.abs(pictures) <= 1)


def test_generator_has_the_parameters_counted_by_hand() -> None:
    generator = dcgan.generator(GeneratorSettings(width=8, latent=10), ImageShape(28, 3))
    project, upsample, pixels = 10 * 7 * 7 * 16, 4 * 4 * 8 * 16, 4 * 4 * 3 * 8 + 3
    norms = 4 * (7 * 7 * 16) + 4 * 8
    assert generator.count_params() == project + upsample + pixels + norms


@pytest.mark.parametrize("size", [28, 32])
@pytest.mark.parametrize("channels", [1, 3])
def test_discriminator_gives_one_unbounded_logit_a_picture(size: int, channels: int) -> None:
    discriminator = dcgan.discriminator(DiscriminatorSettings(width=4), ImageShape(size, channels))
    pictures = np.random.default_rng(1).normal(size=[5, size, size, channels]).astype(np.float32)
    logits = discriminator(100 * pictures).numpy()
    assert logits.shape == (5, 1)
    assert np.abs(logits).max() > 1


@pytest.mark.parametrize(("side", "convolutions"), [(28, 2), (32, 2), (64, 3), (100, 4), (128, 4)])
def test_discriminator_halves_its_picture_until_it_is_small(side: int, convolutions: int) -> None:
    discriminator = dcgan.discriminator(DiscriminatorSettings(width=4), ImageShape(side))
    widths = [layer.filters for layer in discriminator.layers if layer.name.endswith(DIGITS)]
    assert widths == [4 * 2**number for number in range(convolutions)]


def test_logit_of_a_picture_does_not_depend_on_the_batch_it_is_in() -> None:
    discriminator = dcgan.discriminator(DiscriminatorSettings(width=4), ImageShape(28))
    pictures = np.random.default_rng(1).normal(size=[5, 28, 28, 1]).astype(np.float32)
    together = discriminator(pictures, training=True)
    alone = np.concatenate([discriminator(picture[None], training=True) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)


@pytest.mark.parametrize("size", [30, 27])
def test_a_size_that_cannot_be_halved_twice_is_refused(size: int) -> None:
    with pytest.raises(PocketganError, match=f"{size} pixels") as refused:
        dcgan.generator(GeneratorSettings(), ImageShape(size))
    assert "data.image_size" in refused.value.remedy


@pytest.mark.parametrize("name", ["dcgan", "dense"])
def test_pictures_may_be_oblong_and_those_judged_of_any_size(name: str) -> None:
    image = ImageShape(8, 3, width=12)
    generator = build_generator(GeneratorSettings(name, 4, 8), image)
    assert generator.output_shape == (None, 8, 12, 3)
    for shape in (image, ImageShape(15, 1, width=21)):
        discriminator = build_discriminator(DiscriminatorSettings(name, 4), shape)
        assert discriminator.input_shape == (None, *shape.shape)
