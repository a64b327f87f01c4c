"""Two real files to measure: a small dense network as float32 and as int8."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deploy.jobs import Job, describe_file

LATENT = 16
OUTPUTS = 64


@pytest.fixture(scope="session")
def float_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _convert(tmp_path_factory.mktemp("float") / "float32.tflite", int8=False)


@pytest.fixture(scope="session")
def int8_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _convert(tmp_path_factory.mktemp("int8") / "int8.tflite", int8=True)


def _convert(path: Path, *, int8: bool) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # TensorFlow's own
        import tensorflow as tf
        import tf_keras

        tf_keras.utils.set_random_seed(1)
        network = tf_keras.Sequential(
            [
                tf_keras.layers.Input((LATENT,), batch_size=1),
                tf_keras.layers.Dense(32, activation="relu"),
                tf_keras.layers.Dense(OUTPUTS, activation="tanh"),
            ]
        )
        converter = tf.lite.TFLiteConverter.from_keras_model(network)
        if int8:
            rows = np.random.default_rng(1).standard_normal((32, 1, LATENT)).astype(np.float32)
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = lambda: ([row] for row in rows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        path.write_bytes(converter.convert())
    return path


@pytest.fixture
def job_for() -> Callable[..., Job]:
    """Make a short job for a file; keyword arguments replace its fields."""

    def make(path: Path, /, **changes: object) -> Job:
        fields: dict[str, object] = {
            "target": "local",
            "variant": path.stem,
            **describe_file(path),
            "threads": 1,
            "delegate": "xnnpack",
            "warmup": 8,
            "runs": 16,
        }
        return Job.model_validate(fields | changes)

    return make


@pytest.fixture
def latents_file(tmp_path: Path) -> Path:
    path = tmp_path / "latents.npy"
    np.save(path, np.random.default_rng(2).standard_normal((3, LATENT)).astype(np.float32))
    return path
