"""The arrays of pictures that every room passes on, and what is grey in them."""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Tensor = Any
"""One of TensorFlow's, which ships no types."""
Images = npt.NDArray[np.uint8]
"""Pictures [N, H, W, C], or one [H, W, C]; 0 to 255, C 1 or 3."""
Mask = npt.NDArray[np.bool_]
"""True where pixels [N, H, W] are meant."""
Labels = npt.NDArray[np.int64]
"""Class numbers [N], from 0."""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in grey (ITU-R BT.601)."""


def luma(images: Images) -> Images:
    """Colour pictures uint8 [..., 3] as grey ones uint8 [..., 1], rounded as Pillow rounds."""
    shares = np.rint(np.array(LUMA) * 2**16).astype(np.uint32)
    sums = (images.astype(np.uint32) @ shares + 2**15) >> 16
    grey: Images = sums.astype(np.uint8)[..., np.newaxis]
    return grey


def visible_channels(channels: int) -> int:
    """How many of the channels of a picture, and of what is behind it, can be shown: 3, or 1."""
    return len(LUMA) if channels >= len(LUMA) else 1


class TrainAndTestImages(Protocol):
    """Pictures to learn from and others to be tested by; pipeline.data's Dataset is one."""

    @property
    def name(self) -> str: ...
    @property
    def train(self) -> Images: ...
    @property
    def test(self) -> Images: ...
    @property
    def train_labels(self) -> Labels | None: ...
    @property
    def test_labels(self) -> Labels | None: ...
    @property
    def classes(self) -> tuple[str, ...]: ...
