"""The peers of a student: how stock pruning shares its zeros among layers."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from tools.experiments import ablation

SIZES = {"first": (8, 64), "second": (64, 16)}


@pytest.fixture
def teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, np.ndarray]:
    """A run whose teacher has two Dense layers, the second with few weights that count."""
    model = tf_keras.Sequential([tf_keras.Input([8])])
    random = np.random.default_rng(1)
    kernels = {name: random.normal(size=size) for name, size in SIZES.items()}
    kernels["second"][8:] *= 1e-3
    for name, kernel in kernels.items():
        model.add(tf_keras.layers.Dense(kernel.shape[1], use_bias=False, name=name))
        model.get_layer(name).set_weights([kernel])
    loaded = type("Teacher", (), {"folded": model})
    monkeypatch.setattr(ablation, "load_teacher", lambda run: loaded)
    return {name: kernel.astype(np.float32) for name, kernel in kernels.items()}


def pruned_bytes(kernel: np.ndarray, share: float) -> int:
    cut = np.sort(np.abs(kernel), axis=None)[round(share * kernel.size)]
    pruned = np.where(np.abs(kernel) < cut, 0, kernel)
    levels = np.rint(pruned / np.abs(kernel).max() * 127).astype(np.int8)
    return len(gzip.compress(levels.tobytes(), 9))


@pytest.mark.parametrize("scores", ablation.SCORES.values())
def test_zeros_are_as_few_as_the_limit_allows(
    scores: ablation.WeightRanking, teacher: dict[str, np.ndarray], tmp_path: Path
) -> None:
    shares = ablation.shares_for(tmp_path, 180, scores)
    taken = sum(pruned_bytes(kernel, shares[name]) for name, kernel in teacher.items())
    assert taken == pytest.approx(180, abs=6)


def test_stock_pruning_takes_as_much_from_every_layer(
    teacher: dict[str, np.ndarray], tmp_path: Path
) -> None:
    shares = ablation.shares_for(tmp_path, 180, ablation.by_rank)
    assert shares["first"] == pytest.approx(shares["second"], abs=0.01)


def test_lamp_takes_more_from_a_layer_whose_weights_count_less(
    teacher: dict[str, np.ndarray], tmp_path: Path
) -> None:
    shares = ablation.shares_for(tmp_path, 180, ablation.by_lamp)
    assert shares["second"] > shares["first"] + 0.02


def test_lamp_of_the_largest_weight_is_1_and_scores_rise() -> None:
    scores = ablation.by_lamp(np.array([[3.0, -1.0], [0.0, 2.0]]))
    np.testing.assert_allclose(scores, [0, 1 / 14, 4 / 13, 1])
