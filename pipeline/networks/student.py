"""Purpose-built small generators of latents: students where a teacher's channels are too many.

They are made of what int8 kernels do cheapest (docs/suite.md): a low-rank first Dense layer, plain
convolutions on small maps, and sub-pixel convolutions instead of transposed ones.
"""

from collections.abc import Callable
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.layers import DepthToSpace, normalized_relu
from pipeline.networks.map_sizes import map_sides
from pipeline.networks.pixels import PixelRange
from pipeline.networks.settings import PictureShape, StudentSettings


def build_student(
    settings: StudentSettings, length: int, image: PictureShape, pixels: PixelRange
) -> tf_keras.Model:
    """A student [N, length] → [N, *image] in 0..1 where ``pixels`` are that, else in -1..1.

    ``length`` is that of the latents with their classes. Raises PocketganError where the sizes do
    not go together.
    """
    wanted = len(map_sides(image))
    if len(settings.channels) != wanted or settings.block not in DOUBLINGS:
        raise PocketganError(
            f"a student of block '{settings.block}' with channels {settings.channels} cannot draw "
            f"pictures of {image[1]}×{image[0]}.",
            f"Give one of the blocks {', '.join(DOUBLINGS)}, and {wanted} numbers of channels, for "
            f'instance --search.student.channels "{settings.channels_for(wanted)}".',
        )
    layers = tf_keras.layers
    inputs = layers.Input([length], name="latent")
    x = _seed_map(inputs, settings, image)
    for number in range(1, settings.mixers + 1):
        x = normalized_relu(_conv(x, x.shape[-1], name=f"mix_{number}"), f"mix_{number}")
    double = DOUBLINGS[settings.block]
    for number, channels in enumerate(settings.channels[1:], start=1):
        x = double(x, channels, f"up_{number}", hidden=True)
    last = double if len(settings.channels) > 1 or image[0] != x.shape[1] else _plain
    x = last(x, image[2], "pixels", hidden=False)
    bound = "sigmoid" if pixels == (0.0, 1.0) else "tanh"
    return tf_keras.Model(inputs, layers.Activation(bound, name="image")(x), name="student")


# ---------------------------------------------------------------------- the first map


def _seed_map(latent: Any, settings: StudentSettings, image: PictureShape) -> Any:
    """Latents → the smallest map. The bottleneck is linear: a product of two kernels."""
    layers, (height, width) = tf_keras.layers, map_sides(image)[0]
    x = latent
    if settings.rank:
        x = layers.Dense(settings.rank, use_bias=False, name="reduce")(x)
    x = layers.Dense(height * width * settings.channels[0], use_bias=False, name="project")(x)
    x = normalized_relu(x, "project")
    return layers.Reshape([height, width, settings.channels[0]], name="seed_map")(x)


# ---------------------------------------------------------------------- from map to map


def _sub_pixel(x: Any, channels: int, name: str, *, hidden: bool) -> Any:
    """A convolution 3×3 to four times the channels, which become pixels."""
    x = _conv(x, 4 * channels, name=name, hidden=hidden)
    return DepthToSpace(2, name=f"{name}_pixels")(normalized_relu(x, name) if hidden else x)


def _depthwise(x: Any, channels: int, name: str, *, hidden: bool) -> Any:
    """A depthwise convolution 3×3, then 1×1 to four times the channels, which become pixels."""
    deep = tf_keras.layers.DepthwiseConv2D(
        3, padding="same", use_bias=False, name=f"{name}_depthwise"
    )
    x = normalized_relu(deep(x), f"{name}_depthwise")
    x = _conv(x, 4 * channels, kernel=1, name=name, hidden=hidden)
    return DepthToSpace(2, name=f"{name}_pixels")(normalized_relu(x, name) if hidden else x)


def _transposed(x: Any, channels: int, name: str, *, hidden: bool) -> Any:
    """A transposed convolution 4×4 of stride 2."""
    layer = tf_keras.layers.Conv2DTranspose(
        channels, 4, 2, padding="same", use_bias=not hidden, name=name
    )
    return normalized_relu(layer(x), name) if hidden else layer(x)


def _plain(x: Any, channels: int, name: str, *, hidden: bool) -> Any:
    return _conv(x, channels, name=name, hidden=hidden)


Doubling = Callable[..., Any]
DOUBLINGS: dict[str, Doubling] = {
    "sub_pixel": _sub_pixel,
    "depthwise": _depthwise,
    "transposed": _transposed,
}
"""A map [N, H, W, C], channels, name, whether ReLU follows → [N, 2H, 2W, channels]."""


def _conv(x: Any, channels: int, *, kernel: int = 3, name: str, hidden: bool = True) -> Any:
    layer = tf_keras.layers.Conv2D(channels, kernel, padding="same", use_bias=not hidden, name=name)
    return layer(x)
