import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks import progressive
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

SETTINGS = GeneratorSettings(name="progressive", width=2, latent=8)
LATENTS = np.random.default_rng(1).normal(size=[5, 8]).astype(np.float32)


@pytest.mark.parametrize("image", [ImageShape(28), ImageShape(64, 3), ImageShape(16, 1, width=24)])
def test_generator_draws_values_from_minus_1_to_1(image: ImageShape) -> None:
    pictures = progressive.generator(SETTINGS, image)(1e4 * LATENTS).numpy()
    assert pictures.shape == (5, *image.shape)
    assert np.all(np.abs(pictures) <= 1)
    assert pictures.std(axis=0).max() > 0.1


def test_a_size_that_no_doubling_comes_to_is_refused_and_the_one_named_is_not() -> None:
    with pytest.raises(PocketganError, match=r"multiples of 8 .* not 50x50") as refused:
        progressive.generator(SETTINGS, ImageShape(50))
    assert refused.value.remedy == "Set data.image_size to 48."
    progressive.generator(SETTINGS, ImageShape(48))
    with pytest.raises(PocketganError) as refused:
        progressive.generator(SETTINGS, ImageShape(50, width=70))
    assert refused.value.remedy == "Set data.image_size to 48 and data.image_width to 64."
    progressive.generator(SETTINGS, ImageShape(48, width=64))


def test_picture_smaller_than_any_map_doubled_twice_is_refused_with_the_least() -> None:
    with pytest.raises(PocketganError) as refused:
        progressive.generator(SETTINGS, ImageShape(3))
    assert refused.value.remedy == "Set data.image_size to 4."
    progressive.generator(SETTINGS, ImageShape(4))


def test_every_map_has_a_way_out_and_a_way_in_of_its_size() -> None:
    image = ImageShape(28, 3)
    generator = progressive.generator(SETTINGS, image)
    discriminator = progressive.discriminator(DiscriminatorSettings("progressive", 2), image)
    maps, maps_in = progressive.maps_of(generator), progressive.maps_into(discriminator)
    assert [tuple(each.shape[1:]) for each in maps] == [(7, 7, 8), (14, 14, 4), (28, 28, 2)]
    assert [tuple(each.shape[1:]) for each in maps_in] == [(7, 7, 8), (14, 14, 4), (28, 28, 2)]
    assert len(maps) == progressive.level_count(image.shape)
    outs, ins = progressive.ways_out(generator), progressive.ways_in(discriminator)
    assert [each.output_shape for each in outs] == [(None, 7, 7, 3), (None, 14, 14, 3)]
    assert [each.input_shape for each in ins] == [(None, 7, 7, 3), (None, 14, 14, 3)]
    assert [each.output_shape for each in ins] == [(None, 7, 7, 8), (None, 14, 14, 4)]


@pytest.mark.parametrize("spectral_norm", [True, False])
def test_ways_in_are_as_smooth_as_the_discriminator(spectral_norm: bool) -> None:
    settings = DiscriminatorSettings("progressive", 2, spectral_norm)
    for way in progressive.ways_in(progressive.discriminator(settings, ImageShape(8))):
        assert way.layers[0].name.endswith("_spectral") == spectral_norm
