"""The article's dense GAN: 100 → 128 → 128 → 28×28, leaky ReLU, sigmoid."""

import math
from typing import Any

import tf_keras

from pipeline.networks.layers import LEAKY_SLOPE, discriminator_model, normalized
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """The article's three dense layers.

    Latents [N, latent + classes] → pictures [N, height, width, channels] in 0..1.
    """
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            layers.Input([settings.latent + image.classes], name="latent"),
            layers.Dense(settings.width, name="hidden_1"),
            layers.LeakyReLU(LEAKY_SLOPE, name="hidden_1_act"),
            layers.Dense(settings.width, name="hidden_2"),
            layers.LeakyReLU(LEAKY_SLOPE, name="hidden_2_act"),
            layers.Dense(math.prod(image.shape), name="pixels"),
            layers.Activation("sigmoid", name="pixels_act"),
            layers.Reshape(image.shape, name="image"),
        ],
        name="dense_generator",
    )


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Dense layers.

    Pictures [N, height, width, channels], one-hot classes if any → logits [N, 1], real is high.
    """
    layers = tf_keras.layers

    def features(pictures: Any) -> Any:
        x = layers.Flatten(name="flatten")(pictures)
        for number in (1, 2):
            dense = layers.Dense(settings.width, name=f"hidden_{number}")
            x = normalized(dense, spectral_norm=settings.spectral_norm)(x)
            x = layers.LeakyReLU(LEAKY_SLOPE, name=f"hidden_{number}_act")(x)
        return x

    return discriminator_model("dense_discriminator", features, settings, image)
