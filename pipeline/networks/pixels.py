"""From the numbers that a generator draws to 8-bit pixels, and back."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # a command that only reads a recipe starts without TensorFlow
    import tf_keras

PixelRange = tuple[float, float]

TRANSLATED: PixelRange = (-1.0, 1.0)
"""Black and white in what translators that are trained here read and draw."""
ACTIVATION_RANGES: dict[str, PixelRange] = {
    "tanh": (-1.0, 1.0),
    "sigmoid": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
}


def pixel_range(generator: "tf_keras.Model") -> PixelRange:
    """Smallest and largest value that the generator's last activation gives: of tanh or sigmoid."""
    functions = [layer.activation for layer in generator.layers if hasattr(layer, "activation")]
    last = functions[-1].__name__ if functions else "no activation"
    if last not in ACTIVATION_RANGES:
        raise ValueError(f"{generator.name} ends with {last}, not with tanh or sigmoid")
    return ACTIVATION_RANGES[last]


def to_uint8(pictures: np.ndarray, pixels: PixelRange) -> np.ndarray:
    """Pictures in the generator's range → uint8, black 0 and white 255."""
    low, high = pixels
    return np.clip(np.rint((pictures - low) * (255 / (high - low))), 0, 255).astype(np.uint8)
