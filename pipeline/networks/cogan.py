"""CoGAN (Liu & Tuzel 2016): one latent becomes a picture in two domains, which no pairs connect.

The generators share all layers but the last, the discriminators all but the first. Both domains
stand side by side in one picture, so that one file draws both.
"""

from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks import dcgan
from pipeline.networks.layers import (
    LEAKY_SLOPE,
    discriminator_model,
    normalized,
    surplus_cropped,
)
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

DOMAINS = ("left", "right")


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """DCGAN's layers, for two domains side by side (Liu & Tuzel 2016).

    Latents [N, latent] → a picture in both, [N, height, width, channels] in -1..1. All layers but
    the last are shared, which is what makes both halves one picture: nothing else says that they
    belong together. Raises PocketganError for an odd width, and for classes.
    """
    layers, half = tf_keras.layers, _half(image)
    port, *hidden = dcgan.hidden_layers(settings, half)
    x = port
    for layer in hidden:
        x = layer(x)
    halves = []
    for name in DOMAINS:
        pixels = layers.Conv2DTranspose(
            image.channels, 4, 2, padding="same", name=f"pixels_{name}"
        )(x)
        for crop in surplus_cropped(half.shape, name=f"crop_{name}"):
            pixels = crop(pixels)
        halves.append(pixels)
    joined = layers.Concatenate(axis=2, name="both")(halves)
    return tf_keras.Model(
        port, layers.Activation("tanh", name="image")(joined), name="cogan_generator"
    )


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Judges each half of a picture alone (Liu & Tuzel 2016).

    Pictures of two domains side by side → logits [2N, 1]: of all left halves, then all right. Each
    has a first layer of its own and shares all others, so what belongs together is never seen.
    Raises PocketganError as the generator does.
    """
    layers, width = tf_keras.layers, _half(image).width

    def features(pictures: Any) -> Any:
        halves = []
        for name, cut in zip(DOMAINS, ((0, width), (width, 0)), strict=True):
            half = layers.Cropping2D(((0, 0), cut), name=f"half_{name}")(pictures)
            conv = layers.Conv2D(settings.width, 4, 2, padding="same", name=f"conv_{name}")
            halves.append(normalized(conv, spectral_norm=settings.spectral_norm)(half))
        x = layers.Concatenate(axis=0, name="all_halves")(halves)
        x = layers.LeakyReLU(LEAKY_SLOPE, name="halves_act")(x)
        conv = layers.Conv2D(2 * settings.width, 4, 2, padding="same", name="conv_shared")
        x = normalized(conv, spectral_norm=settings.spectral_norm)(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name="conv_shared_act")(x)
        return layers.Flatten(name="flatten")(x)

    return discriminator_model("cogan_discriminator", features, settings, image)


def _half(image: ImageShape) -> ImageShape:
    """One domain's share of the picture."""
    height, width, channels = image.shape
    if width % 2:
        raise PocketganError(
            f"generator.name: cogan draws two domains side by side, and {width} pixels have no "
            "half.",
            "Set data.coupled, or data.image_width to an even number.",
        )
    if image.classes:
        raise PocketganError(
            "generator.name: cogan draws no class or code that is asked for.",
            "Set generator.conditional to false, generator.codes.discrete to 0.",
        )
    return ImageShape(height, channels, 0, width // 2)
