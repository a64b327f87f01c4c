"""What makes pairs out of single pictures: each degradation takes away what a translator adds."""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from pipeline.arrays import Images
from pipeline.data import picture
from pipeline.progress import track

BLUR = 1.6  # standard deviation in pixels, as super-resolution's benchmarks blur
NOISE = 25.0  # standard deviation in steps of 255, the usual one of denoising's benchmarks
JPEG_QUALITY = 20
HIDDEN = 128
"""Grey of the pixels that a mask hides."""
LEAST_HIDDEN, MOST_HIDDEN = 0.05, 0.5
"""Share of the pixels that a mask hides."""

Degrade = Callable[[Images, np.random.Generator], Images]


@dataclass(frozen=True)
class Degradation:
    """One degradation: what it does, in a line, and how a picture [H, W, C] becomes an input."""

    describe: str
    apply: Degrade
    divisor: int = 1
    """Both sides of the picture must be divisible by it; the input's are so much shorter."""


def degrade(images: Images, name: str, seed: tuple[int, ...]) -> Images:
    """The inputs [N, h, w, c] of pictures [N, H, W, C]; both uint8.

    ``name`` is a key of DEGRADATIONS. What is random in an input depends on ``seed`` and on the
    picture's number alone.
    """
    apply = DEGRADATIONS[name].apply
    inputs = [
        apply(image, np.random.default_rng((*seed, index)))
        for index, image in enumerate(track(images, "Making inputs", total=len(images)))
    ]
    return np.stack(inputs)


def grey(image: Images, _: np.random.Generator) -> Images:
    """Luma, one channel."""
    return picture.with_channels(image, 1)


def mask(image: Images, random: np.random.Generator) -> Images:
    """The picture with strokes and boxes painted grey, and the mask as its last channel.

    The mask is 255 where the picture is hidden, 0 elsewhere.
    """
    hidden = _mask(image.shape[1], image.shape[0], random)
    painted = np.where(hidden[..., np.newaxis] > 0, np.uint8(HIDDEN), image)
    return np.concatenate([painted, hidden[..., np.newaxis]], axis=-1)


def half(image: Images, _: np.random.Generator) -> Images:
    return _smaller(image, 2)


def quarter(image: Images, _: np.random.Generator) -> Images:
    return _smaller(image, 4)


def blur(image: Images, _: np.random.Generator) -> Images:
    return _bytes(gaussian_filter(image.astype(np.float32), (BLUR, BLUR, 0), mode="nearest"))


def noise(image: Images, random: np.random.Generator) -> Images:
    return _bytes(image + random.normal(0, NOISE, image.shape))


def jpeg(image: Images, _: np.random.Generator) -> Images:
    file = io.BytesIO()
    picture.as_image(image).save(file, "JPEG", quality=JPEG_QUALITY)
    return picture.as_array(Image.open(file))


def _mask(width: int, height: int, random: np.random.Generator) -> Images:
    """[H, W] with strokes and boxes of 255, between LEAST_HIDDEN and MOST_HIDDEN of all pixels."""
    size = min(width, height)
    hidden = np.zeros((height, width), np.uint8)
    while np.mean(hidden > 0) < LEAST_HIDDEN:
        canvas = Image.fromarray(hidden)
        pen = ImageDraw.Draw(canvas)
        for _ in range(random.integers(1, 4)):
            x, y = random.integers(0, (width, height))
            corner = (x + random.integers(1, size // 3 + 2), y + random.integers(1, size // 3 + 2))
            pen.rectangle((int(x), int(y), int(corner[0]) - 1, int(corner[1]) - 1), fill=255)
        for _ in range(random.integers(1, 4)):
            points = random.integers(0, (width, height), (random.integers(2, 5), 2))
            line = [(int(x), int(y)) for x, y in points]
            pen.line(line, fill=255, width=int(random.integers(1, size // 12 + 2)), joint="curve")
        if np.mean(np.asarray(canvas) > 0) <= MOST_HIDDEN:
            hidden = np.asarray(canvas)
    return hidden


def _smaller(image: Images, divisor: int) -> Images:
    size = (image.shape[1] // divisor, image.shape[0] // divisor)
    return picture.as_array(picture.as_image(image).resize(size, picture.FILTER))


def _bytes(values: np.ndarray) -> Images:
    rounded: Images = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return rounded


DEGRADATIONS: Mapping[str, Degradation] = MappingProxyType(
    {
        "grey": Degradation("the luma alone: colourization", grey),
        "mask": Degradation("strokes and boxes hidden, the mask a channel of its own", mask),
        "half": Degradation("half the size, antialiased: super-resolution ×2", half, divisor=2),
        "quarter": Degradation("a quarter of the size: super-resolution ×4", quarter, divisor=4),
        "blur": Degradation(f"blurred by a Gaussian of {BLUR} pixels", blur),
        "noise": Degradation(f"Gaussian noise of {NOISE:g} of 255 steps", noise),
        "jpeg": Degradation(f"packed as JPEG of quality {JPEG_QUALITY}", jpeg),
    }
)
