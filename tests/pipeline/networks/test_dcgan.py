import numpy as np
import pytest

from pipeline.networks import dcgan
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

DIGITS = tuple("1234")  # the ends of convolutions' names


@pytest.mark.parametrize("size", [27, 28, 32, 50, 64])
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


@pytest.mark.parametrize(
    ("side", "expected"), [(28, [4, 8]), (64, [4, 8, 16]), (100, [4, 8, 16, 32])]
)
def test_discriminator_halves_its_picture_down_to_8_pixels_and_doubles_its_width(
    side: int, expected: list[int]
) -> None:
    discriminator = dcgan.discriminator(DiscriminatorSettings(width=4), ImageShape(side))
    widths = [layer.filters for layer in discriminator.layers if layer.name.endswith(DIGITS)]
    assert widths == expected


def test_logit_of_a_picture_does_not_depend_on_the_batch_it_is_in() -> None:
    discriminator = dcgan.discriminator(DiscriminatorSettings(width=4), ImageShape(28))
    pictures = np.random.default_rng(1).normal(size=[5, 28, 28, 1]).astype(np.float32)
    together = discriminator(pictures, training=True)
    alone = np.concatenate([discriminator(picture[None], training=True) for picture in pictures])
    np.testing.assert_allclose(together, alone, atol=1e-5)


NORMED = ("{}", "{}_norm", "{}_act")


@pytest.mark.parametrize(
    ("size", "maps", "doubled"),
    [
        (28, [(7, 8), (14, 4)], ["upsample"]),
        (32, [(8, 8), (16, 4)], ["upsample"]),
        (64, [(8, 16), (16, 8), (32, 4)], ["upsample", "upsample_2"]),
        (128, [(8, 32), (16, 16), (32, 8), (64, 4)], ["upsample", "upsample_2", "upsample_3"]),
    ],
)
def test_generator_doubles_a_small_map_and_halves_its_width_until_it_is_the_picture(
    size: int, maps: list[tuple[int, int]], doubled: list[str]
) -> None:
    generator = dcgan.generator(GeneratorSettings(width=4, latent=16), ImageShape(size))
    layers = ["project", *doubled]
    assert [layer.name for layer in generator.layers] == [
        *(part.format("project") for part in NORMED),
        "seed_map",
        *(part.format(name) for name in doubled for part in NORMED),
        *("pixels", "image"),
    ]
    shapes = [generator.get_layer(f"{name}_act").output_shape for name in layers[1:]]
    shapes = [generator.get_layer("seed_map").output_shape, *shapes]
    assert [(height, channels) for _, height, _, channels in shapes] == maps


def test_what_is_larger_than_the_picture_is_cut_off_evenly() -> None:
    generator = dcgan.generator(GeneratorSettings(width=4, latent=16), ImageShape(50))
    assert generator.get_layer("image").output_shape == (None, 56, 56, 1)
    assert generator.layers[-1].cropping == ((3, 3), (3, 3))


@pytest.mark.parametrize("name", ["dcgan", "dense", "r3gan", "stylegan", "biggan"])
def test_pictures_may_be_oblong_and_those_judged_of_any_size(name: str) -> None:
    image = ImageShape(8, 3, width=12)
    generator = build_generator(GeneratorSettings(name=name, width=4, latent=8), image)
    assert generator.output_shape == (None, 8, 12, 3)
    for shape in (image, ImageShape(15, 1, width=21)):
        discriminator = build_discriminator(DiscriminatorSettings(name, 4), shape)
        assert discriminator.input_shape == (None, *shape.shape)
