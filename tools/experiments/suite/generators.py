"""A fixed set of generators with random weights, so that operations can be compared.

All but the dense ones share one schedule: a dense layer makes a small map, which doubles until it
is the picture while its channels halve. They differ only in the operation that doubles. There is no
batch norm: it would be folded into the kernels anyway.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tf_keras

from deploy.errors import PocketganError
from pipeline.determinism import prepare
from pipeline.networks.layers import DepthToSpace

VERSION = 1
"""Raise it when what a member is changes: files of another version are made again."""

PIXELS = (28, 64, 128, 256)
WIDTHS = (16, 32, 64)
LATENT = 64
MOST_CHANNELS = 256
"""No map has more; wide small maps would hold most weights and little of the work."""
MOST_WEIGHTS = 16_000_000
"""A member with more is left out. Only dense ones are: every output pixel has its own weights."""


@dataclass(frozen=True)
class Member:
    """One generator of the set.

    ``width`` is the number of channels of the last map before the picture; dense generators have
    two hidden layers of twice as many values.
    """

    family: str
    pixels: int
    width: int

    @property
    def name(self) -> str:
        return f"{self.family}-{self.pixels}-w{self.width}"

    @property
    def channels(self) -> int:
        """Small pictures are grey as digits are, the others in colour."""
        return 1 if self.pixels == 28 else 3

    @property
    def maps(self) -> list[tuple[int, int]]:
        """Side and channels of each map, the smallest first, the picture not among them."""
        sides = [self.pixels // 2]
        while sides[0] % 2 == 0 and sides[0] > 8:
            sides.insert(0, sides[0] // 2)
        steps = range(len(sides) - 1, -1, -1)
        return [(s, min(MOST_CHANNELS, self.width << n)) for s, n in zip(sides, steps, strict=True)]

    @property
    def dense_weights(self) -> int:
        """Weights of the dense layers."""
        if self.family == DENSE:
            hidden = 2 * self.width
            return hidden * (LATENT + hidden + self.pixels**2 * self.channels)
        side, channels = self.maps[0]
        return LATENT * side**2 * channels


DENSE = "dense"

UpsamplingBlock = Callable[[Any, int, str, float], Any]
"""A map [N, H, W, C], output channels, the layers' name and the gain → [N, 2H, 2W, channels]."""


def _transposed_conv(x: Any, channels: int, name: str, gain: float) -> Any:
    # Keras takes the taps of all strides for the fan; an output pixel meets a quarter of the 16.
    layer = tf_keras.layers.Conv2DTranspose(
        channels, 4, 2, padding="same", kernel_initializer=_normal(gain, 4 * x.shape[-1]), name=name
    )
    return _activated(layer(x), name, gain)


def _resize_conv(x: Any, channels: int, name: str, gain: float) -> Any:
    return _conv(_twice(x, name), channels, name=name, gain=gain)


def _sub_pixel(x: Any, channels: int, name: str, gain: float) -> Any:
    # The activation comes before the pixels are moved: the same picture, and it fuses with the
    # convolution.
    return DepthToSpace(2, name=f"{name}_pixels")(_conv(x, 4 * channels, name=name, gain=gain))


def _depthwise(x: Any, channels: int, name: str, gain: float) -> Any:
    deep = tf_keras.layers.DepthwiseConv2D(
        3, padding="same", depthwise_initializer=_normal(1.0, 9), name=f"{name}_depthwise"
    )
    return _conv(deep(_twice(x, name)), channels, name=name, gain=gain, kernel=1)


DOUBLINGS: dict[str, UpsamplingBlock] = {
    "transposed_conv": _transposed_conv,
    "resize_conv": _resize_conv,
    "sub_pixel": _sub_pixel,
    "depthwise": _depthwise,
}
FAMILIES = (DENSE, *DOUBLINGS)
MEANING = {
    DENSE: "two hidden dense layers, then a dense layer of all pixels",
    "transposed_conv": "transposed convolution 4×4, stride 2",
    "resize_conv": "nearest neighbour, then a convolution 3×3",
    "sub_pixel": "convolution 3×3 to four times the channels, then depth to space",
    "depthwise": "nearest neighbour, then a depthwise convolution 3×3 and a 1×1 convolution",
}


