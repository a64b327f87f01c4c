"""Networks that turn a picture into a picture: fully convolutional, of operations cheap in int8.

Two families. ``residual``: convolutions at the input's size or a half of it, sub-pixel convolution
at the end, and the input added back (as in Shi 2016, ESPCN, and Kim 2016, VDSR): whatever keeps the
picture's outlines. ``unet``: halved again and again, doubled again, with the maps of the way down
added on the way up (Ronneberger 2015): whatever invents shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import LUMA
from pipeline.networks.layers import DepthToSpace, PixelScale, PixelSum, normalized_relu
from pipeline.networks.pixels import PixelRange
from pipeline.networks.settings import GeneratorSettings, PictureShape, StudentSettings

SEPARABLE_MAPS = 2
"""The number of a separable U-Net's maps, the largest ones, in which it is depthwise and 1×1."""

ONE_SCALE = "Give a generator that keeps the size, or draws it 2, 3 or more times as large."


@dataclass(frozen=True, kw_only=True)
class TranslatorShape:
    """What a translator reads and draws."""

    source: PictureShape
    """Height, width and channels of the picture that is read."""
    image: PictureShape
    """The same of the picture that is drawn."""
    source_pixels: PixelRange
    """Black and white in what is read."""
    pixels: PixelRange
    """Black and white in what is drawn."""

    @property
    def scale(self) -> int:
        """How many times larger what is drawn is. Raises PocketganError for no whole number."""
        (height, width, _), (high, wide, _) = self.source, self.image
        if high % height or wide % width or high // height != wide // width:
            raise PocketganError(
                f"pictures of {width}×{height} become pictures of {wide}×{high}: that is no "
                "whole number of times larger.",
                ONE_SCALE,
            )
        return high // height


def residual(
    shape: TranslatorShape, channels: tuple[int, ...], *, reduce: int, separable: bool
) -> tf_keras.Model:
    """A picture [N, *source] → [N, *image]: a convolution 3×3 for each of ``channels``.

    They work at the ``reduce``-th part of the input's size. ``separable``: all but the first are a
    depthwise convolution and one of 1×1. Raises PocketganError where sizes do not divide.
    """
    refuse_undivided(shape, reduce)
    inputs = tf_keras.Input(shape.source, name="picture")
    x = scaled = _scaled(inputs, shape)
    for number, width in enumerate(channels, start=1):
        strides = reduce if number == 1 else 1
        convolve = _separable if separable and number > 1 else _convolved
        x = convolve(x, width, name=f"conv_{number}", strides=strides)
        x = tf_keras.layers.ReLU(name=f"conv_{number}_act")(x)
    picture = _drawn_over(x, inputs, scaled=scaled, shape=shape, reduce=reduce)
    return tf_keras.Model(inputs, picture, name="residual")


def unet(
    shape: TranslatorShape, channels: tuple[int, ...], *, reduce: int, separable: bool
) -> tf_keras.Model:
    """A picture [N, *source] → [N, *image]: a map for each of ``channels``, each half as large.

    The first has the ``reduce``-th part of the input's size. Batch norm behind every convolution
    but the last. ``separable``: those that read one of the SEPARABLE_MAPS largest maps are a
    depthwise convolution and one of 1×1; smaller maps cost little work as they are. Raises
    PocketganError where sizes do not divide.
    """
    refuse_undivided(shape, reduce * 2 ** (len(channels) - 1))
    inputs = tf_keras.Input(shape.source, name="picture")
    scaled = _scaled(inputs, shape)
    convolutions = [_separable if separable else _convolved] * SEPARABLE_MAPS
    convolutions += [_convolved] * len(channels)
    first = _convolved(scaled, channels[0], name="down_0", strides=reduce, bias=False)
    x = normalized_relu(first, "down_0")
    skips = []
    for number, width in enumerate(channels[1:], start=1):
        skips.append(x)
        down = convolutions[number - 1](x, width, name=f"down_{number}", strides=2, bias=False)
        x = normalized_relu(down, f"down_{number}")
    bottom = convolutions[len(channels) - 1](x, channels[-1], name="bottom", bias=False)
    x = normalized_relu(bottom, "bottom")
    for number in range(len(channels) - 2, -1, -1):
        x = tf_keras.layers.Conv2D(4 * channels[number], 1, use_bias=False, name=f"up_{number}")(x)
        x = DepthToSpace(2, name=f"up_{number}_pixels")(normalized_relu(x, f"up_{number}"))
        x = tf_keras.layers.Add(name=f"up_{number}_skip")([x, skips[number]])
        joined = convolutions[number](x, channels[number], name=f"joined_{number}", bias=False)
        x = normalized_relu(joined, f"joined_{number}")
    if separable:
        x = normalized_relu(_depthwise(x, "pixels", bias=False), "pixels_depthwise", relu=False)
    reach = 1 if separable else 3
    picture = _drawn_over(x, inputs, scaled=scaled, shape=shape, reduce=reduce, reach=reach)
    return tf_keras.Model(inputs, picture, name="unet")


