"""Small generators that together have every operation whose cost on a target is measured."""

from collections.abc import Iterator

import numpy as np
import tf_keras

from pipeline.networks.layers import DepthToSpace
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import build_student

LATENT = 64
_GREY, _COLOUR = (28, 28, 1), (64, 64, 3)
_STUDENTS = (
    *((_GREY, block, 4, (4, 4), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 16, (16, 8), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 0, (48, 24), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_GREY, block, 32, (24, 32), 1) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_COLOUR, block, 8, (16, 8, 4), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    *((_COLOUR, block, 16, (48, 16, 12), 0) for block in ("sub_pixel", "depthwise", "transposed")),
    (_GREY, "sub_pixel", 8, (8, 4), 2),
    (_GREY, "sub_pixel", 64, (32, 16), 2),
    (_COLOUR, "sub_pixel", 0, (32, 32, 32), 0),
    (_COLOUR, "depthwise", 32, (32, 32, 32), 1),
)
_RESIZED = (
    (_GREY, 8, True),
    (_GREY, 8, False),
    (_GREY, 24, False),
    (_COLOUR, 16, True),
    (_COLOUR, 12, False),
)


def calibration_models() -> Iterator[tuple[str, tf_keras.Model]]:
    """Names and generators [N, 64] → pictures, with random weights that are always the same."""
    for image, block, rank, channels, mixers in _STUDENTS:
        settings = StudentSettings(block, rank, channels, mixers)
        name = "-".join([block, str(image[0]), f"r{rank}", *map(str, channels), f"m{mixers}"])
        yield name, with_random_weights(build_student(settings, (LATENT,), image, (-1.0, 1.0)))
    for image, width, residual in _RESIZED:
        name = f"resized-{image[0]}-{width}{'-residual' if residual else ''}"
        yield name, with_random_weights(_resized(image, width, residual=residual))


def _resized(image: tuple[int, int, int], channels: int, *, residual: bool) -> tf_keras.Model:
    """What students are not made of but teachers may be: resizing, leaky ReLU, Add, sigmoid."""
    layers, (height, width, colours) = tf_keras.layers, image
    latent = layers.Input([LATENT], name="latent")
    x = layers.Dense(height // 4 * (width // 4) * channels, name="project")(latent)
    x = layers.LeakyReLU(0.25, name="project_act")(x)
    x = layers.Reshape([height // 4, width // 4, channels], name="seed_map")(x)
    if residual:
        mixed = layers.Conv2D(channels, 3, padding="same", name="mix")(x)
        x = layers.Add(name="sum")([x, layers.LeakyReLU(0.25, name="mix_act")(mixed)])
    x = layers.UpSampling2D(2, name="larger")(x)
    x = layers.Conv2D(4 * colours, 3, padding="same", name="pixels")(x)
    x = DepthToSpace(2, name="pixels_moved")(x)
    return tf_keras.Model(latent, layers.Activation("sigmoid", name="image")(x))


def with_random_weights(model: tf_keras.Model, seed: int = 0) -> tf_keras.Model:
    """The model, as if it had been trained: no bias and no statistic is 0.

    A bias that is all zeros would vanish in the file, and with it what can be fused.
    """
    random = np.random.default_rng(seed)
    for weight in model.weights:
        fan = np.prod(weight.shape[:-1]) if len(weight.shape) > 1 else 1
        low, high = (0.7, 1.3) if "variance" in weight.name or "gamma" in weight.name else (-1, 1)
        spread = 1.7 / np.sqrt(fan) if len(weight.shape) > 1 else 1.0
        weight.assign(spread * random.uniform(low, high, weight.shape))
    return model
