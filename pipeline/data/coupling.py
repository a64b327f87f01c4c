"""Pictures in two domains, side by side: what a coupled GAN learns from (Liu & Tuzel 2016)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.ndimage import sobel

from pipeline.arrays import Images


class Domain(NamedTuple):
    """The second domain: what it is, in a line, and how pictures [N, H, W, C] become its own."""

    describe: str
    apply: Callable[[Images], Images]


def coupled(pictures: Images, name: str) -> Images:
    """Pictures uint8 [N, H, W, C] with the same in another domain on their right: [N, H, 2W, C].

    ``name`` is a key of SECOND_DOMAINS.
    """
    return np.concatenate([pictures, SECOND_DOMAINS[name].apply(pictures)], axis=2)


def negative(pictures: Images) -> Images:
    return np.asarray(255 - pictures, np.uint8)


def edges(pictures: Images) -> Images:
    """Length of Sobel's gradient, in which a step from black to white is white."""
    slopes = (sobel(pictures.astype(np.float32), axis=axis, mode="nearest") for axis in (1, 2))
    return np.asarray(np.hypot(*slopes).clip(0, 1020) / 4, np.uint8)


SECOND_DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {
        "negative": Domain("black and white changed round", negative),
        "edges": Domain("the edges, white on black", edges),
    }
)
