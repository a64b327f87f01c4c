"""What needs no network at all: the baseline that a translation must beat to be worth its bytes."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.arrays import Images, Mask, luma

ColourMap = npt.NDArray[np.float64]
CLEARLY_NEARER = 10 ** (1 / 10)
"""Of mean squared errors, a decibel: for less the plainer baseline stays."""
MOST_EXAMPLES = 256


class TrivialBaseline(NamedTuple):
    """Pictures uint8 [N, H, W, C] made of the inputs alone, and how, in few words."""

    name: str
    pictures: Images


def trivial_baseline(
    inputs: Images,
    shape: tuple[int, int, int],
    *,
    visible: int,
    mask: int | None = None,
    examples: tuple[Images, Images] | None = None,
) -> TrivialBaseline:
    """Inputs uint8 [N, h, w, c] as pictures of ``shape`` (height, width, channels), untrained.

    Bicubic where they are larger, the mean colour in a hole that channel ``mask`` hides (255
    inside), grey for colours that are not known; else the input as it is. What lies behind its
    first picture, of ``visible`` channels, is left out.

    ``examples``: inputs and their pictures that training may learn from. Where colours alone bring
    these nearer by a decibel, as those of a map that becomes a photo do, each pixel gets its colour
    by the one affine map that suits them best (least squares).
    """
    plain = _plain_baseline(inputs, shape, visible, mask)
    if examples is None:
        return plain
    # Evenly spread: the first tiles are those of a few photos.
    step = -(-len(examples[0]) // MOST_EXAMPLES)
    read, truth = (each[::step] for each in examples)
    mapping = _affine_map(_plain_baseline(read, shape, visible, mask).pictures, truth)
    if mapping is None:
        return plain
    pictures = [_recoloured(picture, mapping) for picture in plain.pictures]
    return TrivialBaseline(f"{plain.name}, recoloured", np.stack(pictures))


def _plain_baseline(
    inputs: Images, shape: tuple[int, int, int], visible: int, mask: int | None
) -> TrivialBaseline:
    height, width, channels = shape
    name, pictures = "the input as it is", inputs[..., :visible]
    if (hole := hidden_by_mask(inputs, mask)) is not None:
        name, pictures = "hole in its mean colour", _filled(pictures, hole)
    if pictures.shape[1:3] != (height, width):
        name = "bicubic"
        pictures = np.stack([_resized(picture, width, height) for picture in pictures])
    if visible < channels:
        name = "grey" if name == "the input as it is" else f"{name}, grey"
        pictures = pictures.repeat(channels, axis=-1)
    elif visible > channels:
        name = "its luma" if name == "the input as it is" else f"{name}, luma"
        pictures = luma(pictures)
    return TrivialBaseline(name, pictures)


def _affine_map(baseline: Images, truth: Images) -> ColourMap | None:
    """What brings the colours of the one nearest to those of the other; None where that is little.

    Both are uint8 [N, H, W, C]; float64 [C + 1, C]: factors, and in the last row what is added.
    """
    channels = truth.shape[-1]
    squares, products = np.zeros((channels + 1, channels + 1)), np.zeros((channels + 1, channels))
    for picture, true_picture in zip(baseline, truth, strict=True):
        colours = picture.reshape(-1, channels).astype(np.float64)
        pixels = np.hstack([colours, np.ones((len(colours), 1))])
        squares += pixels.T @ pixels
        products += pixels.T @ true_picture.reshape(-1, channels)
    mapping = np.linalg.lstsq(squares, products, rcond=None)[0]
    mapped = np.stack([_recoloured(picture, mapping) for picture in baseline])
    wanted = truth.astype(np.float32)
    before, after = (np.square(each - wanted).mean() for each in (baseline, mapped))
    return mapping if before > CLEARLY_NEARER * after else None


def _recoloured(picture: Images, mapping: ColourMap) -> Images:
    """uint8 [H, W, C]."""
    mapped = picture @ mapping[:-1] + mapping[-1]
    rounded: Images = np.rint(mapped.clip(0, 255)).astype(np.uint8)
    return rounded


def mask_behind(inputs: Images, channels: int) -> int | None:
    """The last channel of inputs that have one more than the pictures drawn of them; else None."""
    return channels if inputs.shape[-1] == channels + 1 else None


def hidden_by_mask(inputs: Images, mask: int | None) -> Mask | None:
    """Where channel ``mask`` of inputs uint8 [N, h, w, c] hides the picture, bool [N, h, w]; None
    where inputs have no mask."""
    return None if mask is None else inputs[..., mask] > 127


def _filled(inputs: Images, hole: Mask) -> Images:
    """The pictures, their hole in the mean colour of what is around it."""
    pictures, hole = inputs.astype(np.float32), hole[..., np.newaxis]
    around = (~hole).sum(axis=(1, 2), keepdims=True)
    total = (pictures * ~hole).sum(axis=(1, 2), keepdims=True)
    mean = np.where(around, total / np.maximum(around, 1), 128.0)
    return np.rint(np.where(hole, mean, pictures)).astype(np.uint8)


def _resized(picture: Images, width: int, height: int) -> Images:
    bands = [
        np.asarray(Image.fromarray(band).resize((width, height), Image.Resampling.BICUBIC))
        for band in np.moveaxis(picture, -1, 0)
    ]
    return np.stack(bands, axis=-1)
