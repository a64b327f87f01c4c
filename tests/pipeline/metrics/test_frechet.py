import numpy as np
import pytest
import scipy.linalg

from deploy.errors import PocketganError
from pipeline.metrics.frechet import frechet_distance, frechet_from_moments


def random_covariance(rng: np.random.Generator, size: int) -> np.ndarray:
    factor = rng.normal(size=(size, size))
    return factor @ factor.T


def test_frechet_of_sampled_gaussians_comes_near_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    mean, spread = np.array([1.0, -2.0, 0.5, 0.0]), np.array([1.0, 3.0, 0.5, 2.0])
    a = rng.normal(size=(100_000, 4))
    b = mean + spread * rng.normal(size=(100_000, 4))
    # Diagonal covariances commute, so the trace term is the sum of (σ_a - σ_b)².
    expected = mean @ mean + np.sum((1 - spread) ** 2)
    # Standard errors: of the mean term 2|m|√(10/N) = 0.05, of the rest 2·2·3/√(2N) = 0.03.
    assert frechet_distance(a, b) == pytest.approx(expected, abs=0.2)


def test_frechet_from_moments_equals_sqrtm_for_covariances_that_do_not_commute() -> None:
    rng = np.random.default_rng(2)
    cov_a, cov_b = random_covariance(rng, 12), random_covariance(rng, 12)
    assert not np.allclose(cov_a @ cov_b, cov_b @ cov_a)
    mean_a, mean_b = rng.normal(size=(2, 12))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    expected = np.sum((mean_a - mean_b) ** 2) + np.trace(cov_a + cov_b - 2 * root)
    assert frechet_from_moments(mean_a, cov_a, mean_b, cov_b) == pytest.approx(expected, rel=1e-9)


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
