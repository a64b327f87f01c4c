"""How two sets of features cover each other, by balls around nearest neighbours.

Precision and recall: Kynkäänniemi et al. 2019, "Improved Precision and Recall Metric for Assessing
Generative Models", equations 1 and 2. Density and coverage: Naeem et al. 2020, "Reliable Fidelity
and Diversity Metrics for Generative Models", equations 3 and 4.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.metrics.distances import Features, paired_features

# Distances held at once: 4 Mi float64 are 32 MiB, whatever the sizes of the sets.
BLOCK = 4 * 1024 * 1024
ROUNDING = 1e-9  # share below which two distances, or a distance and none, are the same


@dataclass(frozen=True)
class Manifold:
    """Shares from 0 to 1, except density, which may exceed 1.

    ``precision``: of generated samples, inside the ball of a real one.
    ``recall``: of real samples, inside the ball of a generated one.
    ``density``: real balls that hold a generated sample, on average, divided by the neighbours.
    ``coverage``: of real samples, with a generated one inside their ball.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def compare_manifolds(
    real: npt.ArrayLike, generated: npt.ArrayLike, neighbours: int = 5
) -> Manifold:
    """Compare features ``real`` [N, D] and ``generated`` [M, D].

    The ball of a sample reaches to its ``neighbours``-th nearest other sample of its own set and
    holds its surface, so a sample is inside the ball of its copy even where the radius is 0.
    Memory is bounded; time is that of N² + M² + NM distances.

    Raises PocketganError where a set holds no more than ``neighbours`` samples, for non-finite
    features or unequal widths.
    """
    real, generated = paired_features(real, generated, at_least=neighbours + 1)
    real_radii = _radii(real, neighbours)
    generated_radii = _radii(generated, neighbours)
    precise = held = 0
    recalled = np.zeros(len(real), bool)
    covered = np.zeros(len(real), bool)
    for rows, distances in _blocks(generated, real):
        in_real_ball = distances <= real_radii
        precise += int(np.count_nonzero(in_real_ball.any(axis=1)))
        held += int(np.count_nonzero(in_real_ball))
        covered |= in_real_ball.any(axis=0)
        recalled |= (distances <= generated_radii[rows, np.newaxis]).any(axis=0)
    return Manifold(
        precision=precise / len(generated),
        recall=float(recalled.mean()),
        density=held / (neighbours * len(generated)),
        coverage=float(covered.mean()),
    )


def _radii(features: Features, neighbours: int) -> Features:
    """Squared distance from every sample to its k-th nearest other one, so that it is inside.

    Place 0 is the sample itself.
    """
    nearest = [
        np.partition(distances, neighbours, axis=1)[:, neighbours]
        for _, distances in _blocks(features, features)
    ]
    return np.concatenate(nearest) * (1 + ROUNDING)


def _blocks(x: Features, y: Features) -> Iterator[tuple[slice, Features]]:
    """The squared distances from ``x`` to ``y``, a few rows at a time; those of copies are 0.

    By a product of matrices: differences take 8 times as long for a published judge's features.
    """
    height = max(1, BLOCK // len(y))
    lengths = (y**2).sum(axis=1)
    for start in range(0, len(x), height):
        rows = slice(start, start + height)
        scale = (x[rows] ** 2).sum(axis=1, keepdims=True) + lengths
        distances = scale - 2 * x[rows] @ y.T
        distances[distances < ROUNDING * scale] = 0
        yield rows, distances
