"""BigGAN's generator (Brock 2019), small, of what int8 does well.

Each map is normalized by its batch and then scaled and shifted channel by channel, as class and
latent say: by two small matrix products of one embedding that all maps share. It is linear in both,
what a class and a latent become is added up. The normalization is folded into the kernel before it,
as ever, so it stands behind convolutions here, where Brock 2019 has it before them.
"""

from typing import Any

import tf_keras

from pipeline.networks.layers import (
    BATCH_NORM_MOMENTUM,
    normalized_relu,
    on_map,
    sub_pixels,
)
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import GeneratorSettings, ImageShape


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Class and latent scale and shift every map (Brock 2019).

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled as often as the size asks for, each time with half of the channels; the last
    doubling makes the pixels.
    """
    layers, (height, width) = tf_keras.layers, first_map(image.shape)
    maps = doublings(image.shape)
    channels = settings.width * 2 ** (maps - 1)
    inputs = layers.Input([settings.latent + image.classes], name="latent")
    condition = layers.Dense(settings.latent, use_bias=False, name="embedding")(inputs)
    x = layers.Dense(height * width * channels, use_bias=False, name="project")(condition)
    x = layers.Reshape([height, width, channels], name="seed_map")(normalized_relu(x, "project"))
    x = _block(x, condition, name="map_1")
    for number in range(2, maps + 1):
        channels //= 2
        x = _block(x, condition, doubled_to=channels, name=f"map_{number}")
    return tf_keras.Model(inputs, sub_pixels(x, image), name="biggan_generator")


def _block(x: Any, condition: Any, *, name: str, doubled_to: int = 0) -> Any:
    """Two convolutions beside a shortcut; the map is twice as large if ``doubled_to`` channels."""
    layers, shortcut = tf_keras.layers, x
    if doubled_to:
        shortcut = layers.Conv2D(doubled_to, 1, name=f"{name}_shortcut")(x)
        shortcut = layers.UpSampling2D(2, name=f"{name}_shortcut_doubled")(shortcut)
        x = layers.UpSampling2D(2, name=f"{name}_doubled")(x)
    channels = shortcut.shape[-1]
    for end in ("in", "out"):
        conv = layers.Conv2D(channels, 3, padding="same", use_bias=False, name=f"{name}_{end}")
        x = _conditioned(conv(x), condition, f"{name}_{end}")
        if end == "in":
            x = layers.ReLU(name=f"{name}_in_act")(x)
    x = layers.Add(name=f"{name}_sum")([x, shortcut])
    return layers.ReLU(name=f"{name}_act")(x)


def _conditioned(x: Any, condition: Any, name: str) -> Any:
    """Class-conditional batch norm (de Vries 2017): gain·(x − μ)/σ + shift."""
    layers, channels = tf_keras.layers, x.shape[-1]
    x = layers.BatchNormalization(
        momentum=BATCH_NORM_MOMENTUM, center=False, scale=False, name=f"{name}_norm"
    )(x)
    gain = layers.Dense(channels, bias_initializer="ones", name=f"{name}_gain")(condition)
    shift = layers.Dense(channels, name=f"{name}_shift")(condition)
    scaled = layers.Multiply(name=f"{name}_scaled")([x, on_map(gain, f"{name}_gain")])
    return layers.Add(name=f"{name}_shifted")([scaled, on_map(shift, f"{name}_shift")])
