import statistics

import numpy as np
import pytest
import scipy.linalg
from sklearn.metrics.pairwise import polynomial_kernel

from deploy.errors import PocketganError
from pipeline.metrics.distances import (
    frechet_distance,
    kernel_distance,
    paired_features,
    sliced_wasserstein,
    squared_mmd,
)


def samples(seed: int, shift: float = 0.0, count: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, size=(count, 8))


def mean_off_diagonal(kernel: np.ndarray) -> float:
    return float(kernel[~np.eye(len(kernel), dtype=bool)].mean())


def test_features_become_float64_and_keep_their_values() -> None:
    a, b = paired_features(np.ones((3, 2), np.float32), [[1, 2]], at_least=1)
    assert a.dtype == b.dtype == np.float64
    assert b.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused_and_the_set_is_named(bad: float) -> None:
    good, broken = np.zeros((3, 2)), np.zeros((3, 2))
    broken[1, 1] = bad
    with pytest.raises(PocketganError, match="second feature set holds NaN"):
        paired_features(good, broken, at_least=2)


def test_features_fewer_than_the_metric_needs_are_refused() -> None:
    with pytest.raises(PocketganError, match="first feature set holds 1 samples"):
        paired_features(np.zeros((1, 2)), np.zeros((3, 2)), at_least=2)


def test_features_of_two_widths_are_refused() -> None:
    with pytest.raises(PocketganError, match="2 and 3"):
        paired_features(np.zeros((3, 2)), np.zeros((3, 3)), at_least=2)


def test_features_that_are_no_matrix_are_refused() -> None:
    with pytest.raises(PocketganError, match=r"shape \(3,\)"):
        paired_features(np.zeros(3), np.zeros(3), at_least=2)


def test_frechet_of_sampled_gaussians_comes_near_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    mean, spread = np.array([1.0, -2.0, 0.5, 0.0]), np.array([1.0, 3.0, 0.5, 2.0])
    a = rng.normal(size=(100_000, 4))
    b = mean + spread * rng.normal(size=(100_000, 4))
    # Diagonal covariances commute, so the trace term is the sum of (σ_a - σ_b)².
    expected = mean @ mean + np.sum((1 - spread) ** 2)
    # Standard errors: of the mean term 2|m|√(10/N) = 0.05, of the rest 2·2·3/√(2N) = 0.03.
    assert frechet_distance(a, b) == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("count", [200, 12])
def test_frechet_equals_sqrtm_for_covariances_that_do_not_commute(count: int) -> None:
    rng = np.random.default_rng(2)
    a, b = (rng.normal(size=(count, 12)) @ rng.normal(size=(12, 12)) for _ in range(2))
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    assert not np.allclose(cov_a @ cov_b, cov_b @ cov_a)
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    shift = a.mean(axis=0) - b.mean(axis=0)
    expected = shift @ shift + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6 if count == 12 else 1e-9)


def test_frechet_of_fewer_samples_than_dimensions_equals_that_in_the_space_they_span() -> None:
    rng = np.random.default_rng(6)
    a, b = rng.normal(size=(9, 6)), rng.normal(1, 2, size=(14, 6))
    turned, _ = np.linalg.qr(rng.normal(size=(300, 6)))
    wide_a, wide_b = a @ turned.T, b @ turned.T
    assert frechet_distance(wide_a, wide_b) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_frechet_of_a_set_and_itself_is_zero_even_with_fewer_samples_than_dimensions() -> None:
    features = np.random.default_rng(3).normal(size=(5, 64))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)


def test_frechet_ignores_the_order_of_samples() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(40, 6)), rng.normal(1, 2, size=(50, 6))
    assert frechet_distance(rng.permutation(a), b) == pytest.approx(frechet_distance(a, b))


def test_frechet_is_symmetric() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=(40, 6)), rng.normal(1, 2, size=(50, 6))
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_frechet_between_two_constant_sets_is_the_squared_distance_of_the_points() -> None:
    a, b = np.zeros((10, 3)), np.tile([1.0, 2.0, 2.0], (4, 1))
    assert frechet_distance(a, b) == pytest.approx(9)


