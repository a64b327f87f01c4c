"""Generators that draw less than they read: convolutions without padding take a border away.

Such a generator is meant to be given a picture with a border around it, as waifu2x and SRCNN are.
It gets one here, so that what it draws is as large as what is read, or 2, 3 or more times so.
"""

from collections.abc import Sequence
from dataclasses import replace

from pipeline.importers.input_adapter import InputAdapter
from pipeline.networks.layers import ReflectionPadding2D

WIDEST = 0.2
"""Share of a side: what takes away more draws smaller pictures, such as halves."""


def missing_border(source: Sequence[int], picture: Sequence[int]) -> int:
    """Pixels on each side of a ``source`` of that height and width that the ``picture`` lacks.

    0 where none are, and where no border alike on all sides explains the sizes.
    """
    scale = max(1, -(-picture[0] // source[0]))
    lacking = {scale * before - after for before, after in zip(source, picture, strict=True)}
    border, rest = divmod(lacking.pop(), 2 * scale)
    is_border = not (lacking or rest) and 0 < border < WIDEST * min(source)
    return border if is_border else 0


def with_missing_border(adapter: InputAdapter, picture: Sequence[int]) -> InputAdapter:
    """What reads pictures without the border that a ``picture`` of that height and width lacks.

    It is mirrored around them. The same adapter where there is none, or where it reads latents.
    """
    border = 0 if adapter.latent else missing_border(adapter.shape[:2], picture)
    if not border:
        return adapter
    height, width, *channels = adapter.shape
    padding = ReflectionPadding2D([[border, border]] * 2, name="border")
    return replace(
        adapter,
        shape=(height - 2 * border, width - 2 * border, *channels),
        split=lambda port: adapter.split(padding(port)),
        notes=(
            *adapter.notes,
            f"it draws {border} pixels less on each side than it reads ({width}×{height}): what is "
            "read here is without them, and its border is mirrored",
        ),
    )
