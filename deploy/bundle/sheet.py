"""Pictures in rows: the contact sheet of what a generator draws, on one PNG."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deploy.errors import plain

COLUMNS = 8
MOST_ROWS = 32
GAP = 2
MARGIN = 8
SMALLEST_TILE = 56
"""Pixels; smaller pictures are enlarged by a whole factor."""
PAPER, INK = (255, 255, 255), (32, 32, 32)
_LONGEST_NAME = 24


def rows(classes: int) -> int:
    """Rows of a sheet: one a class, as far as there is room, or as many as columns."""
    return min(classes, MOST_ROWS) or COLUMNS


def contact_sheet(pictures: np.ndarray, names: Sequence[str] = ()) -> bytes:
    """A PNG of pictures uint8 [N, H, W, C] in rows of eight; row i is called ``names[i]``."""
    factor = max(1, -(-SMALLEST_TILE // pictures.shape[1]))
    enlarged = pictures.repeat(factor, axis=1).repeat(factor, axis=2)
    font = ImageFont.load_default(14)
    labels = [
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
        for name in map(plain, names)
    ]
    left = MARGIN + max((round(font.getlength(name)) + MARGIN for name in labels), default=0)
    tiles = tiled(enlarged, COLUMNS, gap=GAP, fill=255)
    size = (left + tiles.shape[1] + MARGIN, tiles.shape[0] + 2 * MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    sheet.paste(Image.fromarray(tiles[..., 0] if tiles.shape[2] == 1 else tiles), (left, MARGIN))
    pen, height = ImageDraw.Draw(sheet), enlarged.shape[1]
    for row, name in enumerate(labels):
        middle = MARGIN + row * (height + GAP) + height // 2
        pen.text((left - MARGIN, middle), name, INK, font, anchor="rm")
    written = io.BytesIO()
    sheet.save(written, "PNG", optimize=True)
    return written.getvalue()


def tiled(pictures: np.ndarray, columns: int, gap: int = 0, fill: int = 0) -> np.ndarray:
    """Pictures uint8 [N, H, W, C] in rows of ``columns``, as one picture uint8 [H', W', C].

    ``gap`` pixels of the value ``fill`` lie between them, and fill the end of the last row.
    """
    count, height, width, channels = pictures.shape
    down, across = height + gap, width + gap
    rows = -(-count // columns)
    cells = np.full((rows * columns, down, across, channels), fill, np.uint8)
    cells[:count, :height, :width] = pictures
    cells = cells.reshape(rows, columns, down, across, channels).swapaxes(1, 2)
    tiles = cells.reshape(rows * down, columns * across, channels)
    return tiles[: rows * down - gap, : columns * across - gap]