def test_frechet_works_on_a_single_feature() -> None:
    a, b = np.array([[-1.0], [1.0]]), np.array([[-2.0], [2.0]])
    # Standard deviations √2 and 2√2, equal means.
    assert frechet_distance(a, b) == pytest.approx(2)


def test_frechet_needs_two_samples() -> None:
    with pytest.raises(PocketganError, match="at least 2"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


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


def test_sliced_distance_of_equal_sets_is_0_whatever_their_order() -> None:
    a = samples(1)
    assert sliced_wasserstein(a, a) == 0
    assert sliced_wasserstein(a, np.random.default_rng(0).permutation(a)) == pytest.approx(0)
    assert sliced_wasserstein(a, np.concatenate([a, a, a])) == pytest.approx(0)


def test_sliced_distance_of_a_shift_and_of_a_scale_is_known() -> None:
    a, shift = samples(1), np.arange(8) / 4
    assert sliced_wasserstein(a, a + shift) == pytest.approx(shift @ shift)
    assert sliced_wasserstein(a, 3 * a) == pytest.approx(4 * (a**2).sum(axis=1).mean())


def test_sliced_distance_of_sampled_gaussians_comes_near_the_closed_form() -> None:
    rng, shift = np.random.default_rng(1), np.array([1.0, -2.0, 0.5, 0.0])
    a, b = rng.normal(size=(20_000, 4)), shift + 2 * rng.normal(size=(30_000, 4))
    # Along every direction two Gaussians on a line: the shift's part squared, and (σ_a - σ_b)².
    assert sliced_wasserstein(a, b) == pytest.approx(shift @ shift + 4 * (2 - 1) ** 2, rel=0.02)


def test_sliced_distance_on_a_line_moves_mass_in_order() -> None:
    a, b = np.array([[0.0], [1.0], [5.0]]), np.array([[2.0], [2.0]])
    assert sliced_wasserstein(a, b) == pytest.approx((4 + 1 + 9) / 3)
    # A third of the mass at 0, 1 and 5 to a half at 2 and at 4: in sixths, in order.
    c = np.array([[4.0], [2.0]])
    assert sliced_wasserstein(a, c) == pytest.approx((2 * 4 + 1 * 1 + 1 * 9 + 2 * 1) / 6)
    assert sliced_wasserstein(c, a) == sliced_wasserstein(a, c)


def test_sliced_distance_is_that_of_its_directions() -> None:
    a, b = samples(1, count=300), samples(2, 0.3, count=200)
    assert sliced_wasserstein(a, b) == sliced_wasserstein(a, b)
    assert sliced_wasserstein(a, b) == pytest.approx(sliced_wasserstein(a, b, seed=1), rel=0.05)
    assert sliced_wasserstein(a, b) != sliced_wasserstein(a, b, seed=1)


def test_sliced_distance_settles_with_fewer_samples_than_frechets() -> None:
    """Of equal distributions both should be 0; what few samples leave is what they cannot tell."""
    wide = [np.random.default_rng(seed).normal(size=(500, 64)) for seed in (1, 2)]
    assert sliced_wasserstein(*wide) < frechet_distance(*wide) / 5


def test_sliced_distance_sees_what_gaussians_hide() -> None:
    """Mean and covariance of two lumps and of a bell agree; their shapes do not."""
    rng = np.random.default_rng(1)
    bell, lumps = rng.normal(size=(4000, 2)), rng.choice([-1.0, 1.0], size=(4000, 2))
    assert frechet_distance(bell, lumps) < 0.01
    assert sliced_wasserstein(bell, lumps) > 0.1


def test_sliced_distance_refuses_what_is_no_set_of_features() -> None:
    with pytest.raises(PocketganError, match="first feature set holds 0 samples"):
        sliced_wasserstein(np.zeros((0, 2)), np.zeros((3, 2)))
