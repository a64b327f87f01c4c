"""Each family learns something in seconds, and what it learnt goes into an all-int8 file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.data import digits
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.count import refuse_float
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw
from pipeline.training.randomness import Prior, Purpose, latents

FAMILIES: dict[str, dict[str, Any]] = {
    "dcgan": {"network": "dcgan"},
    "dcgan against the loss of variety": {
        "network": "dcgan",
        "feature_matching": 1.0,
        "minibatch_deviation": True,
    },
    "r3gan": {"network": "r3gan", "loss": "relativistic", "r1": 1.0, "r2": 1.0, "r1_every": 2},
    "biggan": {"network": "biggan", "loss": "hinge", "spectral_norm": True},
    "progressive": {"network": "progressive", "growth": 0.6},
    "stylegan": {
        "network": "stylegan",
        "loss": "relativistic",
        "r1": 1.0,
        "r2": 1.0,
        "r1_every": 1,
    },
}
STEPS = 200


@pytest.fixture(scope="module")
def zeros() -> np.ndarray:
    """Real digits 0, every third pixel: uint8 [400, 8, 8, 1]."""
    data = digits.load(0.2, seed=1)
    assert data.train_labels is not None
    return data.train[data.train_labels == 0][:, 2:26:3, 2:26:3]


def apart(pictures: np.ndarray, real: np.ndarray) -> float:
    """Between their mean pictures, in levels of grey."""
    return float(np.abs(pictures.mean(axis=0) - real.mean(axis=0)).mean())


@pytest.mark.parametrize("family", FAMILIES)
def test_pictures_of_a_family_come_nearer_to_real_ones_and_fit_into_int8(
    family: str, make_trainer: Any, zeros: np.ndarray, tmp_path: Path
) -> None:
    settings = {"steps": STEPS, "batch": 16, "check_every": STEPS, "ema": 0.8}
    trainer = make_trainer(real_pictures=zeros, **settings, **FAMILIES[family])
    before = apart(trainer.fixed_pictures(), zeros)
    history = trainer.train(tmp_path / "checkpoint.npz", "test")
    trainer.recalibrate(8)
    assert all(row.finite for row in history.rows)
    assert apart(trainer.fixed_pictures(), zeros) < 0.75 * before
    assert_int8_draws_alike(trainer.objective.generator)


def assert_int8_draws_alike(generator: tf_keras.Model) -> None:
    inputs = latents(1, Purpose.CONTROL, count=64, prior=Prior(generator.input_shape[1]))
    aware = quantization_aware(fold_batch_norm(generator), inputs)
    round_biases(aware)
    content = to_int8_trained(aware)
    refuse_float(read_model(content), "int8")
    steps = np.abs(draw(content, inputs) - aware(inputs, training=False).numpy()) * 128
    assert np.mean(steps < 2.5) > 0.99
    float_pictures = generator(inputs, training=False).numpy()
    assert np.abs(draw(content, inputs) - float_pictures).mean() < 0.1
