"""Pictures in rows: the contact sheet of what a generator draws, on one PNG."""

import io
import warnings
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from deploy.errors import PocketganError, plain

COLUMNS = 8
MOST_ROWS = 32
GAP = 2
MARGIN = 8
SMALLEST_TILE = 56
"""Pixels; smaller pictures are enlarged by a whole factor."""
PAPER, INK = (255, 255, 255), (32, 32, 32)
_LONGEST_NAME = 24
_BOMBS = (Image.DecompressionBombWarning, Image.DecompressionBombError)


def rows(classes: int) -> int:
    """Rows of a sheet: one a class, as far as there is room, or as many as columns."""
    return min(classes, MOST_ROWS) or COLUMNS


def before_and_after(inputs: np.ndarray, outputs: np.ndarray) -> np.ndarray:
    """Rows of inputs uint8 [N, h, w, c], each above the row of its outputs [N, H, W, C].

    In the larger size and number of channels of the two, rows of COLUMNS filled up with white:
    uint8 [M, H', W', C'].
    """
    height, width, channels = np.maximum(inputs.shape[1:], outputs.shape[1:])
    rows = []
    for pictures in (inputs, outputs):
        across = np.arange(width) * pictures.shape[2] // width
        down = np.arange(height) * pictures.shape[1] // height
        enlarged = pictures[:, down[:, np.newaxis], across]
        filled = np.full((-(-len(pictures) // COLUMNS) * COLUMNS, height, width, channels), 255)
        filled[: len(pictures)] = enlarged
        rows.append(filled.astype(np.uint8).reshape(-1, COLUMNS, height, width, channels))
    return np.stack(rows, axis=1).reshape(-1, height, width, channels)


def stacked(pictures: np.ndarray) -> bytes:
    """A PNG of pictures uint8 [N, H, W, C], grey or colour, one below the other."""
    column = pictures.reshape(-1, *pictures.shape[2:])
    return _png(Image.fromarray(column[..., 0] if column.shape[2] == 1 else column))


def unstacked(content: bytes, name: str, shape: tuple[int, int, int, int]) -> np.ndarray:
    """What ``stacked`` wrote, of that shape; PocketganError, which calls it ``name``, otherwise."""
    count, height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    try:
        with (
            warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning),
            Image.open(io.BytesIO(content), formats=("PNG",)) as image,
        ):
            if (image.mode, image.size) != (mode, (width, count * height)):
                raise ValueError("another size")  # before it is unpacked
            return np.asarray(image).reshape(shape)
    # Whatever a damaged picture makes the reader stumble over.
    except (OSError, SyntaxError, ValueError, *_BOMBS) as error:
        raise PocketganError(
            f"{name} is no PNG of {count} pictures of {width}×{height}, one below the other"
        ) from error


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
    return _png(sheet)


def _png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG", optimize=True)
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
