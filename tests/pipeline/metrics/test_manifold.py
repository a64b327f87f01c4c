from dataclasses import astuple

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from deploy.errors import PocketganError
from pipeline.metrics import manifold
from pipeline.metrics.manifold import Manifold, compare_manifolds


def samples(seed: int, count: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, size=(count, 6))


def brute_force(real: np.ndarray, generated: np.ndarray, neighbours: int) -> Manifold:
    """The definitions word by word, on a library's nearest neighbours."""

    def radii(points: np.ndarray) -> np.ndarray:
        # Without an argument, kneighbors leaves a point out of its own neighbours.
        search = NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(points)
        return np.asarray(search.kneighbors()[0][:, -1])

    distance = np.linalg.norm(real[:, None] - generated[None], axis=-1)
    in_real = distance <= radii(real)[:, None]
    in_generated = distance <= radii(generated)[None]
    return Manifold(
        precision=in_real.any(axis=0).mean(),
        recall=in_generated.any(axis=1).mean(),
        density=in_real.sum() / neighbours / len(generated),
        coverage=in_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize("neighbours", [1, 3, 5])
def test_manifolds_equal_brute_force_over_a_library_search(neighbours: int) -> None:
    real, generated = samples(1, 120), samples(2, 90, shift=0.7)
    expected = brute_force(real, generated, neighbours)
    assert 0 < expected.recall != expected.precision < 1
    assert astuple(compare_manifolds(real, generated, neighbours)) == pytest.approx(
        astuple(expected)
    )


def test_manifolds_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    real, generated = samples(1, 60), samples(2, 50, shift=0.7)
    whole = compare_manifolds(real, generated)
    monkeypatch.setattr(manifold, "BLOCK", 7 * 60)
    assert compare_manifolds(real, generated) == whole


def test_manifolds_of_a_set_and_its_copy_cover_each_other_fully() -> None:
    real = samples(1, 50)
    # Every ball holds the copies of its centre and of its 5 neighbours.
    assert compare_manifolds(real, real.copy(), 5) == Manifold(1, 1, 6 / 5, 1)


def test_manifolds_ignore_the_order_of_samples() -> None:
    rng = np.random.default_rng(3)
    real, generated = samples(1, 60), samples(2, 50, shift=0.7)
    shuffled = compare_manifolds(rng.permutation(real), rng.permutation(generated))
    assert shuffled == compare_manifolds(real, generated)


def test_manifolds_far_apart_share_nothing() -> None:
    assert compare_manifolds(samples(1, 50), samples(2, 50, shift=100)) == Manifold(0, 0, 0, 0)


def test_manifolds_of_a_constant_generator_have_precision_but_no_recall() -> None:
    real = samples(1, 50)
    centre = np.tile(real.mean(axis=0), (40, 1))
    result = compare_manifolds(real, centre)
    assert result.precision == 1
    assert result.recall == 0
    assert result.coverage < 0.8


def test_manifolds_of_a_generator_that_knows_one_of_two_clusters_are_half_covered() -> None:
    real = np.concatenate([samples(1, 50), samples(2, 50, shift=100)])
    result = compare_manifolds(real, real[:50].copy())
    assert (result.precision, result.recall, result.coverage) == (1, 0.5, 0.5)


def test_manifolds_need_more_samples_than_neighbours() -> None:
    with pytest.raises(PocketganError, match="at least 6"):
        compare_manifolds(samples(1, 50), samples(2, 5), neighbours=5)
