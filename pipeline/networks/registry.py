"""Names that a recipe may use for its networks."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks import dcgan, dense
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

GENERATORS: dict[str, Callable[[GeneratorSettings, ImageShape], tf_keras.Model]] = {
    "dense": dense.generator,
    "dcgan": dcgan.generator,
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorSettings, ImageShape], tf_keras.Model]] = {
    "dense": dense.discriminator,
    "dcgan": dcgan.discriminator,
}

Builder = TypeVar("Builder")


def build_generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """The generator that a recipe names: [N, latent + classes] → [N, size, size, channels]."""
    return _find(GENERATORS, settings.name, "generator")(settings, image)


def build_discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """The discriminator that a recipe names: pictures (and one-hot classes) → logits [N, 1]."""
    return _find(DISCRIMINATORS, settings.name, "discriminator")(settings, image)


def _find(registry: Mapping[str, Builder], name: str, kind: str) -> Builder:
    if name not in registry:
        raise PocketganError(
            f"{kind}.name: there is no {kind} called '{name}'.",
            f"Known: {', '.join(registry)}.",
        )
    return registry[name]
