"""Pictures in two domains, side by side: what a coupled GAN learns from (Liu & Tuzel 2016)."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from scipy.ndimage import grey_dilation

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
    """How much brighter the brightest of a pixel's neighbours is: lines one pixel wide.

    A gradient is white on both sides of an edge, so that the strokes of small digits fill.
    """
    return np.asarray(grey_dilation(pictures, size=(1, 3, 3, 1)) - pictures, np.uint8)


SECOND_DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {
        "negative": Domain("black and white changed round", negative),
        "edges": Domain("the edges, white on black", edges),
    }
)
