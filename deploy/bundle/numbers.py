"""From real numbers to what a file takes, and from what it draws to pixels."""

import numpy as np

from deploy import agent
from deploy.bundle.schema import Pixels, TensorSpec


def encode(values: np.ndarray, tensor: TensorSpec) -> np.ndarray:
    """Real numbers as the tensor's type: round(v / scale) + zero_point, half to even, clipped."""
    quantization = (tensor.scale, tensor.zero_point)
    detail = {"name": tensor.name, "dtype": tensor.dtype, "quantization": quantization}
    with np.errstate(all="ignore"):  # a stranger's scale and latents may be anything
        return agent.encode(values, detail)


def to_pixels(outputs: np.ndarray, tensor: TensorSpec, pixels: Pixels) -> np.ndarray:
    """What the file draws, in its own type → uint8 of the same shape, black 0 and white 255."""
    values = outputs.astype(np.float64)
    if tensor.scale:
        values = (values - tensor.zero_point) * tensor.scale
    levels = np.rint((values - pixels.low) / (pixels.high - pixels.low) * 255)
    return np.clip(levels, 0, 255).astype(np.uint8)


def wire(array: np.ndarray) -> bytes:
    """The values in order, little-endian."""
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def unwire(content: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    """The opposite of ``wire``. Raises ValueError where there are more bytes or fewer."""
    return np.frombuffer(content, np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype)
