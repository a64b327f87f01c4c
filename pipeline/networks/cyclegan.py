"""The generator of CycleGAN (Zhu 2017, appendix 7.2): residual blocks at a quarter of the size.

With what int8 likes better: batch norm in the place of instance norm, which has no int8 form, and
zeros around the picture in the place of its reflection. It grows by sub-pixel convolutions of 1×1,
each with a convolution 3×3 behind it: without the second, pictures come out in blocks.
"""

from typing import Any

import tf_keras

from pipeline.networks.layers import DepthToSpace, normalized_relu
from pipeline.networks.settings import GeneratorSettings
from pipeline.networks.translators import TranslatorShape, refuse_undivided

BLOCKS = 6


def generator(settings: GeneratorSettings, shape: TranslatorShape) -> tf_keras.Model:
    """CycleGAN's residual blocks at a quarter of the size (Zhu 2017).

    Pictures [N, h, w, c] in −1..1 → [N, H, W, C] in −1..1.
    """
    refuse_undivided(shape, 4)
    layers = tf_keras.layers
    inputs = layers.Input(shape.source, name="picture")
    x = _convolved(inputs, settings.width, name="stem", kernel=7)
    x = _convolved(x, 2 * settings.width, name="down_1", strides=2)
    x = _convolved(x, 4 * settings.width, name="down_2", strides=2)
    for number in range(1, BLOCKS + 1):
        residual = _convolved(x, 4 * settings.width, name=f"block_{number}_a")
        residual = _convolved(residual, 4 * settings.width, name=f"block_{number}_b", relu=False)
        x = layers.Add(name=f"block_{number}")([x, residual])
    doublings = 1 + shape.scale.bit_length()
    for number in range(1, doublings + 1):
        width = max(settings.width, 4 * settings.width >> number)
        x = _convolved(x, 4 * width, name=f"up_{number}", kernel=1)
        x = DepthToSpace(2, name=f"up_{number}_pixels")(x)
        x = _convolved(x, width, name=f"joined_{number}")
    x = layers.Conv2D(shape.image[2], 7, padding="same", name="pixels")(x)
    return tf_keras.Model(inputs, layers.Activation("tanh", name="image")(x), name="resnet")


def _convolved(
    x: Any, channels: int, *, name: str, kernel: int = 3, strides: int = 1, relu: bool = True
) -> Any:
    layer = tf_keras.layers.Conv2D(
        channels, kernel, strides, padding="same", use_bias=False, name=name
    )
    return normalized_relu(layer(x), name, relu=relu)
