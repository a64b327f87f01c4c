"""DCGAN (Radford 2016) for pictures of 28 or 32 pixels, grey or colour."""

import math
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.layers import (
    BATCH_NORM_MOMENTUM,
    LEAKY_SLOPE,
    discriminator_model,
    normalized,
)
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

SMALLEST_MAP = 8
"""A side of the discriminator's maps at which they are not halved any more."""


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1."""
    layers = tf_keras.layers
    (height, width), wide = map(_quarter, image.shape[:2]), 2 * settings.width

    def batch_norm(name: str) -> tf_keras.layers.Layer:
        return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)

    return tf_keras.Sequential(
        [
            layers.Input([settings.latent + image.classes], name="latent"),
            layers.Dense(height * width * wide, use_bias=False, name="project"),
            batch_norm("project_norm"),
            layers.ReLU(name="project_act"),
            layers.Reshape([height, width, wide], name="seed_map"),
            layers.Conv2DTranspose(
                settings.width, 4, 2, padding="same", use_bias=False, name="upsample"
            ),
            batch_norm("upsample_norm"),
            layers.ReLU(name="upsample_act"),
            layers.Conv2DTranspose(image.channels, 4, 2, padding="same", name="pixels"),
            layers.Activation("tanh", name="image"),
        ],
        name="dcgan_generator",
    )


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Pictures [N, height, width, channels], one-hot classes if any → logits [N, 1], real is high.

    They are halved until a side is SMALLEST_MAP or less, the width doubled each time: a map that
    stays larger is compared pixel by pixel, and no outline longer than its kernels is seen.
    No batch norm: it ties the logits of a batch together, which R1 and WGAN-GP forbid
    (Gulrajani 2017, section 4).
    """
    layers = tf_keras.layers

    def features(pictures: Any) -> Any:
        x = pictures
        for number in range(1, _halvings(min(image.shape[:2])) + 1):
            width = settings.width * 2 ** (number - 1)
            conv = layers.Conv2D(width, 4, 2, padding="same", name=f"conv_{number}")
            x = normalized(conv, spectral_norm=settings.spectral_norm)(x)
            x = layers.LeakyReLU(LEAKY_SLOPE, name=f"conv_{number}_act")(x)
        return layers.Flatten(name="flatten")(x)

    return discriminator_model("dcgan_discriminator", features, settings, image)


def _halvings(side: int) -> int:
    """How often a picture is halved, twice at least."""
    return max(2, math.ceil(math.log2(side / SMALLEST_MAP)))


def _quarter(size: int) -> int:
    if size % 4:
        raise PocketganError(
            f"dcgan cannot draw pictures of {size} pixels: it doubles a small map twice.",
            "Set data.image_size to a multiple of 4, such as 28 or 32.",
        )
    return size // 4
