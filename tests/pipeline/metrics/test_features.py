import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.metrics.features import paired_features


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
