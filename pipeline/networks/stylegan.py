"""A style-based generator (Karras 2019; modulation as in Karras 2020) of what int8 does well.

Karras 2020 scales a kernel's input channels anew for each picture, and its output channels so that
they come out equally strong. A file's kernels are constant. Scaling their inputs instead is the
same, and behind a kernel both scales are one multiplication of the map: what it demodulates times
the next layer's style. Demodulation is 1/√(Q·style²), a small matrix product: here Q is learned,
where Karras 2020 has the kernel's squared taps, so that it may be rounded by itself. It starts at
half of what those are on average, since ReLU, which stands before it here, leaves half of a map's
power. There is no noise: a file draws the same of the same latent.
"""

from typing import Any

import tf_keras

from pipeline.networks.layers import (
    InverseRoot,
    LearnedMap,
    Truncation,
    on_map,
    sub_pixels,
)
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import GeneratorSettings, ImageShape

MAPPING_LAYERS = 3
LEAST_POWER = 0.1
"""Of what is demodulated: else a step of int8 near 0 would be a large one of the root's inverse."""


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Styles from a mapping network scale the channels of maps (Karras 2019, 2020).

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled as often as the size asks for, each time with half of the channels; the last
    doubling makes the pixels.
    """
    layers, maps = tf_keras.layers, doublings(image.shape)
    channels = settings.width * 2 ** (maps - 1)
    latent = layers.Input([settings.latent + image.classes], name="latent")
    w = _mapping(latent, settings)
    style = _style(w, channels, "map_1")
    x = LearnedMap(*first_map(image.shape), name="seed_map")(on_map(style, "map_1_style"))
    for number in range(1, maps + 1):
        name, reader = f"map_{number}", f"map_{number + 1}_in" if number < maps else "pixels"
        if number > 1:
            channels //= 2
            x = layers.UpSampling2D(2, name=f"double_{number}")(x)
            x, style = _convolved(x, style, w=w, channels=channels, name=f"{name}_in", reader=name)
        x, style = _convolved(x, style, w=w, channels=channels, name=name, reader=reader)
    return tf_keras.Model(latent, sub_pixels(x, image), name="stylegan_generator")


def _mapping(latent: Any, settings: GeneratorSettings) -> Any:
    """Latents → the vectors [N, latent] that all styles are made of."""
    layers, x = tf_keras.layers, latent
    for number in range(1, MAPPING_LAYERS):
        x = layers.Dense(settings.latent, kernel_initializer="he_normal", name=f"mapping_{number}")(
            x
        )
        x = layers.ReLU(name=f"mapping_{number}_act")(x)
    x = layers.Dense(settings.latent, name=f"mapping_{MAPPING_LAYERS}")(x)
    return x if settings.truncation == 1 else Truncation(settings.truncation, name="truncation")(x)


def _style(w: Any, channels: int, name: str) -> Any:
    """Factors [N, channels] of what the kernel of that name reads: around 1 at first."""
    dense = tf_keras.layers.Dense(channels, bias_initializer="ones", name=f"{name}_style")
    return dense(w)


def _convolved(
    x: Any, style: Any, *, w: Any, channels: int, name: str, reader: str
) -> tuple[Any, Any]:
    """The next map, scaled for the kernel ``reader``, and that kernel's style.

    ``style`` is what ``x`` was scaled by. ReLU stands before demodulation, whose factors are
    positive, so that it is fused to the kernel.
    """
    layers = tf_keras.layers
    x = layers.Conv2D(channels, 3, padding="same", kernel_initializer="he_normal", name=name)(x)
    x = layers.ReLU(name=f"{name}_act")(x)
    next_style = _style(w, channels, reader)
    factors = [_demodulation(style, channels, name), next_style]
    scale = layers.Multiply(name=f"{name}_scale")(factors)
    scaled = layers.Multiply(name=f"{name}_scaled")([x, on_map(scale, f"{name}_scale")])
    return scaled, next_style


def _demodulation(style: Any, channels: int, name: str) -> Any:
    """1/√(Q·style²) [N, channels]: Karras 2020, equation 3."""
    layers = tf_keras.layers
    squares = layers.Multiply(name=f"{name}_style_squared")([style, style])
    power = layers.Dense(
        channels,
        kernel_initializer=tf_keras.initializers.Constant(1 / style.shape[-1]),
        bias_initializer=tf_keras.initializers.Constant(LEAST_POWER),
        name=f"{name}_power",
    )(squares)
    power = layers.ReLU(name=f"{name}_power_act")(power)
    return InverseRoot(LEAST_POWER, name=f"{name}_demodulation")(power)
