"""A discriminator that looks through a published network (Sauer 2021, "Projected GANs Converge
Faster"): it need not learn first what pictures of the world hold.

Maps of four sizes of EfficientNet-Lite0, which are never trained, are mixed at random, across
channels and from small to large, likewise never trained (section 3.2); a small discriminator on
each tells real from drawn. The generator learns from all of them. One more looks at the pixels
themselves, which the paper has not: the largest of the maps has half of the side, and a generator
that none but those see draws a grid in few colours (docs/decisions.md).
"""

from collections.abc import Sequence
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.efficientnet import build_feature_maps, looks_at
from pipeline.networks.layers import LEAKY_SLOPE, SpectralNormalization, class_match
from pipeline.networks.settings import IMAGENET_SIDE, DiscriminatorSettings, ImageShape

NAME = "projected_discriminator"
BLOCKS = (0, 2, 4, 10)
"""Behind which maps have a half to a sixteenth of the side."""
SMALLEST_MAP = 4
"""A side at which maps are not halved any more; each of their pixels has a logit."""


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Looks through EfficientNet-Lite0 as it was published (Sauer 2021).

    Pictures [N, height, width, 3], one-hot classes if any → logits [N, L], real is high.
    Kernels are held at spectral norm 1, whatever the settings say. Raises PocketganError for
    pictures that EfficientNet-Lite0 cannot look at, and where its weights are not installed.
    """
    if image.channels != 3 or not looks_at(image.shape):
        raise PocketganError(
            "discriminator.name: 'projected' looks at colour pictures of "
            f"{IMAGENET_SIDE} pixels a side at least, not at {list(image.shape)}.",
            "Choose another, such as r3gan.",
        )
    layers = tf_keras.layers
    pictures = layers.Input(image.shape, name="pictures")
    maps = _mixed(build_feature_maps(BLOCKS)(pictures), settings.width)
    views = [pictures, *maps]
    heads = [_head(x, settings.width, f"scale_{number}") for number, x in enumerate(views)]
    logits = [
        layers.Flatten(name=f"scale_{number}_logits")(_normalized(1, 1, f"scale_{number}_logit")(x))
        for number, x in enumerate(heads)
    ]
    logit = layers.Concatenate(name="logits")(logits)
    if not image.classes:
        return tf_keras.Model(pictures, logit, name=NAME)
    classes = layers.Input([image.classes], name="classes")
    means = [
        layers.GlobalAveragePooling2D(name=f"scale_{number}_mean")(x)
        for number, x in enumerate(heads)
    ]
    described = layers.Concatenate(name="described")(means)
    match = class_match(described, classes, spectral_norm=True)
    conditional = layers.Add(name="conditional_logits")([logit, match])
    return tf_keras.Model([pictures, classes], conditional, name=NAME)


def _mixed(maps: Sequence[Any], width: int) -> list[Any]:
    """Maps of ``width`` channels, the largest first; each holds what the smaller ones show."""
    layers = tf_keras.layers
    mixed: list[Any] = []
    smaller: Any = None
    for number, x in reversed([*enumerate(maps)]):
        x = _frozen(width, 1, f"map_{number}_channels")(x)
        if smaller is not None:
            doubled = layers.Resizing(*x.shape[1:3], name=f"map_{number}_above")(smaller)
            x = layers.Add(name=f"map_{number}_sum")([x, doubled])
        smaller = x = _frozen(width, 3, f"map_{number}_mixed")(x)
        mixed.insert(0, x)
    return mixed


def _head(x: Any, width: int, name: str) -> Any:
    """Halved down to SMALLEST_MAP, then looked at once more: [N, H, W, width]."""
    layers, number = tf_keras.layers, 1
    while min(x.shape[1:3]) > SMALLEST_MAP:
        x = _normalized(width, 4, f"{name}_half_{number}", strides=2)(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_half_{number}_act")(x)
        number += 1
    x = _normalized(width, 3, f"{name}_last")(x)
    return layers.LeakyReLU(LEAKY_SLOPE, name=f"{name}_act")(x)


def _frozen(channels: int, side: int, name: str) -> tf_keras.layers.Layer:
    """A convolution that stays as random as it started."""
    return tf_keras.layers.Conv2D(
        channels,
        side,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        trainable=False,
        name=name,
    )


def _normalized(channels: int, side: int, name: str, strides: int = 1) -> SpectralNormalization:
    conv = tf_keras.layers.Conv2D(channels, side, strides, padding="same", name=name)
    return SpectralNormalization(conv, name=f"{name}_spectral")
