"""What an ONNX model reads and gives, as we see it: channels last."""

from collections.abc import Sequence

import numpy as np

from pipeline.importers.loaded import CHANNELS
from pipeline.importers.onnx_files.layout import MAP_RANK

FileShape = tuple[int | None, ...]
"""None where a size is free."""
TO_LAST, TO_FIRST = (0, 2, 3, 1), (0, 3, 1, 2)


def channels_first(shape: Sequence[int | None]) -> bool:
    """Whether a tensor of that shape, the batch included, holds maps with their channels first.

    Operations of ONNX do; but TensorFlow's models keep their channels last at both ends.
    """
    if len(shape) != MAP_RANK:
        return False
    _, first, second, last = shape
    if (second, last) == (1, 1) or (second == last and first != second):
        return True
    if (first, second) == (1, 1):
        return False
    return last not in CHANNELS or first in CHANNELS


def with_channels_last(shape: FileShape) -> FileShape:
    """The same shape as tf_keras has it."""
    return tuple(shape[axis] for axis in TO_LAST) if channels_first(shape) else shape


def to_onnx(array: np.ndarray, shape: FileShape) -> np.ndarray:
    """An array with its channels last, as the tensor of that shape in the file wants it."""
    return array.transpose(TO_FIRST) if channels_first(shape) else array


def from_onnx(array: np.ndarray) -> np.ndarray:
    """What the file gives, with its channels last."""
    return array.transpose(TO_LAST) if channels_first(array.shape) else array
