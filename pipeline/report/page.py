"""The pages' one set-up: templates, style, how figures are written in them, and pictures."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from PIL import Image

from deploy.bundle.sheet import tiled
from pipeline.arrays import Images
from pipeline.report.quantities import number

_HERE = Path(__file__).parent

GAP = 2
"""Pixels between the pictures of a grid; transparent."""

AMPLIFICATION = 8

_DARKER = (30, 110, 220)
_BRIGHTER = (225, 95, 20)
_NEUTRAL = (128, 128, 128)
_NEUTRAL_ALPHA = 26


def render_page(template: Path, **values: Any) -> str:
    """The page that ``template`` makes of ``values``; the same values give the same text.

    It refers to nothing outside itself. Templates beside it and those of this folder can be
    imported; a name that is missing among the values is an error.
    """
    environment = Environment(
        loader=FileSystemLoader([template.parent, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    style = Markup((_HERE / "page.css").read_text(encoding="utf-8"))
    return environment.get_template(template.name).render(style=style, **values)


def data_uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def sample_grid(images: Images, columns: int = 8) -> str:
    """The pictures in rows of ``columns``, as a PNG data URI; the browser enlarges it."""
    opaque = np.full((*images.shape[:3], 1), 255, np.uint8)
    tiles = tiled(np.concatenate([images, opaque], axis=3), columns, GAP)
    return _png(Image.fromarray(tiles, "LA" if tiles.shape[2] == 2 else "RGBA"))


def difference_grid(images: Images, baseline: Images, columns: int = 8) -> str:
    """``images`` minus ``baseline`` times eight, as a PNG data URI: blue darker, orange brighter.

    Of a colour picture the channel that changed most is shown. No change is nearly transparent, so
    that the map reads on light and on dark; from ±16 levels on the colour is full.
    """
    change = images.astype(np.int16) - baseline.astype(np.int16)
    most = np.abs(change).argmax(axis=3)[..., None]
    amplified = np.take_along_axis(change, most, axis=3) * AMPLIFICATION
    # Index 0 is the gap between pictures, 128 no change.
    index = (amplified.clip(-127, 127) + 128).astype(np.uint8)
    picture = Image.fromarray(tiled(index, columns, GAP)[..., 0], "P")
    colours, alphas = _diverging()
    picture.putpalette(colours)
    return _png(picture, transparency=alphas)


def _diverging() -> tuple[bytes, bytes]:
    """Palette and alphas for indices 0 (gap) and 1…255 (full blue … nothing … full orange)."""
    colours, alphas = [_NEUTRAL], [0]
    for level in range(-127, 128):
        colours.append(_NEUTRAL if level == 0 else _BRIGHTER if level > 0 else _DARKER)
        alphas.append(max(_NEUTRAL_ALPHA, 2 * abs(level)))
    return bytes(value for colour in colours for value in colour), bytes(alphas)


def _png(picture: Image.Image, **options: bytes) -> str:
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=True, **options)
    return data_uri(written.getvalue(), "png")