@dataclass(frozen=True, kw_only=True)
class Family:
    """Students of one kind, which differ in the channels of their maps."""

    describe: str
    network: Callable[..., tf_keras.Model]
    """Of the shape, the channels, ``reduce`` and ``separable``."""
    reduce: int = 1
    """The largest map has this part of the input's side."""
    separable: bool = False
    halved: bool = False
    """Each map has half of the side of the one before it."""

    def build(self, shape: TranslatorShape, channels: tuple[int, ...]) -> tf_keras.Model:
        """The network, untrained; PocketganError where sizes do not divide."""
        return self.network(shape, channels, reduce=self.reduce, separable=self.separable)


FAMILIES = {
    "residual": Family(
        describe="convolutions at the picture's size; it is added back", network=residual
    ),
    "residual_separable": Family(
        describe="the same, depthwise and 1×1", network=residual, separable=True
    ),
    "residual_half": Family(
        describe="the same at half of the picture's size", network=residual, reduce=2
    ),
    "unet": Family(describe="down and up again; the picture is added", network=unet, halved=True),
    "unet_separable": Family(
        describe="the same, depthwise and 1×1 where maps are largest",
        network=unet,
        separable=True,
        halved=True,
    ),
    "unet_half": Family(
        describe="down and up again, from half of the picture's size",
        network=unet,
        reduce=2,
        halved=True,
    ),
    "unet_half_separable": Family(
        describe="the same, depthwise and 1×1 where maps are largest",
        network=unet,
        reduce=2,
        separable=True,
        halved=True,
    ),
}
"""Name of a block that students for pictures may be made of → what it is."""


def build_translator_student(settings: StudentSettings, shape: TranslatorShape) -> tf_keras.Model:
    """A student [N, *source] → [N, *image] in the very ranges of its teacher.

    Raises PocketganError for a block that is none of FAMILIES, and where sizes do not divide.
    """
    if settings.block not in FAMILIES or not settings.channels:
        raise PocketganError(
            f"a student of block '{settings.block}' with channels {settings.channels} cannot read "
            "pictures.",
            f"Give the channels of each map, and one of the blocks {', '.join(FAMILIES)}.",
        )
    return FAMILIES[settings.block].build(shape, settings.channels)


def halvings(size: tuple[int, int]) -> int:
    """How often a picture of that height and width can be halved."""
    height, width = size
    count = 0
    while not (height % 2 ** (count + 1) or width % 2 ** (count + 1)):
        count += 1
    return count


def refuse_undivided(shape: TranslatorShape, parts: int) -> None:
    """PocketganError where the sides of what is read are no multiples of ``parts``."""
    height, width, _ = shape.source
    if height % parts or width % parts:
        raise PocketganError(
            f"this network needs sides that {parts} divides, and pictures have {width}×{height}.",
            f"Use a width and a height that are multiples of {parts} (data.image_size).",
        )


def _scaled(inputs: Any, shape: TranslatorShape) -> Any:
    """The picture within −1..1; by a factor only, so that black borders stay black."""
    largest = max(map(abs, shape.source_pixels))
    return inputs if largest == 1 else PixelScale(1 / largest, name="picture_scaled")(inputs)


def _convolved(x: Any, channels: int, *, name: str, strides: int = 1, bias: bool = True) -> Any:
    layer = tf_keras.layers.Conv2D(channels, 3, strides, padding="same", use_bias=bias, name=name)
    return layer(x)


def _separable(x: Any, channels: int, *, name: str, strides: int = 1, bias: bool = True) -> Any:
    """Without ``bias`` batch norm follows, and there is one between the two, too."""
    x = _depthwise(x, name, strides=strides, bias=bias)
    if not bias:
        x = normalized_relu(x, f"{name}_depthwise", relu=False)
    return tf_keras.layers.Conv2D(channels, 1, use_bias=bias, name=name)(x)


