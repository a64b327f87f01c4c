"""Networks that grow (Karras 2018): a map for each size of picture, a way out and a way in of each.

Karras 2018 normalizes every pixel's features, which has no int8 form: batch norm, folded into the
kernels, stands for it. What small pictures need besides is trained with them and then left behind:
a finished generator has one way out.
"""

from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.layers import (
    LEAKY_SLOPE,
    SpectralNormalization,
    discriminator_model,
    normalized,
    normalized_relu,
)
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import (
    GROWING,
    DiscriminatorSettings,
    GeneratorSettings,
    ImageShape,
    PictureShape,
)


def level_count(image: PictureShape) -> int:
    """How many sizes a picture grows through, its own among them."""
    return doublings(image) + 1


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Pictures that can grow in one training (Karras 2018).

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled until it is as large as the picture, each time with half of the channels.
    Raises PocketganError for a size that no map comes to by doubling.
    """
    layers, (height, width) = tf_keras.layers, _first_map(image.shape)
    levels = level_count(image.shape)
    channels = settings.width * 2 ** (levels - 1)
    latent = layers.Input([settings.latent + image.classes], name="latent")
    x = layers.Dense(height * width * channels, use_bias=False, name="project")(latent)
    x = layers.Reshape([height, width, channels], name="seed_map")(normalized_relu(x, "project"))
    x = _normalized_conv(x, channels, "map_1")
    for level in range(2, levels + 1):
        channels //= 2
        x = layers.UpSampling2D(2, name=f"double_{level}")(x)
        x = _normalized_conv(x, channels, f"map_{level}_in")
        x = _normalized_conv(x, channels, f"map_{level}")
    x = layers.Conv2D(image.channels, 1, name="pixels")(x)
    x = layers.Activation("tanh", name="image")(x)
    return tf_keras.Model(latent, x, name="progressive_generator")


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """One that can grow with its pictures (Karras 2018).

    Pictures [N, height, width, channels], one-hot classes if any → logits [N, 1], real is high.
    The generator backwards: the map is halved as often as that doubles one.
    """
    layers = tf_keras.layers

    def conv(x: Any, channels: int, name: str, kernel: int = 3) -> Any:
        layer = layers.Conv2D(channels, kernel, padding="same", name=name)
        x = normalized(layer, spectral_norm=settings.spectral_norm)(x)
        return layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_act")(x)

    def features(pictures: Any) -> Any:
        channels = settings.width
        x = conv(pictures, channels, "from_pixels", kernel=1)
        for level in range(level_count(image.shape), 1, -1):
            x = conv(x, channels, f"map_{level}_in")
            channels *= 2
            x = conv(x, channels, f"map_{level}")
            x = layers.AveragePooling2D(2, padding="same", name=f"half_{level}")(x)
        return layers.Flatten(name="flatten")(conv(x, channels, "map_1"))

    return discriminator_model("progressive_discriminator", features, settings, image)


def _first_map(image: PictureShape) -> tuple[int, int]:
    first, factor = first_map(image), 2 ** doublings(image)
    if any(side * factor != wanted for side, wanted in zip(first, image[:2], strict=True)):
        smaller = [max(1, wanted // factor) * factor for wanted in image[:2]]
        raise PocketganError(
            f"generator.name: '{GROWING}' draws sides that are multiples of {factor} at this size, "
            f"not {image[1]}x{image[0]}.",
            f"Set data.image_size to {smaller[0]}"
            + (f" and data.image_width to {smaller[1]}." if image[0] != image[1] else "."),
        )
    return first


def _normalized_conv(x: Any, channels: int, name: str) -> Any:
    conv = tf_keras.layers.Conv2D(channels, 3, padding="same", use_bias=False, name=name)
    return normalized_relu(conv(x), name)


# ---------------------------------------------------------------------- ways out and in


def maps_of(generator: tf_keras.Model) -> list[Any]:
    """The map [N, H, W, C] of each size in a generator of this file, the smallest first."""
    tensors = [generator.get_layer("map_1_act").output]
    while any(layer.name == f"map_{len(tensors) + 1}_act" for layer in generator.layers):
        tensors.append(generator.get_layer(f"map_{len(tensors) + 1}_act").output)
    return tensors


def ways_out(generator: tf_keras.Model) -> list[tf_keras.Model]:
    """For each map but the last: map → pictures of its size in -1..1."""
    layers, channels = tf_keras.layers, generator.output_shape[-1]
    return [
        tf_keras.Sequential(
            [
                layers.Input(tensor.shape[1:]),
                layers.Conv2D(channels, 1, name="pixels"),
                layers.Activation("tanh", name="image"),
            ],
            name=f"out_of_map_{level}",
        )
        for level, tensor in enumerate(maps_of(generator)[:-1], start=1)
    ]


def maps_into(discriminator: tf_keras.Model) -> list[Any]:
    """The map [N, H, W, C] that pictures of each size become in a discriminator, smallest first."""
    tensors = [discriminator.get_layer("from_pixels_act").output]
    halves = [layer for layer in discriminator.layers if layer.name.startswith("half_")]
    return [*tensors, *(layer.output for layer in halves)][::-1]


def ways_in(discriminator: tf_keras.Model) -> list[tf_keras.Model]:
    """For each map but the largest: pictures of its size → that map, as wide."""
    layers, channels = tf_keras.layers, discriminator.inputs[0].shape[-1]
    spectral_norm = any(isinstance(each, SpectralNormalization) for each in discriminator.layers)
    return [
        tf_keras.Sequential(
            [
                layers.Input([*tensor.shape[1:3], channels]),
                normalized(
                    layers.Conv2D(tensor.shape[-1], 1, name=f"into_{level}"),
                    spectral_norm=spectral_norm,
                ),
                layers.LeakyReLU(LEAKY_SLOPE, name=f"into_{level}_act"),
            ],
            name=f"into_map_{level}",
        )
        for level, tensor in enumerate(maps_into(discriminator)[:-1], start=1)
    ]
