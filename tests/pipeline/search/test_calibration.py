from pathlib import Path

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from deploy.harness import MeasuringPlan
from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.student import DOUBLINGS
from pipeline.search import calibration
from pipeline.search.calibration import calibration_models, calibration_of, with_random_weights


@pytest.fixture
def small_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two generators, a few runs of each, and a cache of one's own."""
    monkeypatch.setattr(calibration, "_STUDENTS", calibration._STUDENTS[:2])
    monkeypatch.setattr(calibration, "_RESIZED", ())
    monkeypatch.setattr(calibration, "PLAN", MeasuringPlan(rounds=1, runs=8, warmup=0))
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    return tmp_path / "latency"


def test_target_is_measured_once_and_again_where_the_cache_is_damaged(small_set: Path) -> None:
    first = calibration_of("local")
    (file,) = small_set.iterdir()
    assert first.latency.unit == "ms"
    assert first.latency.fit.generators == len(first.measured) == 2
    assert all(figure > 0 for figure in first.measured.values())
    assert {"cpu", "system"} <= set(first.subject["machine"])
    assert calibration_of("local") == first
    file.write_text("{}")
    assert calibration_of("local").measured.keys() == first.measured.keys()
    assert file.read_text() != "{}"


def test_unknown_target_is_refused(small_set: Path) -> None:
    with pytest.raises(PocketganError, match="no target is called 'nowhere'"):
        calibration_of("nowhere")
    assert not small_set.exists()


def test_set_has_every_layer_of_students_in_several_sizes() -> None:
    models = list(calibration_models())
    layers = [layer for _, model in models for layer in model.layers]
    for kind in ("Dense", "Conv2D", "DepthwiseConv2D", "Conv2DTranspose"):
        kernels = {tuple(one.weights[0].shape) for one in layers if type(one).__name__ == kind}
        assert len(kernels) >= 5
    for kind in ("Activation", "DepthToSpace", "LeakyReLU", "UpSampling2D", "Add"):
        assert len({one.output_shape for one in layers if type(one).__name__ == kind}) >= 2
    names = [name for name, _ in models]
    assert len(set(names)) == len(names)
    assert all(any(name.startswith(block) for name in names) for block in DOUBLINGS)


def test_random_weights_repeat_and_leave_no_bias_zero() -> None:
    layers = tf_keras.layers
    first, second = (
        with_random_weights(
            tf_keras.Sequential(
                [layers.Input([3]), layers.Dense(4), layers.BatchNormalization(), layers.ReLU()]
            )
        )
        for _ in range(2)
    )
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    _, bias = fold_batch_norm(first).get_weights()
    assert np.all(bias != 0)
