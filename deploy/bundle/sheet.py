"""The contact sheet: what a generator draws, on one PNG."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deploy.printable import plain

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
    height, width = (side + GAP for side in enlarged.shape[1:3])
    font = ImageFont.load_default(14)
    shown = [_short(name) for name in names]
    left = MARGIN + max((round(font.getlength(name)) + MARGIN for name in shown), default=0)
    across, down = COLUMNS * width - GAP, len(pictures) // COLUMNS * height - GAP
    sheet = Image.new("RGB", (left + across + MARGIN, down + 2 * MARGIN), PAPER)
    for place, picture in enumerate(enlarged):
        row, column = divmod(place, COLUMNS)
        tile = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        sheet.paste(tile, (left + column * width, MARGIN + row * height))
    pen = ImageDraw.Draw(sheet)
    for row, name in enumerate(shown):
        middle = MARGIN + row * height + (height - GAP) // 2
        pen.text((left - MARGIN, middle), name, INK, font, anchor="rm")
    written = io.BytesIO()
    sheet.save(written, "PNG", optimize=True)
    return written.getvalue()


def _short(name: str) -> str:
    name = plain(name)
    return name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}…"
