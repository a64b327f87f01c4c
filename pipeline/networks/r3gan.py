"""Residual blocks without norm, after R3GAN (Huang 2024, section 3.4), of what int8 does well.

Theirs are grouped convolutions between 1×1, with leaky ReLU, on maps that are doubled bilinearly.
Here they are plain 3×3, with a ReLU that is fused where a generator has one, and channels become
pixels.
"""

from typing import Any

import tf_keras

from pipeline.networks.layers import (
    LEAKY_SLOPE,
    DepthToSpace,
    discriminator_model,
    normalized,
    sub_pixels,
)
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Residual blocks without norm (Huang 2024); channels become pixels.

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled as often as the size asks for, each time with half of the channels; the last
    doubling makes the pixels.
    """
    layers, (height, width) = tf_keras.layers, first_map(image.shape)
    maps = doublings(image.shape)
    channels = settings.width * 2 ** (maps - 1)
    latent = layers.Input([settings.latent + image.classes], name="latent")
    x = layers.Dense(height * width * channels, name="project")(latent)
    x = layers.Reshape([height, width, channels], name="seed_map")(x)
    x = _residual(x, "map_1", layers.ReLU(name="map_1_act"))
    for number in range(2, maps + 1):
        channels //= 2
        x = layers.Conv2D(4 * channels, 1, name=f"double_{number}")(x)
        x = DepthToSpace(2, name=f"double_{number}_pixels")(x)
        x = _residual(x, f"map_{number}", layers.ReLU(name=f"map_{number}_act"))
    return tf_keras.Model(latent, sub_pixels(x, image), name="r3gan_generator")


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Residual blocks without norm (Huang 2024).

    Pictures [N, height, width, channels], one-hot classes if any → logits [N, 1], real is high.
    The generator backwards: a block on each of its maps, the width doubled each time.
    """
    layers = tf_keras.layers

    def features(pictures: Any) -> Any:
        conv = layers.Conv2D(settings.width, 4, 2, padding="same", name="pixels")
        x = normalized(conv, spectral_norm=settings.spectral_norm)(pictures)
        for number in range(1, doublings(image.shape) + 1):
            if number > 1:
                x = layers.AveragePooling2D(2, padding="same", name=f"half_{number}")(x)
                wider = layers.Conv2D(2 * x.shape[-1], 1, name=f"widen_{number}")
                x = normalized(wider, spectral_norm=settings.spectral_norm)(x)
            act = layers.LeakyReLU(LEAKY_SLOPE, name=f"map_{number}_act")
            x = _residual(x, f"map_{number}", act, spectral_norm=settings.spectral_norm)
        return layers.Flatten(name="flatten")(x)

    return discriminator_model("r3gan_discriminator", features, settings, image)


def _residual(
    x: Any, name: str, activation: tf_keras.layers.Layer, *, spectral_norm: bool = False
) -> Any:
    """x + conv(activation(conv(x))); at first it is x alone (Zhang 2019, Fixup), so that no norm is
    needed. A kernel of zeros has no spectral norm, though.
    """
    layers = tf_keras.layers
    starts = {"in": "he_normal", "out": "glorot_uniform" if spectral_norm else "zeros"}
    first, second = (
        normalized(
            layers.Conv2D(
                x.shape[-1], 3, padding="same", kernel_initializer=start, name=f"{name}_{end}"
            ),
            spectral_norm=spectral_norm,
        )
        for end, start in starts.items()
    )
    return layers.Add(name=f"{name}_sum")([x, second(activation(first(x)))])