def _conv(x: Any, channels: int, *, name: str, gain: float, kernel: int = 3) -> Any:
    start = _normal(gain, kernel**2 * x.shape[-1])
    layer = tf_keras.layers.Conv2D(
        channels, kernel, padding="same", kernel_initializer=start, name=name
    )
    return _activated(layer(x), name, gain)


def _twice(x: Any, name: str) -> Any:
    return tf_keras.layers.UpSampling2D(2, interpolation="nearest", name=f"{name}_nearest")(x)


def _dense(x: Any, units: int, name: str, gain: float) -> Any:
    start = _normal(gain, x.shape[-1])
    return _activated(
        tf_keras.layers.Dense(units, kernel_initializer=start, name=name)(x), name, gain
    )


HIDDEN, PICTURE = 2.0, 1.0
"""Gains that keep the variance: behind a ReLU half of it is gone (He 2015, equation 10)."""


def _normal(gain: float, fan: int) -> Any:
    return tf_keras.initializers.RandomNormal(stddev=(gain / fan) ** 0.5)


def _activated(x: Any, name: str, gain: float) -> Any:
    activation = "relu" if gain == HIDDEN else "tanh"
    return tf_keras.layers.Activation(activation, name=f"{name}_{activation}")(x)


def build(member: Member, seed: int) -> tf_keras.Model:
    """Latents [N, 64] → pictures [N, pixels, pixels, channels] in -1..1; weights by ``seed``."""
    prepare(seed)
    latent = tf_keras.layers.Input([LATENT], name="latent")
    draw = _dense_picture if member.family == DENSE else _doubled_picture
    return tf_keras.Model(latent, draw(member, latent), name=member.family)


def _dense_picture(member: Member, latent: Any) -> Any:
    x = latent
    for number in (1, 2):
        x = _dense(x, 2 * member.width, f"hidden_{number}", HIDDEN)
    x = _dense(x, member.pixels**2 * member.channels, "pixels", PICTURE)
    shape = [member.pixels, member.pixels, member.channels]
    return tf_keras.layers.Reshape(shape, name="image")(x)


def _doubled_picture(member: Member, latent: Any) -> Any:
    double = DOUBLINGS[member.family]
    (side, channels), *further = member.maps
    x = _dense(latent, side**2 * channels, "project", HIDDEN)
    x = tf_keras.layers.Reshape([side, side, channels], name="seed_map")(x)
    for side, channels in further:
        x = double(x, channels, f"to_{side}", HIDDEN)
    return double(x, member.channels, f"to_{member.pixels}", PICTURE)


def members(
    families: Sequence[str] = FAMILIES,
    pixels: Sequence[int] = PIXELS,
    widths: Sequence[int] = WIDTHS,
) -> list[Member]:
    """The members asked for that are not too big, the quickest first within each size.

    Raises:
        PocketganError: there is no such family, number of pixels, or width; or none is left.
    """
    wanted = list(_combinations(families, pixels, widths))
    members_left = [member for member in wanted if not _too_big(member)]
    if not members_left:
        raise PocketganError(
            "none of the generators asked for belongs to the set: " + "; ".join(left_out(wanted)),
            "Ask for another family, fewer pixels or a smaller width.",
        )
    return members_left


def left_out(
    wanted: Sequence[Member] | None = None,
) -> list[str]:
    """Why some of ``asked``, or of all that there could be, do not belong to the set."""
    if wanted is None:
        wanted = list(_combinations(FAMILIES, PIXELS, WIDTHS))
    return [
        f"{m.name} would have {m.dense_weights / 1e6:.0f} million weights, more than "
        f"{MOST_WEIGHTS / 1e6:.0f}"
        for m in wanted
        if _too_big(m)
    ]


def _too_big(member: Member) -> bool:
    return member.dense_weights > MOST_WEIGHTS


def _combinations(
    families: Sequence[str], pixels: Sequence[int], widths: Sequence[int]
) -> Iterator[Member]:
    _check("family", families, FAMILIES)
    _check("number of pixels", pixels, PIXELS)
    _check("width", widths, WIDTHS)
    for size in sorted(set(pixels)):
        for width in sorted(set(widths)):
            for family in dict.fromkeys(families):
                yield Member(family, size, width)


def _check(what: str, values: Sequence[object], choices: Sequence[object]) -> None:
    for value in values:
        if value not in choices:
            names = ", ".join(map(str, choices))
            raise PocketganError(f"the suite has no {what} {value}", f"Choose of: {names}.")
