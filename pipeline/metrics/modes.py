"""Which classes a generator draws, and how evenly, by the judge's labels."""

import numpy as np
import numpy.typing as npt
from scipy.special import rel_entr

from deploy.errors import PocketganError

Histogram = npt.NDArray[np.int64]

# A class counts as drawn from a tenth of its share among real images on. Below that, the judge's
# own mistakes (a few in a hundred, spread over the classes) could pass for a class.
PRESENT = 0.1


def class_histogram(labels: npt.ArrayLike, classes: int) -> Histogram:
    """How often each of ``classes`` class numbers occurs in ``labels`` [N]; int64 [classes].

    Raises PocketganError where a label is not one of 0 … classes - 1.
    """
    labels = np.asarray(labels, np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise PocketganError(
            f"labels run from {labels.min()} to {labels.max()}; expected 0 to {classes - 1}.",
            "Use the judge that was trained on these classes.",
        )
    return np.bincount(labels, minlength=classes).astype(np.int64)


def class_divergence(generated: npt.ArrayLike, real: npt.ArrayLike) -> float:
    """KL(generated ‖ real) of two class histograms [K], in nats.

    0 where the shares agree; log K for a single class against an even histogram; infinite where a
    class is generated that has no real image. Raises PocketganError for an empty histogram.
    """
    return float(rel_entr(_shares(generated), _shares(real)).sum())


def classes_present(generated: npt.ArrayLike, real: npt.ArrayLike) -> int:
    """The number of real classes that reach a tenth of their real share among generated images.

    Both are class histograms [K]. Raises PocketganError for an empty histogram.
    """
    generated, real = _shares(generated), _shares(real)
    return int(np.count_nonzero((real > 0) & (generated >= PRESENT * real)))


def _shares(histogram: npt.ArrayLike) -> npt.NDArray[np.float64]:
    counts = np.asarray(histogram, np.float64)
    if not counts.sum():
        raise PocketganError("a class histogram counts no image.", "Evaluate with some images.")
    return np.asarray(counts / counts.sum())
