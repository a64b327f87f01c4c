"""Distances between two sets of features: Fréchet, kernel and sliced Wasserstein distance.

Fréchet: Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule", equation 6. Kernel
("KID"): Bińkowski et al. 2018, "Demystifying MMD GANs", section 4. Sliced Wasserstein: Rabin et al.
2011, "Wasserstein Barycenter and Its Application to Texture Mixing"; Bonneel et al. 2015, "Sliced
and Radon Wasserstein Barycenters of Measures". It is here since it fits no covariances: with 5,000
samples of a generator it ranks as Fréchet does with 50,000 (Berthet et al. 2026, "MIND: Monge
Inception Distance", arXiv 2605.06797).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.linalg

from deploy.errors import PocketganError

Features = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

DIRECTIONS = 1000  # at least; whole orthonormal bases are taken
AT_ONCE = 128  # directions: 12,000 samples along them are 12 MB


def paired_features(a: npt.ArrayLike, b: npt.ArrayLike, at_least: int) -> tuple[Features, Features]:
    """Both sets as float64 [N, D] and [M, D], or a PocketganError.

    Raises PocketganError where a set is not a matrix, holds fewer than ``at_least`` vectors or a
    NaN or infinity, or where the two widths D differ.
    """
    first, second = _features(a, "first", at_least), _features(b, "second", at_least)
    if first.shape[1] != second.shape[1]:
        raise PocketganError(
            f"the two feature sets differ in width: {first.shape[1]} and {second.shape[1]}.",
            "Take both sets from the same judge.",
        )
    return first, second


def _features(values: npt.ArrayLike, which: str, at_least: int) -> Features:
    features = np.asarray(values, np.float64)
    if features.ndim != 2:
        raise PocketganError(
            f"the {which} feature set has shape {features.shape}, not [N, D].",
            "Pass one feature vector a row.",
        )
    if len(features) < at_least:
        raise PocketganError(
            f"the {which} feature set holds {len(features)} samples; "
            f"this metric needs at least {at_least}.",
            "Evaluate with more images.",
        )
    if not np.isfinite(features).all():
        raise PocketganError(
            f"the {which} feature set holds NaN or infinite values.",
            "Look for NaN in the images or in the judge's weights.",
        )
    return features


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Squared Fréchet distance between Gaussians fitted to features ``a`` [N, D] and ``b`` [M, D].

    |m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^½) for means m and covariances C. At least 0; 0 for
    equal sets. Fewer samples than dimensions are fine. The estimate is biased upwards by small N,
    so compare only figures of equal N.

    Raises PocketganError for fewer than 2 samples, non-finite features or unequal widths.
    """
    first, second = paired_features(a, b, at_least=2)
    root_a, root_b = _root(first), _root(second)
    # The eigenvalues of C_a C_b are the squared singular values of R_a R_bᵀ, so the trace of the
    # root is a sum of singular values: real and stable where sqrtm of a product is neither.
    cross = scipy.linalg.svdvals(root_a @ root_b.T).sum()
    shift = first.mean(axis=0) - second.mean(axis=0)
    distance = shift @ shift + (root_a**2).sum() + (root_b**2).sum() - 2 * cross
    return max(0.0, float(distance))


def _root(features: Features) -> Features:
    """R with RᵀR the covariance of features [N, D], which is never formed: [min(N, D), D]."""
    centred = (features - features.mean(axis=0)) / np.sqrt(len(features) - 1)
    return np.asarray(np.linalg.qr(centred, mode="r"))


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


def sliced_wasserstein(a: npt.ArrayLike, b: npt.ArrayLike, *, seed: int = 0) -> float:
    """Squared 2-Wasserstein distance along random directions, of features [N, D] and [M, D].

    The mean over the directions, times D: of two sets that differ by a shift alone it is the
    shift's squared length, as Fréchet's distance is. At least 0; 0 for equal sets. ``seed`` draws
    orthonormal bases, which hold every shift in full (Rowland et al. 2019, "Orthogonal Estimation
    of Wasserstein Distances").

    Raises PocketganError for an empty set, non-finite features or unequal widths.
    """
    first, second = paired_features(a, b, at_least=1)
    width = first.shape[1]
    rng = np.random.default_rng(seed)
    bases = [
        np.linalg.qr(rng.normal(size=(width, width)))[0] for _ in range(-(-DIRECTIONS // width))
    ]
    rows, other_rows, mass = _transport(len(first), len(second))
    total = 0.0
    for directions in (some for basis in bases for some in _columns(basis)):
        # A direction a row: NumPy sorts what lies side by side several times as fast.
        ours, theirs = (np.sort(directions.T @ features.T) for features in (first, second))
        total += (np.square(ours[:, rows] - theirs[:, other_rows]) @ mass).sum()
    return float(total / len(bases))


def _columns(basis: Features) -> Iterator[Features]:
    return (basis[:, start : start + AT_ONCE] for start in range(0, len(basis), AT_ONCE))


def _transport(count: int, other: int) -> tuple[Counts, Counts, Features]:
    """The optimal transport between two sorted sets on a line: from place, to place, how much.

    Both have mass 1 in equal parts, and it goes over in order: see Peyré & Cuturi 2019,
    "Computational Optimal Transport", remark 2.28.
    """
    # In parts of 1 / (count · other), of which each sample of the one holds ``other``.
    cuts = np.union1d(np.arange(count + 1) * other, np.arange(other + 1) * count)
    starts = cuts[:-1]
    return starts // other, starts // count, np.diff(cuts) / (count * other)
