"""What needs no network at all: the baseline that a translation must beat to be worth its bytes."""

from typing import NamedTuple

import numpy as np
from PIL import Image

from pipeline.arrays import Images, Mask, luma


class TrivialBaseline(NamedTuple):
    """Pictures uint8 [N, H, W, C] made of the inputs alone, and how, in few words."""

    name: str
    pictures: Images


def trivial_baseline(inputs: Images, shape: tuple[int, int, int]) -> TrivialBaseline:
    """Inputs uint8 [N, h, w, c] as pictures of ``shape`` (height, width, channels), untrained.

    Bicubic where they are larger, the mean colour in a hole that a last channel masks (255 inside),
    grey for colours that are not known; else the input as it is.
    """
    height, width, channels = shape
    name, pictures = "the input as it is", inputs
    if (hole := hidden_by_mask(inputs, channels)) is not None:
        name, pictures = "hole in its mean colour", _filled(inputs, hole)
    if pictures.shape[1:3] != (height, width):
        name = "bicubic"
        pictures = np.stack([_resized(picture, width, height) for picture in pictures])
    if pictures.shape[-1] < channels:
        name = "grey" if name == "the input as it is" else f"{name}, grey"
        pictures = pictures[..., :1].repeat(channels, axis=-1)
    elif pictures.shape[-1] > channels:
        name = "its luma" if name == "the input as it is" else f"{name}, luma"
        pictures = luma(pictures)
    return TrivialBaseline(name, pictures)


def hidden_by_mask(inputs: Images, channels: int) -> Mask | None:
    """Where a last channel of inputs uint8 [N, h, w, channels + 1] hides the picture, bool
    [N, h, w]; None where inputs have no mask."""
    return inputs[..., -1] > 127 if inputs.shape[-1] == channels + 1 else None


def _filled(inputs: Images, hole: Mask) -> Images:
    """The pictures in front of a mask, their hole in the mean colour of what is around it."""
    pictures, hole = inputs[..., :-1].astype(np.float32), hole[..., np.newaxis]
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
