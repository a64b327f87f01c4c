"""How alike two batches of pictures are, pixel by pixel: meant for two variants on the same
latents, not for unrelated images."""

import math

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError
from pipeline.arrays import Images, Mask

# Wang et al. 2004 look through a Gaussian window of 11 x 11 pixels.
SSIM_WINDOW = 11
SSIM_BATCH = 256


def steps_histogram(a: Images, b: Images) -> npt.NDArray[np.int64]:
    """Count the pixel values that differ by 0, 1, … 255 steps; int64 [256].

    ``a`` and ``b`` are uint8 [N, H, W, C] of equal shape, else PocketganError.
    """
    _check(a, b)
    return np.bincount(np.abs(a.astype(np.int16) - b).ravel(), minlength=256).astype(np.int64)


def within_steps(a: Images, b: Images, steps: int) -> float:
    """The share, 0 to 1, of pixel values that differ by at most ``steps`` of 255."""
    counts = steps_histogram(a, b)
    return float(counts[: steps + 1].sum() / counts.sum())


def psnr(a: Images, b: Images, where: Mask | None = None) -> float | None:
    """Peak signal-to-noise ratio in decibels over all pixels of uint8 [N, H, W, C] batches.

    ``where``, bool [N, H, W], leaves only these. The squared error is averaged over the whole batch
    first, so one equal pair does not make the figure infinite. None where every pixel is equal: the
    ratio is infinite, which JSON cannot say.

    Raises PocketganError where the batches differ in shape, are empty or not uint8.
    """
    if where is not None:
        a, b = (pictures[where][:, np.newaxis, np.newaxis] for pictures in (a, b))
    counts = steps_histogram(a, b)
    error = float(counts @ np.arange(256) ** 2 / counts.sum())
    return 10 * math.log10(255**2 / error) if error else None


def ssim(a: Images, b: Images) -> float:
    """Mean structural similarity (Wang et al. 2004), -1 to 1, of uint8 [N, H, W, C] batches.

    Window and constants are the paper's: Gaussian 11 x 11, σ 1.5, K1 0.01, K2 0.03.

    Raises PocketganError where the batches differ in shape, are empty or not uint8, or where the
    images are smaller than the window.
    """
    import tensorflow as tf  # here: records of figures are read without it

    _check(a, b)
    if min(a.shape[1:3]) < SSIM_WINDOW:
        raise PocketganError(
            f"SSIM needs images of at least {SSIM_WINDOW}x{SSIM_WINDOW} pixels; "
            f"these are {a.shape[1]}x{a.shape[2]}.",
            "Leave SSIM out for images this small.",
        )
    batches = [slice(start, start + SSIM_BATCH) for start in range(0, len(a), SSIM_BATCH)]
    each = [
        tf.image.ssim(tf.constant(a[rows]), tf.constant(b[rows]), 255, SSIM_WINDOW).numpy()
        for rows in batches
    ]
    return float(np.concatenate(each).mean(dtype=np.float64))


def colourfulness(pictures: Images) -> float:
    """Mean colourfulness of uint8 [N, H, W, 3] (Hasler & Süsstrunk 2003, section 6); grey is 0."""
    red, green, blue = np.moveaxis(pictures.astype(np.float32), -1, 0)
    against_green, against_blue = red - green, (red + green) / 2 - blue
    axes = (1, 2)
    spread = np.hypot(against_green.std(axes), against_blue.std(axes))
    mean = np.hypot(against_green.mean(axes), against_blue.mean(axes))
    return float((spread + 0.3 * mean).mean(dtype=np.float64))


def _check(a: Images, b: Images) -> None:
    pixels = a.dtype == b.dtype == np.uint8
    if not pixels or a.ndim != 4 or a.shape != b.shape or not a.size:
        raise PocketganError(
            "fidelity compares two equal, filled uint8 batches [N, H, W, C]; "
            f"these are {a.dtype} {list(a.shape)} and {b.dtype} {list(b.shape)}.",
            "Generate both batches from the same latents, as uint8.",
        )
