"""Generators that draw colour with alpha."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.importers import alpha
from pipeline.importers.alpha import OnWhite
from pipeline.importers.missing import MissingFactsError
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import load_teacher

L = keras.layers
PIXELS = (-1.0, 1.0)
WIDTH, LATENT = 4, 4


def test_colour_is_laid_on_white_as_its_alpha_says() -> None:
    pixels = np.float32([[-1, 0, 1, 1], [-1, 0, 1, -1], [-1, 0, 1, 0]])
    drawn = OnWhite(*PIXELS)(pixels[None, None]).numpy()[0, 0]
    np.testing.assert_allclose(drawn, [[-1, 0, 1], [1, 1, 1], [0, 0.5, 1]])


def of_layers(folder: Path) -> Path:
    model = keras.Sequential(
        [keras.Input((LATENT,)), L.Dense(WIDTH**3, "tanh"), L.Reshape((WIDTH, WIDTH, WIDTH))]
    )
    model.save(folder / "rgba.keras")
    return folder / "rgba.keras"


def of_code(folder: Path) -> Path:
    kernel = tf.random.stateless_normal([LATENT, WIDTH**3], [1, 2])
    module = tf.Module()
    module.draw = tf.function(
        lambda z: tf.reshape(tf.tanh(z @ kernel), [-1, WIDTH, WIDTH, WIDTH]),
        input_signature=[tf.TensorSpec([None, LATENT], name="z")],
    )
    tf.saved_model.save(module, str(folder / "module"), signatures=module.draw)
    return folder / "module"


def of_tflite(folder: Path) -> Path:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(of_code(folder)))
    (folder / "rgba.tflite").write_bytes(converter.convert())
    return folder / "rgba.tflite"


@pytest.mark.parametrize("write", [of_layers, of_code, of_tflite])
def test_alpha_is_asked_for_and_stored_of_every_kind_of_teacher(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path)
    settings: dict[str, Any] = {} if write is of_layers else {"pixels": PIXELS}
    with pytest.raises(MissingFactsError) as missing:
        load_teacher(path, **settings)
    assert missing.value.missing == (alpha.ON_WHITE,)
    teacher = load_teacher(path, on_white=True, **settings)
    assert alpha.NOTE in teacher.notes
    save_teacher(teacher, tmp_path / "stored")
    inputs = teacher.random_inputs(3)
    pictures = teacher.model(inputs, training=False).numpy()
    assert pictures.shape == (3, WIDTH, WIDTH, 3)
    again = read_saved_teacher(tmp_path / "stored").model(inputs, training=False).numpy()
    np.testing.assert_array_equal(again, pictures)
