"""What tests do with an open page."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

Open = Callable[..., Any]
"""Opens a page of that path."""


def levels(page: Any, selector: str) -> list[int]:
    """Red of every pixel of a canvas."""
    script = """canvas => [...canvas.getContext('2d')
        .getImageData(0, 0, canvas.width, canvas.height).data].filter((_, i) => i % 4 === 0)"""
    found: list[int] = page.locator(selector).first.evaluate(script)
    return found


def slide(page: Any, name: str, value: float) -> None:
    page.get_by_role("slider", name=name).fill(str(value))


def png(photo: np.ndarray) -> bytes:
    packed = io.BytesIO()
    Image.fromarray(photo).save(packed, "PNG")
    return packed.getvalue()


def file_of(photo: np.ndarray) -> dict[str, Any]:
    return {"name": "photo.png", "mimeType": "image/png", "buffer": png(photo)}