def _depthwise(x: Any, name: str, *, strides: int = 1, bias: bool = True) -> Any:
    layer = tf_keras.layers.DepthwiseConv2D(
        3, strides, padding="same", use_bias=bias, name=f"{name}_depthwise"
    )
    return layer(x)


def _drawn_over(
    x: Any, inputs: Any, *, scaled: Any, shape: TranslatorShape, reduce: int, reach: int = 3
) -> Any:
    """The input, enlarged, plus what the last convolution makes of ``x``; at first the input.

    ``reach``: the side of that convolution.

    A convolution of the input is part of what is added. Where the input can be added as it is, by
    repeating its pixels, that convolution starts at zero: copies are exact in int8, while all that
    is computed is rounded to the steps of its own range, the finer the smaller the difference is.
    """
    layers, block = tf_keras.layers, reduce * shape.scale
    channels = block**2 * shape.image[2]
    last = layers.Conv2D(channels, reach, padding="same", kernel_initializer="zeros", name="pixels")
    enlarge = layers.Conv2D(channels, _reach(reduce), reduce, padding="same", name="enlarged")
    parts = [last(x), enlarge(scaled)]
    largest = max(map(abs, shape.pixels))
    if largest != 1:
        parts = [
            PixelScale(largest, name=f"{name}_scaled")(part)
            for name, part in zip(("pixels", "enlarged"), parts, strict=True)
        ]
    if _can_be_copied(shape, reduce):
        enlarge.set_weights([np.zeros_like(weight) for weight in enlarge.get_weights()])
        difference = layers.Add(name="difference")(parts)
        if shape.scale == 1:
            return PixelSum(*shape.pixels, name="sum")([inputs, _spread(difference, block)])
        parts = [layers.Concatenate(name="copies")([inputs] * block**2), difference]
    else:
        enlarge.set_weights(_enlarging(shape, reduce))
    return _spread(PixelSum(*shape.pixels, name="sum")(parts), block)


def _can_be_copied(shape: TranslatorShape, reduce: int) -> bool:
    """Whether a pixel of the input is one of the picture, and nothing has to be computed for it."""
    same = shape.source[2] == shape.image[2] and shape.source_pixels == shape.pixels
    return same and 1 in (reduce, shape.scale)


def _spread(x: Any, block: int) -> Any:
    """Channels become blocks of pixels."""
    return x if block == 1 else DepthToSpace(block, name="image")(x)


def _enlarging(shape: TranslatorShape, reduce: int) -> list[np.ndarray]:
    """Kernel and bias that repeat each pixel: black stays black, and white white."""
    (low, high), (black, white) = shape.source_pixels, shape.pixels
    read_by, drawn_by = max(abs(low), abs(high)), max(abs(black), abs(white))
    factor = (white - black) / drawn_by / ((high - low) / read_by)
    colours = _colours(shape.source[2], shape.image[2]) * factor
    block, channels = reduce * shape.scale, shape.image[2]
    reach = _reach(reduce)
    border = (reach - reduce) // 2
    kernel = np.zeros((reach, reach, len(colours), block, block, channels), np.float32)
    for row in range(block):
        for column in range(block):
            # The middle of the kernel lies on the pixels that become this block.
            place = (border + row // shape.scale, border + column // shape.scale)
            kernel[*place, :, row, column] = colours
    bias = np.full(block**2 * channels, black / drawn_by - factor * low / read_by, np.float32)
    return [kernel.reshape(*kernel.shape[:3], -1), bias]


def _reach(reduce: int) -> int:
    """Side of the kernel that enlarges: it sees the neighbours too where that is cheap."""
    return 3 if reduce == 1 else reduce


def _colours(source: int, image: int) -> np.ndarray:
    """Which channels go where, float32 [source, image], each column adding up to 1.

    Grey becomes colour by repeating, colour grey by its luma; what lies behind the first picture's
    channels, such as a mask or a second picture, is dropped.
    """
    if source >= len(LUMA) and image == 1:
        return np.pad(np.array(LUMA, np.float32)[:, None], [(0, source - len(LUMA)), (0, 0)])
    if source >= image:
        return np.eye(source, image, dtype=np.float32)
    colours = np.zeros((source, image), np.float32)
    colours[0] = 1
    return colours


def generator_residual(settings: GeneratorSettings, shape: TranslatorShape) -> tf_keras.Model:
    """Eight convolutions at the input's size, for what keeps outlines.

    Pictures [N, h, w, c] in −1..1 → [N, H, W, C] in −1..1.
    """
    return residual(shape, (settings.width,) * 8, reduce=1, separable=False)
