from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.layer_report import check
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher
from pipeline.tflite.convert import to_float32, to_int8_post_training
from pipeline.tflite.runtime import draw

Refused = Callable[..., str]


@pytest.fixture(scope="module")
def painter() -> tf_keras.Model:
    """Pictures [N, 8, 8, 3] in 0..1 → grey pictures [N, 16, 16, 1] in −1..1."""
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(5)
    port = layers.Input([8, 8, 3])
    x = layers.Conv2DTranspose(4, 3, 2, padding="same", activation="relu")(port)
    return tf_keras.Model(port, layers.Conv2D(1, 3, padding="same", activation="tanh")(x))


def inputs_of(model: tf_keras.Model, count: int = 5) -> np.ndarray:
    shape = (count, *model.input_shape[1:])
    return np.random.default_rng(1).uniform(size=shape).astype("f")


def written(content: bytes, folder: Path) -> Path:
    (folder / "theirs.bin").write_bytes(content)  # the name says nothing
    return folder / "theirs.bin"


def opened(path: Path, **settings: Any) -> Teacher:
    return load_teacher(path, input_pixels=(0, 1), **settings)


def test_float_file_draws_as_the_model_it_was_made_of(
    painter: tf_keras.Model, tmp_path: Path
) -> None:
    teacher = opened(written(to_float32(painter), tmp_path))
    assert teacher.is_opaque
    assert teacher.pixels == (-1, 1)
    assert "TANH" in {layer.type for layer in teacher.layers}
    inputs = inputs_of(painter)
    np.testing.assert_allclose(teacher.model(inputs), painter(inputs), rtol=0, atol=1e-5)


def test_rounded_file_draws_as_the_runtime_does(painter: tf_keras.Model, tmp_path: Path) -> None:
    inputs = inputs_of(painter)
    path = written(to_int8_post_training(painter, inputs), tmp_path)
    teacher = opened(path)
    assert teacher.pixels == (-1, 1)
    np.testing.assert_array_equal(teacher.model(inputs), draw(path, inputs))


def test_latents_are_read_too(keras_2: tf_keras.Model, tmp_path: Path) -> None:
    path = written(to_float32(tf_keras.Sequential([keras_2]), 3), tmp_path)
    teacher = load_teacher(path)
    assert (teacher.latent, teacher.input_pixels) == (6, None)
    latents = np.random.default_rng(1).normal(size=(5, 6)).astype("f")
    drawn = keras_2(latents, training=False)
    np.testing.assert_allclose(teacher.model(latents), drawn, rtol=0, atol=1e-5)


def converted(function: Callable[[Any], Any], shape: list[int | None], dtype: Any) -> bytes:
    module = tf.Module()
    concrete = tf.function(function, [tf.TensorSpec(shape, dtype)]).get_concrete_function()
    content: bytes = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    return content


def test_free_sizes_are_fixed(tmp_path: Path, refused: Refused) -> None:
    path = written(converted(tf.tanh, [1, None, None, 3], tf.float32), tmp_path)
    assert "--input-size 256x256" in refused(opened, path)
    teacher = opened(path, input_size=(4, 6))
    inputs = np.random.default_rng(1).uniform(size=(3, 4, 6, 3)).astype("f")
    np.testing.assert_allclose(teacher.model(inputs), np.tanh(inputs), rtol=0, atol=1e-5)


def test_bytes_that_go_in_and_come_out_are_their_numbers(tmp_path: Path) -> None:
    path = written(converted(lambda x: tf.reverse(x, [1]), [1, 4, 4, 3], tf.uint8), tmp_path)
    teacher = load_teacher(path, input_pixels=(0, 255), pixels=(0, 255))
    inputs = np.random.default_rng(1).integers(0, 256, size=(3, 4, 4, 3)).astype("f")
    np.testing.assert_array_equal(teacher.model(inputs), inputs[:, ::-1])


def test_channels_first_become_last(tmp_path: Path) -> None:
    path = written(converted(tf.tanh, [1, 3, 8, 8], tf.float32), tmp_path)
    teacher = opened(path)
    inputs = np.random.default_rng(1).uniform(size=(3, 8, 8, 3)).astype("f")
    np.testing.assert_allclose(teacher.model(inputs), np.tanh(inputs), rtol=0, atol=1e-5)


def test_teacher_is_saved_with_its_file(painter: tf_keras.Model, tmp_path: Path) -> None:
    teacher = opened(written(to_float32(painter), tmp_path))
    save_teacher(teacher, tmp_path / "saved")
    again = read_saved_teacher(tmp_path / "saved")
    inputs = inputs_of(painter)
    np.testing.assert_array_equal(teacher.model(inputs), again.model(inputs))


def test_check_says_what_cannot_be_had(painter: tf_keras.Model, tmp_path: Path) -> None:
    result = check(opened(written(to_float32(painter), tmp_path)), "theirs.bin")
    assert "edge students only, because the generator is opaque" in result.verdict
    assert all("drawn by tflite" in file.error for file in result.files)
    with pytest.raises(PocketganError, match="drawn by tflite"):
        _ = opened(tmp_path / "theirs.bin").folded


def test_damaged_files_are_one_message(
    painter: tf_keras.Model, tmp_path: Path, refused: Refused
) -> None:
    content = to_float32(painter)
    for length in (8, 100, len(content) // 2):
        assert str(tmp_path) in refused(opened, written(content[:length], tmp_path))
