"""What an ONNX model reads and gives, as we see it: channels last."""

from collections.abc import Sequence

import numpy as np

from pipeline import channel_order
from pipeline.channel_order import TO_FIRST, TO_LAST

FileShape = tuple[int | None, ...]
"""None where a size is free."""


def channels_first(shape: Sequence[int | None]) -> bool:
    """Whether a tensor of that shape, the batch included, holds maps with their channels first.

    Operations of ONNX do; but TensorFlow's models keep their channels last at both ends.
    """
    return channel_order.channels_first(shape, unless_clear=True)


def with_channels_last(shape: FileShape) -> FileShape:
    """The same shape as tf_keras has it."""
    return tuple(shape[axis] for axis in TO_LAST) if channels_first(shape) else shape


def to_onnx(array: np.ndarray, shape: FileShape) -> np.ndarray:
    """An array with its channels last, as the tensor of that shape in the file wants it."""
    return array.transpose(TO_FIRST) if channels_first(shape) else array


def from_onnx(array: np.ndarray) -> np.ndarray:
    """What the file gives, with its channels last."""
    return array.transpose(TO_LAST) if channels_first(array.shape) else array
