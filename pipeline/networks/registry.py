"""Names that a recipe may use for its networks."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import tf_keras

from deploy.errors import PocketganError, one_of
from pipeline.networks import (
    biggan,
    cogan,
    cyclegan,
    dcgan,
    dense,
    pix2pix,
    progressive,
    projected,
    r3gan,
    resize,
    stylegan,
    translators,
)
from pipeline.networks.settings import (
    COUPLED,
    GROWING,
    PROJECTED,
    STYLED,
    DiscriminatorSettings,
    GeneratorSettings,
    ImageShape,
)
from pipeline.networks.translators import TranslatorShape

GENERATORS: dict[str, Callable[[GeneratorSettings, ImageShape], tf_keras.Model]] = {
    "dense": dense.generator,
    "dcgan": dcgan.generator,
    "r3gan": r3gan.generator,
    "resize": resize.generator,
    STYLED: stylegan.generator,
    "biggan": biggan.generator,
    GROWING: progressive.generator,
    COUPLED: cogan.generator,
}
DISCRIMINATORS: dict[str, Callable[[DiscriminatorSettings, ImageShape], tf_keras.Model]] = {
    "dense": dense.discriminator,
    "dcgan": dcgan.discriminator,
    "r3gan": r3gan.discriminator,
    "resize": r3gan.discriminator,
    STYLED: r3gan.discriminator,
    "biggan": r3gan.discriminator,
    GROWING: progressive.discriminator,
    PROJECTED: projected.discriminator,
    COUPLED: cogan.discriminator,
}
TRANSLATORS: dict[str, Callable[[GeneratorSettings, TranslatorShape], tf_keras.Model]] = {
    "unet": pix2pix.generator,
    "residual": translators.generator_residual,
    "resnet": cyclegan.generator,
}

Builder = TypeVar("Builder")


def build_generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """The generator that a recipe names: [N, latent + classes] → [N, size, size, channels]."""
    return _find(GENERATORS, settings.name, "generator")(settings, image)


def build_discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """The discriminator that a recipe names: pictures (and one-hot classes) → logits [N, 1]."""
    return _find(DISCRIMINATORS, settings.name, "discriminator")(settings, image)


def build_translator(settings: GeneratorSettings, shape: TranslatorShape) -> tf_keras.Model:
    """The generator of pictures from pictures that a recipe names."""
    return _find(TRANSLATORS, settings.name, "generator")(settings, shape)


def build_patch_discriminator(
    settings: DiscriminatorSettings, shape: TranslatorShape
) -> tf_keras.Model:
    """The discriminator of translations, whatever name the recipe gives."""
    return pix2pix.discriminator(settings, shape)


def _find(registry: Mapping[str, Builder], name: str, kind: str) -> Builder:
    if name not in registry:
        other = name in GENERATORS | TRANSLATORS and kind == "generator"
        reads = "pictures" if name in TRANSLATORS else "latents"
        raise PocketganError(
            f"generator.name: '{name}' reads {reads}, and the data asks for others."
            if other
            else f"{kind}.name: there is no {kind} called '{name}'.",
            one_of(name, registry) + (" Or change data.source or data.degrade." if other else ""),
        )
    return registry[name]
