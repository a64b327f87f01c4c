"""Small generators that read pictures, as .tflite: one of each kind that a bundle tells apart."""

import warnings
from dataclasses import dataclass
from functools import cache

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A small generator that reads pictures 12 wide and 16 high."""

    dtype: str = "int8"
    colours: int = 3
    mask: bool = False
    channels: int = 3
    scale: int = 1
    halved: bool = False
    """Whether it looks at all of the picture: then tiles are blended."""
    cropped: bool = False
    """Whether it draws smaller pictures: then there are no tiles."""


PICTURES = {
    "twice as large": Kind(scale=2),
    "blended": Kind(colours=1, halved=True),
    "masked": Kind(mask=True),
    "float": Kind(dtype="float32", channels=1),
    "smaller": Kind(dtype="int16", cropped=True),
}


@cache
def translator(kind: Kind) -> bytes:
    """The .tflite, untrained."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        import tf_keras

        from pipeline.networks.layers import DepthToSpace
        from pipeline.tflite import convert

        tf_keras.utils.set_random_seed(4)
        layers = tf_keras.layers
        shape = (16, 12, kind.colours + kind.mask)
        first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")
        padding = "valid" if kind.cropped else "same"
        x = source = layers.Input(shape, name="picture")
        if kind.halved:
            x = layers.Conv2D(4, 4, strides=4, padding="same", name="down")(x)
            x = layers.Conv2D(4, 7, padding="same", name="bottom")(x)
            x = layers.Conv2DTranspose(4, 4, strides=4, padding="same", name="up")(x)
        x = first(x)
        x = layers.Conv2D(kind.channels * kind.scale**2, 3, padding=padding, name="last")(x)
        if kind.scale > 1:
            x = DepthToSpace(kind.scale, name="larger")(x)
        network = tf_keras.Model(source, layers.Activation("tanh", name="image")(x))
        inputs = examples(kind).astype(np.float32) / 127.5 - 1
        if kind.dtype == "int8":
            return convert.to_int8_post_training(network, inputs, 1)
        if kind.dtype == "int16":
            return convert.to_int16x8(network, inputs, 1)
        return convert.to_float32(network, 1)


def examples(kind: Kind) -> np.ndarray:
    """Pictures that such a generator reads, uint8 [11, 16, 12, c]; grey where their mask is 255."""
    pictures = np.random.default_rng(5).integers(
        0, 256, (11, 16, 12, kind.colours + kind.mask), np.uint8
    )
    if kind.mask:
        hidden = pictures[..., -1] > 200
        pictures[hidden] = 128
        pictures[..., -1] = 255 * hidden
    return pictures
