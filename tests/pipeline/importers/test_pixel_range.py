"""Ranges of pictures where the channels have one each."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.missing import StatedFacts
from pipeline.importers.model_input import ModelInput
from pipeline.importers.pixel_range import range_of_bytes
from pipeline.importers.teacher import load_teacher

L, K2 = keras.layers, tf_keras.layers
Refused = Callable[..., str]


def ending(k3: Callable[..., Path], *head: keras.layers.Layer) -> Path:
    return k3((4,), L.Dense(48, "tanh"), L.Reshape((4, 4, 3)), *head)


def test_channels_that_are_rescaled_alike_have_one_range(k3: Callable[..., Path]) -> None:
    path = ending(k3, L.Rescaling([127.5] * 3, [127.5] * 3), L.Rescaling(0.5))
    assert load_teacher(path).pixels == (0.0, 127.5)


def test_range_of_channels_that_differ_is_asked_for(
    k3: Callable[..., Path], refused: Refused
) -> None:
    path = ending(k3, L.Rescaling([127.5, 120.0, 110.0], [127.5, 120.0, 110.0]))
    assert "Give --pixels 0 255" in refused(load_teacher, path)
    assert load_teacher(path, pixels=(0, 255)).pixels == (0, 255)


@pytest.mark.parametrize(
    ("scale", "offset", "likely"),
    [(150, 127.5, "0 255"), (1.2, 0.1, "-1 1"), (0.58, 0.5, "0 1"), (0.3, 0.5, "0.2 0.8")],
)
def test_range_that_is_wider_than_a_pictures_is_asked_for_with_the_usual_one_within(
    scale: float, offset: float, likely: str, k3: Callable[..., Path], refused: Refused
) -> None:
    path = ending(k3, L.Rescaling(scale, offset))
    message = refused(load_teacher, path)
    assert "it ends with what gives" in message
    assert f"--pixels {likely}" in message


def test_pictures_that_are_drawn_are_likely_in_the_range_of_those_that_are_read(
    k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((4, 4, 3), L.Rescaling(1 / 255), L.Conv2D(3, 3, padding="same"), L.Rescaling(255))
    assert "--pixels 0 255" in refused(load_teacher, path)


def test_generator_of_rounded_pictures_is_opaque_and_draws_bytes(k3: Callable[..., Path]) -> None:
    path = ending(k3, L.Rescaling(127.5, 127.5), L.Activation("linear", dtype="uint8"))
    teacher = load_teacher(path)
    assert teacher.is_opaque
    assert teacher.pixels == (0, 255)
    pictures = teacher.model(teacher.random_inputs(3)).numpy()
    assert pictures.dtype == np.float32
    assert 0 <= pictures.min() < 100 < pictures.max() <= 255


def test_hard_sigmoid_tells_black_and_white(tmp_path: Path) -> None:
    layers = [K2.Dense(48, "hard_sigmoid"), K2.Reshape((4, 4, 3))]
    tf_keras.Sequential([K2.Input((4,)), *layers]).save(tmp_path / "model.keras")
    assert load_teacher(tmp_path / "model.keras").pixels == (0, 1)


@pytest.mark.parametrize(("scale", "is_bytes"), [([1 / 255, 1 / 127.5], True), ([1, 0.01], False)])
def test_pictures_that_are_rescaled_by_channel_are_bytes_where_all_are(
    scale: list[float], is_bytes: bool, k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((4, 4, 2), L.Rescaling(scale), L.Conv2D(3, 3, padding="same", activation="tanh"))
    if is_bytes:
        assert load_teacher(path).input_pixels == (0, 255)
    else:
        assert "--input-pixels" in refused(load_teacher, path)


BYTES = [ModelInput(name="photo", shape=(8, 8, 3), dtype="uint8")]


def test_pictures_read_as_uint8_are_bytes() -> None:
    assert range_of_bytes(Path("g.onnx"), BYTES, StatedFacts()) == (0, 255)
    floats = [ModelInput(name="photo", shape=(8, 8, 3), dtype="float32")]
    assert range_of_bytes(Path("g.onnx"), floats, StatedFacts()) is None


def test_range_that_uint8_cannot_hold_is_refused() -> None:
    stated = StatedFacts(input_pixels=(-1.0, 1.0))
    with pytest.raises(PocketganError, match="reads 'photo' as uint8") as error:
        range_of_bytes(Path("g.onnx"), BYTES, stated)
    assert "--input-pixels 0 255" in error.value.remedy


def test_range_is_not_told_by_a_mask_but_by_the_picture(tmp_path: Path, refused: Refused) -> None:
    image = keras.Input((8, 8, 3), name="image")
    as_bytes = keras.Input((8, 8, 1), name="mask", dtype="uint8")
    rescaled = keras.Input((8, 8, 1), name="mask")
    for mask, marks in (
        (as_bytes, keras.ops.cast(as_bytes, "float32")),
        (rescaled, L.Rescaling(1 / 255)(rescaled)),
    ):
        both = L.Concatenate()([image, marks])
        path = tmp_path / "filler.keras"
        drawn = L.Conv2D(3, 3, padding="same", activation="tanh")(both)
        keras.Model([image, mask], drawn).save(path)
        assert "--input-pixels -1 1" in refused(load_teacher, path)
        assert load_teacher(path, input_pixels=(-1, 1)).input_pixels == (-1, 1)


def test_range_is_told_by_a_model_within_the_model(tmp_path: Path) -> None:
    first = keras.Sequential([keras.Input((8, 8, 3)), L.Rescaling(1 / 127.5, -1.0)])
    port = keras.Input((8, 8, 3))
    drawn = L.Conv2D(3, 3, padding="same", activation="tanh")(first(port))
    keras.Model(port, drawn).save(tmp_path / "nested.keras")
    assert load_teacher(tmp_path / "nested.keras").input_pixels == (0, 255)


def test_pictures_drawn_as_uint8_are_bytes(tmp_path: Path) -> None:
    """As people export what they show at once; a teacher only has to draw."""
    layers = K2
    port = tf_keras.Input((8, 8, 3))
    pixels = layers.Conv2D(3, 3, padding="same", activation="sigmoid")(port) * 255.0
    model = tf_keras.Model(port, tf.cast(tf.round(pixels), tf.uint8))
    model.save(tmp_path / "bytes")
    teacher = load_teacher(tmp_path / "bytes", input_pixels=(-1, 1))
    assert (teacher.is_opaque, teacher.pixels) == (True, (0.0, 255.0))
    pictures = teacher.random_inputs(3)
    np.testing.assert_array_equal(teacher.model(pictures), model(pictures))


def test_range_of_odd_ends_is_proposed_for_both_sides(
    k3: Callable[..., Path], refused: Refused
) -> None:
    path = k3((8, 8, 3), L.Conv2D(3, 1, activation="tanh"), L.Rescaling(0.58, 0.5))
    assert "--input-pixels 0 1 --pixels 0 1" in refused(load_teacher, path)
