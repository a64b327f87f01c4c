"""Fréchet distance between two sets of features (Heusel et al. 2017, "GANs Trained by a Two
Time-Scale Update Rule", equation 6), each set summed up as a Gaussian."""

import numpy as np
import numpy.typing as npt
import scipy.linalg

from pipeline.metrics.features import Features, paired_features


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """Squared Fréchet distance between Gaussians fitted to features ``a`` [N, D] and ``b`` [M, D].

    At least 0; 0 for equal sets. Fewer samples than dimensions are fine. The estimate is biased
    upwards by small N, so compare only figures of equal N.

    Raises PocketganError for fewer than 2 samples, non-finite features or unequal widths.
    """
    first, second = paired_features(a, b, at_least=2)
    return frechet_from_moments(*_moments(first), *_moments(second))


def frechet_from_moments(
    mean_a: Features, cov_a: Features, mean_b: Features, cov_b: Features
) -> float:
    """|m_a - m_b|² + tr(C_a + C_b - 2 (C_a C_b)^½) for means [D] and covariances [D, D].

    The covariances are symmetric and positive semi-definite; either may be singular.
    """
    # The eigenvalues of C_a C_b are the squared singular values of C_a^½ C_b^½, so the trace of
    # the root is a sum of singular values: real and stable where sqrtm of a product is neither.
    cross = scipy.linalg.svdvals(_root(cov_a) @ _root(cov_b)).sum()
    shift = mean_a - mean_b
    distance = shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross
    return max(0.0, float(distance))


def _moments(features: Features) -> tuple[Features, Features]:
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def _root(covariance: Features) -> Features:
    """The symmetric square root; rounding leaves tiny negative eigenvalues, which count as 0."""
    values, vectors = scipy.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
