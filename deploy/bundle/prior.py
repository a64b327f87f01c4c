"""Latents by seed, in a way that every language can repeat: one seed, one picture.

A seed is a number below 2⁶⁴. Its random numbers are SplitMix64's (Steele, Lea & Flood 2014), which
is six lines in any language; two of them make a normal number by Box and Muller's transform. All
four code files of a bundle do the same.
"""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from deploy.bundle.schema import Latent

SEEDING = (
    "Seed s (below 2^64): z_n is SplitMix64's n-th output from state s (state += "
    "0x9E3779B97F4A7C15; z = state; z = (z xor z>>30) * 0xBF58476D1CE4E5B9; z = (z xor z>>27) * "
    "0x94D049BB133111EB; z xor z>>31; all modulo 2^64). u_n = (z_n >> 11) * 2^-53. Number k of the "
    "latent (k = 0, 1, ...) is sqrt(-2 ln(1 - u_2k)) * cos(2 pi u_2k+1), n counted from 0, in "
    "float64, then rounded to float32. Golden latent i is that of seed i with class i modulo the "
    "number of classes. Picture n of a series that starts with seed s has seed s + n."
)

_ALL_BITS = (1 << 64) - 1


def latents(latent: Latent, seeds: Sequence[int], labels: Sequence[int]) -> np.ndarray:
    """Input vectors, float32 [N, length + classes]; ``labels`` are looked at with classes only."""
    vectors = np.zeros((len(seeds), latent.width), np.float32)
    for row, seed, label in zip(vectors, seeds, labels, strict=True):
        row[: latent.length] = normal(seed, latent.length)
        if latent.classes:
            row[latent.length + label] = 1
    return vectors


def normal(seed: int, count: int) -> list[float]:
    """The first ``count`` normal numbers of a seed."""
    uniform = _uniform(seed)
    # By the math module: numpy's vectors round otherwise on another processor.
    return [
        math.sqrt(-2 * math.log(1 - next(uniform))) * math.cos(2 * math.pi * next(uniform))
        for _ in range(count)
    ]


def _uniform(seed: int) -> Iterator[float]:
    """Numbers in [0, 1)."""
    state = seed
    while True:
        state = state + 0x9E3779B97F4A7C15 & _ALL_BITS
        z = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & _ALL_BITS
        z = (z ^ z >> 27) * 0x94D049BB133111EB & _ALL_BITS
        yield ((z ^ z >> 31) >> 11) * 2.0**-53
