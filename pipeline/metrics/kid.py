"""Kernel distance, "KID" (Bińkowski et al. 2018, "Demystifying MMD GANs", section 4)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError
from pipeline.metrics.features import Features, paired_features


class KernelDistance(NamedTuple):
    """Mean and sample standard deviation of the squared MMD over the subsets."""

    mean: float
    std: float


def kernel_distance(
    a: npt.ArrayLike, b: npt.ArrayLike, *, subsets: int, subset_size: int, seed: int
) -> KernelDistance:
    """Squared MMD between features ``a`` [N, D] and ``b`` [M, D], averaged over random subsets.

    Each of the ``subsets`` draws takes ``subset_size`` vectors of either set without replacement.
    The estimate is unbiased, so for equal distributions it scatters around 0 and may be negative.
    Subsets overlap: ``std`` tells how far one subset strays, not the standard error of the mean.

    Raises PocketganError for fewer than 2 subsets, a subset of fewer than 2 vectors or larger than
    a set, non-finite features or unequal widths.
    """
    if subsets < 2 or subset_size < 2:
        raise PocketganError(
            f"kernel distance was asked for with {subsets} subsets of {subset_size} samples.",
            "Use at least 2 subsets of at least 2 samples.",
        )
    first, second = paired_features(a, b, at_least=subset_size)
    rng = np.random.default_rng(seed)

    def draw(features: Features) -> Features:
        return features[rng.choice(len(features), subset_size, replace=False)]

    distances = [squared_mmd(draw(first), draw(second)) for _ in range(subsets)]
    return KernelDistance(float(np.mean(distances)), float(np.std(distances, ddof=1)))


def squared_mmd(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Unbiased squared MMD between features [N, D] and [M, D], kernel (x·y / D + 1)³.

    The estimator is equation 3 of Gretton et al. 2012. Raises PocketganError as
    ``kernel_distance`` does.
    """
    first, second = paired_features(a, b, at_least=2)
    cross = _kernel(first, second).mean()
    return float(_mean_between_others(first) + _mean_between_others(second) - 2 * cross)


def _kernel(x: Features, y: Features) -> Features:
    return np.asarray((x @ y.T / x.shape[1] + 1) ** 3)


def _mean_between_others(features: Features) -> float:
    """Mean kernel over pairs of different samples: leaving out the diagonal removes the bias."""
    kernel = _kernel(features, features)
    count = len(features)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
