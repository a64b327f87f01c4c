import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks import cogan
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

SETTINGS = GeneratorSettings(name="cogan", width=4, latent=8)
JUDGE = DiscriminatorSettings("cogan", 4)
LATENTS = np.random.default_rng(0).normal(size=[3, 8]).astype(np.float32)


@pytest.mark.parametrize("shape", [(28, 56), (12, 24), (36, 72)])
def test_halves_have_one_size_and_the_discriminator_reads_them(shape: tuple[int, int]) -> None:
    image = ImageShape(shape[0], 3, 0, shape[1])
    pictures = cogan.generator(SETTINGS, image)(LATENTS)
    assert pictures.shape == (3, *shape, 3)
    assert cogan.discriminator(JUDGE, image)(pictures).shape == (6, 1)


def test_only_the_last_layers_of_the_generators_and_the_first_of_the_discriminators_differ() -> (
    None
):
    image = ImageShape(28, 1, 0, 56)
    for network, own in (
        (cogan.generator(SETTINGS, image), "pixels"),
        (cogan.discriminator(JUDGE, image), "conv"),
    ):
        one_sided = [
            layer.name
            for layer in network.layers
            if layer.weights and layer.name.endswith(cogan.DOMAINS)
        ]
        assert one_sided == [f"{own}_left", f"{own}_right"]


def test_a_half_is_judged_without_the_other() -> None:
    discriminator = cogan.discriminator(JUDGE, ImageShape(28, 1, 0, 56))
    pictures = np.random.default_rng(1).normal(size=[3, 28, 56, 1]).astype(np.float32)
    changed = pictures.copy()
    changed[:, :, 28:] = 0
    before, after = (discriminator(each).numpy() for each in (pictures, changed))
    np.testing.assert_allclose(before[:3], after[:3], atol=1e-6)
    assert np.abs(before[3:] - after[3:]).min() > 1e-4


@pytest.mark.parametrize(
    ("image", "problem"),
    [(ImageShape(28, 1, 0, 27), "27 pixels have no half"), (ImageShape(28, 1, 10, 56), "no class")],
)
def test_what_has_no_halves_is_refused(image: ImageShape, problem: str) -> None:
    with pytest.raises(PocketganError, match=problem):
        cogan.generator(SETTINGS, image)
    with pytest.raises(PocketganError, match=problem):
        cogan.discriminator(JUDGE, image)
