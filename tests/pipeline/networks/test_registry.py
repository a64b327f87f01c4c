from pathlib import Path

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.registry import (
    DISCRIMINATORS,
    GENERATORS,
    build_discriminator,
    build_generator,
)
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape


@pytest.mark.parametrize("name", GENERATORS)
def test_every_generator_is_saved_and_read_back(name: str, tmp_path: Path) -> None:
    generator = build_generator(GeneratorSettings(name=name, width=4, latent=8), ImageShape(28))
    generator.save(tmp_path / "generator.keras")
    again = tf_keras.models.load_model(tmp_path / "generator.keras", compile=False)
    latents = np.random.default_rng(1).normal(size=[2, 8]).astype(np.float32)
    np.testing.assert_array_equal(
        again(latents, training=False), generator(latents, training=False)
    )


def test_generators_have_a_discriminator_of_the_same_name() -> None:
    assert set(GENERATORS) <= set(DISCRIMINATORS)


def test_an_unknown_generator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PocketganError, match=r"generator\.name: .*'vaegan'") as refused:
        build_generator(GeneratorSettings(name="vaegan"), ImageShape())
    assert refused.value.remedy == f"Known: {', '.join(GENERATORS)}."


def test_an_unknown_discriminator_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PocketganError, match=r"discriminator\.name: .*'patch'") as refused:
        build_discriminator(DiscriminatorSettings("patch"), ImageShape())
    assert refused.value.remedy == f"Known: {', '.join(DISCRIMINATORS)}."
