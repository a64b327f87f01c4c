"""Maps doubled by repeating pixels, then convolved (Odena 2016, "Deconvolution and Checkerboard
Artifacts"): transposed convolutions, whose kernels overlap unevenly, leave a grid in pictures.
"""

from typing import Any

import tf_keras

from pipeline.networks.layers import normalized_relu, surplus_cropped
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import GeneratorSettings, ImageShape


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Maps doubled by repeating pixels, then convolved (Odena 2016).

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled as often as the size asks for, each time with half of the channels, down to
    ``settings.width``; the pixels are made at full size.
    """
    layers, (height, width) = tf_keras.layers, first_map(image.shape)
    channels = settings.width * 2 ** doublings(image.shape)
    latent = layers.Input([settings.latent + image.classes], name="latent")
    x = layers.Dense(height * width * channels, use_bias=False, name="project")(latent)
    x = layers.Reshape([height, width, channels], name="seed_map")(normalized_relu(x, "project"))
    for number in range(1, doublings(image.shape) + 1):
        channels //= 2
        x = _doubled(x, channels, f"double_{number}")
    x = layers.Conv2D(image.channels, 3, padding="same", name="pixels")(x)
    x = layers.Activation("tanh", name="image")(x)
    for crop in surplus_cropped(image.shape):
        x = crop(x)
    return tf_keras.Model(latent, x, name="resize_generator")


def _doubled(x: Any, channels: int, name: str) -> Any:
    layers = tf_keras.layers
    x = layers.UpSampling2D(2, name=f"{name}_pixels")(x)
    x = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)(x)
    return normalized_relu(x, name)
