import statistics

import numpy as np
import pytest
from sklearn.metrics.pairwise import polynomial_kernel

from deploy.errors import PocketganError
from pipeline.metrics.kid import kernel_distance, squared_mmd


def samples(seed: int, shift: float = 0.0, count: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, size=(count, 8))


def mean_off_diagonal(kernel: np.ndarray) -> float:
    return float(kernel[~np.eye(len(kernel), dtype=bool)].mean())


def test_squared_mmd_equals_the_estimator_over_a_library_kernel() -> None:
    a, b = samples(1, count=30), samples(2, shift=0.5, count=41)
    expected = (
        mean_off_diagonal(polynomial_kernel(a, degree=3, coef0=1))
        + mean_off_diagonal(polynomial_kernel(b, degree=3, coef0=1))
        - 2 * polynomial_kernel(a, b, degree=3, coef0=1).mean()
    )
    assert squared_mmd(a, b) == pytest.approx(expected, rel=1e-12)


def test_kernel_distance_with_whole_sets_as_subsets_is_their_squared_mmd() -> None:
    a, b = samples(1), samples(2, shift=0.3)
    mean, std = kernel_distance(a, b, subsets=3, subset_size=200, seed=1)
    assert mean == pytest.approx(squared_mmd(a, b))
    assert std == pytest.approx(0, abs=1e-12)


def test_kernel_distance_gives_mean_and_sample_deviation_over_its_subsets() -> None:
    a, b = samples(1), samples(2, shift=0.3)
    rng = np.random.default_rng(1)

    def draw(features: np.ndarray) -> np.ndarray:
        return features[rng.choice(200, 50, replace=False)]

    expected = [squared_mmd(draw(a), draw(b)) for _ in range(3)]
    mean, std = kernel_distance(a, b, subsets=3, subset_size=50, seed=1)
    assert mean == pytest.approx(statistics.mean(expected))
    assert std == pytest.approx(statistics.stdev(expected))


def test_kernel_distance_of_equal_distributions_is_zero_on_average() -> None:
    # Independent sets, so that the estimates are too: their mean lies within 4 standard errors.
    estimates = [
        squared_mmd(samples(2 * i, count=50), samples(2 * i + 1, count=50)) for i in range(100)
    ]
    assert abs(np.mean(estimates)) < 4 * np.std(estimates) / 10


def test_kernel_distance_grows_with_the_shift_between_distributions() -> None:
    near = kernel_distance(samples(1), samples(2, shift=0.2), subsets=20, subset_size=100, seed=1)
    far = kernel_distance(samples(1), samples(2, shift=0.8), subsets=20, subset_size=100, seed=1)
    assert 0 < near.mean < far.mean


def test_kernel_distance_repeats_with_its_seed_and_changes_with_another() -> None:
    a, b = samples(1), samples(2, shift=0.3)
    first = kernel_distance(a, b, subsets=5, subset_size=50, seed=7)
    assert first == kernel_distance(a, b, subsets=5, subset_size=50, seed=7)
    assert first != kernel_distance(a, b, subsets=5, subset_size=50, seed=8)


def test_kernel_distance_ignores_the_order_of_samples_when_subsets_are_whole() -> None:
    a, b = samples(1), samples(2, shift=0.3)
    shuffled = np.random.default_rng(1).permutation(a)
    assert squared_mmd(shuffled, b) == pytest.approx(squared_mmd(a, b))


def test_kernel_distance_refuses_a_subset_larger_than_a_set() -> None:
    with pytest.raises(PocketganError, match="second feature set holds 20 samples"):
        kernel_distance(samples(1), samples(2, count=20), subsets=5, subset_size=50, seed=1)


@pytest.mark.parametrize(("subsets", "subset_size"), [(1, 50), (5, 1)])
def test_kernel_distance_refuses_what_has_no_spread(subsets: int, subset_size: int) -> None:
    with pytest.raises(PocketganError, match=f"{subsets} subsets of {subset_size}"):
        kernel_distance(samples(1), samples(2), subsets=subsets, subset_size=subset_size, seed=1)
