"""Image files of any kind that Pillow reads, and arrays of images, to a size and channels."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, ImageOps

from pipeline.arrays import Images, luma
from pipeline.progress import track

# The filter that "On Aliased Resizing and Surprising Subtleties in GAN Evaluation" (Parmar, Zhang
# and Zhu, 2022) finds free of aliasing in Pillow.
FILTER = Image.Resampling.BICUBIC
GREY_STEPS = 8
"""Channels that differ by no more, of 255, show no colour: JPEG leaves as much in grey pictures."""
MODES = {1: "L", 3: "RGB"}
WHITE = (255, 255, 255, 255)
DEEP_GREY = ("I", "I;16", "I;16L", "I;16B", "I;16N")

FIRST_FRAME = "several frames: the first was read"
SIXTEEN_BITS = "16 bits a channel: scaled to 8"
CMYK = "CMYK: converted to RGB without a colour profile"
TRANSPARENCY = "transparent: laid on white"
TOO_SMALL = "less than a tile"


@cache
def endings() -> frozenset[str]:
    """The file endings, such as ``.png``, of the formats that Pillow can open."""
    formats = Image.registered_extensions()  # loads every plugin, which fills Image.OPEN
    return frozenset(ending for ending, name in formats.items() if _has_pixels(name))


def _has_pixels(format_name: str) -> bool:
    """Whether Pillow reads more of such files than what they are: networks in HDF5 and videos are
    no broken pictures."""
    if format_name not in Image.OPEN or format_name == "MPEG":
        return False
    reader = Image.OPEN[format_name][0]
    return not (isinstance(reader, type) and issubclass(reader, ImageFile.StubImageFile))


@dataclass(frozen=True)
class Picture:
    """What a file shows: upright, opaque, eight bits a channel, grey or RGB."""

    image: Image.Image
    changes: tuple[str, ...]
    """What was done to the file's pixels for that, beside turning them."""


def read(content: bytes, channels: int, *, draft: int | None = None) -> Picture:
    """The picture in a file's content; the first frame of several.

    Turned upright as EXIF says and laid on white where transparent. ``draft`` is the least side in
    pixels that is needed, where not all are: large JPEG files are read faster. Whatever Pillow
    raises for a broken file passes through, and a ValueError for pixels without a known range.
    """
    with _strict(), Image.open(io.BytesIO(content)) as image:
        changes = []
        if image.mode in DEEP_GREY or ";16" in str(image.tile[:1]):  # how Pillow notes deep colour
            changes.append(SIXTEEN_BITS)
        if image.mode == "CMYK":
            changes.append(CMYK)
        if draft is not None:  # a JPEG can be decoded at 1/2, 1/4 or 1/8 of its size
            image.draft(None, (draft, draft))
        image.load()
        upright = _upright(image)
        if _is_transparent(upright):
            changes.append(TRANSPARENCY)
        plain = _plain(upright)
        # Pillow has no way from LAB to grey but through RGB.
        plain = (plain.convert("RGB") if plain.mode == "LAB" else plain).convert(MODES[channels])
        if _has_more_frames(image):  # last, because it moves on in the file
            changes.append(FIRST_FRAME)
        return Picture(plain, tuple(changes))


def pixel_count(path: Path) -> int:
    """Of a picture, as its header says; 0 of a file that ``read`` does not take."""
    try:
        with _strict(), Image.open(path) as image:
            return image.width * image.height
    except Exception:  # Pillow's plugins raise nearly anything for a broken file
        return 0


def cropped(image: Image.Image, size: tuple[int, int]) -> Images:
    """The largest part in the middle of those proportions, resized to [height, width, channels]."""
    return as_array(ImageOps.fit(image, size[::-1], FILTER))


def tiles(image: Image.Image, size: tuple[int, int]) -> Images:
    """All parts [N, height, width, channels] of a grid in the middle, not resized.

    Raises ValueError for a picture that is smaller than one.
    """
    height, width = size
    rows, columns = image.height // height, image.width // width
    if not rows or not columns:
        raise ValueError(f"{image.width}×{image.height} pixels are {TOO_SMALL} of {width}×{height}")
    top, left = (image.height - rows * height) // 2, (image.width - columns * width) // 2
    pixels = as_array(image)[top : top + rows * height, left : left + columns * width]
    grid = pixels.reshape(rows, height, columns, width, -1).swapaxes(1, 2)
    return grid.reshape(rows * columns, height, width, -1)


def as_array(image: Image.Image) -> Images:
    """A grey or RGB picture as uint8 [H, W, 1] or [H, W, 3]."""
    return np.asarray(image, dtype=np.uint8).reshape(image.height, image.width, -1)


def as_image(pixels: Images) -> Image.Image:
    """A picture [H, W, 1 or 3] for Pillow."""
    return Image.fromarray(pixels.squeeze(-1) if pixels.shape[-1] == 1 else pixels)


def is_grey(pixels: Images) -> bool:
    """Whether none of the pixels [..., 3] has a colour."""
    darkest, brightest = pixels.min(axis=-1), pixels.max(axis=-1)
    return not (brightest - darkest > GREY_STEPS).any()


def fit(images: Images, size: tuple[int, int], channels: int) -> Images:
    """Images [N, H, W, 1 or 3] as [N, height, width, channels] of that ``size``; uint8.

    28×28 asked for 32 gets two rows and columns of background (0) on each side, as is usual for
    MNIST: its strokes keep their exact pixels. Any other size is resized with antialiasing.
    """
    return _with_size(with_channels(images, channels), size)


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # garbage for EXIF raises nearly anything; the pixels are sound
        return image


def _has_more_frames(image: Image.Image) -> bool:
    try:
        return getattr(image, "n_frames", 1) > 1
    except Exception:  # a broken frame behind the first raises nearly anything
        return True


def _is_transparent(image: Image.Image) -> bool:
    """Whether a pixel is not opaque; an alpha channel alone does not say so."""
    if not image.has_transparency_data:
        return False
    if image.mode in DEEP_GREY:
        return bool((np.asarray(image) == image.info["transparency"]).any())
    return image.convert("RGBA").getchannel("A").getextrema() != (255, 255)


def _plain(image: Image.Image) -> Image.Image:
    """Eight bits a channel and nothing transparent."""
    if image.mode in DEEP_GREY:
        return _eight_bits(image)
    if image.mode == "F":
        raise ValueError("floating-point pixels have no fixed range")
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, WHITE), layer)


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8, the transparent value of a PNG file white; Pillow's own conversion
    cuts off instead."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("32-bit pixels have no fixed range")
    scaled = np.rint(values / 257).astype(np.uint8)
    if image.has_transparency_data:
        scaled[values == image.info["transparency"]] = WHITE[0]
    return Image.fromarray(scaled)


@contextmanager
def _strict() -> Iterator[None]:
    """Refuse what may be a decompression bomb; keep quiet about odd metadata."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def with_channels(images: Images, channels: int) -> Images:
    """Pictures [..., 1 or 3] as [..., channels]."""
    if images.shape[-1] == channels:
        return images
    if channels == 3:
        return np.repeat(images, 3, axis=-1)
    return luma(images)  # rounded as Pillow rounds it, so that every source is greyed alike


def _with_size(images: Images, size: tuple[int, int]) -> Images:
    if images.shape[1:3] == size:
        return images
    if (images.shape[1:3], size) == ((28, 28), (32, 32)):
        return np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)))
    resized = np.empty((len(images), *size, images.shape[-1]), np.uint8)
    for index, image in enumerate(track(images, "Resizing", total=len(images))):
        resized[index] = cropped(as_image(image), size)
    return resized
