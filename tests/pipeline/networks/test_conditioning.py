import numpy as np
import pytest

from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

CONDITIONAL = ImageShape(28, 1, classes=3)
PICTURES = np.random.default_rng(1).normal(size=[4, 28, 28, 1]).astype(np.float32)


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_conditional_generator_reads_the_class_behind_the_latent(name: str) -> None:
    generator = build_generator(GeneratorSettings(name, 4, 16, conditional=True), CONDITIONAL)
    assert generator.input_shape == (None, 16 + 3)
    latents = np.random.default_rng(1).normal(size=[1, 16]).astype(np.float32)
    one, other = (generator(np.hstack([latents, one_hot(i)]), training=False) for i in (0, 1))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_conditional_logit_adds_the_match_of_features_and_class(name: str) -> None:
    model = build_discriminator(DiscriminatorSettings(name, 4), CONDITIONAL)
    assert [port.name for port in model.inputs] == ["pictures", "classes"]
    logits = [model([PICTURES, one_hot(*[i] * 4)]).numpy() for i in range(3)]
    assert logits[0].shape == (4, 1)
    embedding = model.get_layer("class_embedding").get_weights()[0]
    rows = model.get_layer("logit").get_weights()[0][:, 0]
    # The logit is linear in the features: replacing the class moves it along the embeddings.
    plain = model.get_layer("logit")
    plain.set_weights([(rows + embedding[1] - embedding[0])[:, None], np.zeros(1)])
    np.testing.assert_allclose(model([PICTURES, one_hot(*[0] * 4)]), logits[1], atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_unconditional_discriminator_reads_pictures_only(name: str) -> None:
    model = build_discriminator(DiscriminatorSettings(name, 4), ImageShape(28))
    assert model.input_shape == (None, 28, 28, 1)
    assert model(PICTURES).shape == (4, 1)
