"""How large the maps between latents and pictures are: small ones, doubled up to the picture."""

import math

from pipeline.networks.settings import PictureShape

SMALLEST_MAP = 8
"""A side at which maps are not halved any more."""


def doublings(image: PictureShape) -> int:
    """How often a generator doubles its first map; `r3gan`'s discriminator has as many maps.

    Until the shorter side is SMALLEST_MAP or less, and twice at least.
    """
    return max(2, math.ceil(math.log2(min(image[:2]) / SMALLEST_MAP)))


def first_map(image: PictureShape) -> tuple[int, int]:
    """Height and width of the smallest map that, so often doubled, covers the picture."""
    height, width = (-(-side // 2 ** doublings(image)) for side in image[:2])
    return height, width


def map_sides(image: PictureShape) -> list[tuple[int, int]]:
    """Height and width of each hidden map of a student, the smallest first.

    A student's maps are halves of its picture to the pixel: what is cut off would be paid for.
    """
    sides = [image[:2]]
    while min(sides[0]) > SMALLEST_MAP and not (sides[0][0] % 2 or sides[0][1] % 2):
        sides.insert(0, (sides[0][0] // 2, sides[0][1] // 2))
    return sides[:-1] or sides
