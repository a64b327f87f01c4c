"""The arrays of pictures that every room passes on."""

import numpy as np
import numpy.typing as npt

Images = npt.NDArray[np.uint8]
"""Pictures [N, H, W, C], or one [H, W, C]; 0 to 255, C 1 or 3."""
Labels = npt.NDArray[np.int64]
"""Class numbers [N], from 0."""
