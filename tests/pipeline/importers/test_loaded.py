"""Generators of others as their own library runs them."""

import contextlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.importers.loaded import LoadedGenerator, difference
from pipeline.importers.teacher import load_teacher

K2 = tf_keras.layers
Refused = Callable[..., str]


def as_in_training(path: Path, layer: Any) -> Path:
    """A generator of Keras 2 that calls a layer as in training, also when it predicts."""
    port = tf_keras.Input((6,))
    x = layer(K2.Dense(16)(port), training=True)
    model = tf_keras.Model(port, K2.Reshape((4, 4, 1))(K2.Activation("tanh")(x)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        model.save(path)
    return path


LAYERS: dict[str, tuple[Callable[[], Any], str]] = {
    "batch norm": (lambda: K2.BatchNormalization(name="stays"), "in its batch"),
    "dropout": (lambda: K2.Dropout(0.5, name="stays"), "another picture from the same input"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_that_stays_in_training_is_refused_and_the_remedy_works(
    name: str, tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, problem = LAYERS[name]
    path = as_in_training(tmp_path / "old.h5", build())
    message = refused(load_teacher, path)
    assert problem in message
    assert "layer 'stays' is called with training=True" in message
    remedy = message.split("without that flag: ")[1].replace("FILE", repr(str(path)))
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        exec(remedy, {})
    assert not load_teacher(tmp_path / "generator.h5").is_opaque


def test_saved_model_that_looks_at_its_whole_batch_is_refused(
    saved_module: Callable[..., Path], refused: Refused
) -> None:
    path = saved_module(
        lambda z: tf.tanh(tf.reshape(z - tf.reduce_mean(z, 0, keepdims=True), [-1, 8, 8, 1]))
    )
    assert "other inputs are in its batch" in refused(load_teacher, path)


@pytest.mark.parametrize(("batch", "count"), [(None, 4), (3, 3)])
def test_saved_model_that_draws_several_pictures_of_one_input_is_refused(
    batch: int | None, count: int, saved_module: Callable[..., Path], refused: Refused
) -> None:
    path = saved_module(lambda z: tf.tanh(tf.reshape(z, [-1, 4, 8, 1])), batch)
    assert f"draws {2 * count} pictures of {count} inputs" in refused(load_teacher, path)


@pytest.mark.parametrize("shape", [None, [], [16, 16, 3], [None, None, 3]])
def test_input_without_a_batch_is_refused(
    shape: list[int | None] | None, tmp_path: Path, refused: Refused
) -> None:
    module = tf.Module()
    spec = tf.TensorSpec(shape, tf.float32, name="x")
    module.draw = tf.function(tf.tanh, input_signature=[spec])
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.draw)
    assert "has no batch" in refused(load_teacher, tmp_path / "module")


@pytest.mark.parametrize("number", [tf.float16, tf.bfloat16, tf.float64])
def test_saved_model_computes_in_the_type_of_its_inputs(number: tf.DType, tmp_path: Path) -> None:
    module = tf.Module()
    kernel = module.kernel = tf.Variable(tf.random.stateless_normal([6, 64], [1, 2], dtype=number))
    spec = tf.TensorSpec([None, 6], number, name="z")
    module.draw = tf.function(
        lambda z: tf.reshape(tf.tanh(z @ kernel), [-1, 8, 8, 1]), input_signature=[spec]
    )
    tf.saved_model.save(module, str(tmp_path / "module"), signatures=module.draw)
    teacher = load_teacher(tmp_path / "module")
    latents = teacher.random_inputs(3)
    drawn = teacher.model(latents).numpy()
    wanted = module.draw(tf.cast(latents, number)).numpy().astype(np.float32)
    np.testing.assert_allclose(drawn, wanted, atol=1e-2)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_inputs_and_outputs_in_dictionaries_are_read_by_name(library: Any, tmp_path: Path) -> None:
    layers = library.layers
    z, label = library.Input((6,), name="z"), library.Input((3,), name="label")
    picture = layers.Reshape((4, 4, 1))(layers.Dense(16, "tanh")(layers.Concatenate()([label, z])))
    model = library.Model({"z": z, "label": label}, {"image": picture})
    model.save(tmp_path / "model.keras")
    teacher = load_teacher(tmp_path / "model.keras")
    assert (teacher.latent, teacher.classes, teacher.is_opaque) == (6, 3, False)
    inputs = teacher.random_inputs(3)
    wanted = model({"z": inputs[:, :6], "label": inputs[:, 6:]})["image"]
    np.testing.assert_allclose(teacher.model(inputs), np.asarray(wanted), atol=1e-5)


class Painter:
    """Latents and a class → pictures [N, 4, 4, 1], as code."""

    library: Any

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        layers = self.library.layers
        self.dense, self.embed = layers.Dense(16), layers.Embedding(3, 16)
        self.fold, self.end = layers.Reshape((4, 4, 1)), layers.Activation("tanh")

    def paint(self, z: Any, label: Any) -> Any:
        return self.fold(self.end(self.dense(z) + self.embed(label)))


def painter(library: Any, call: Callable[..., Any]) -> Any:
    kind = type("Painter", (Painter, library.Model), {"library": library, "call": call})
    return library.saving.register_keras_serializable("studio")(kind)()


Z, LABEL = np.zeros((2, 6), np.float32), np.zeros(2, np.int32)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_code_that_reads_a_dictionary_is_read_by_its_names(library: Any, tmp_path: Path) -> None:
    def call(self: Any, inputs: Any) -> Any:
        return self.paint(inputs["z"], inputs["label"])

    model = painter(library, call)
    model({"z": Z, "label": LABEL})
    model.save(tmp_path / "model.keras")
    teacher = load_teacher(tmp_path / "model.keras", classes=3)
    assert (teacher.latent, teacher.classes) == (6, 3)


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_code_that_is_called_with_two_arguments_is_told_how_to_be_saved(
    library: Any, tmp_path: Path, refused: Refused
) -> None:
    def call(self: Any, z: Any, label: Any) -> Any:
        return self.paint(z, label)

    model = painter(library, call)
    model(Z, LABEL)
    model.save(tmp_path / "model.keras")
    assert "keras.Model([z, label], model(z, label))" in refused(
        load_teacher, tmp_path / "model.keras", classes=3
    )
    z, label = library.Input((6,)), library.Input((1,))
    flat = library.layers.Flatten()(label)
    library.Model([z, label], model(z, flat[:, 0])).save(tmp_path / "again.keras")


# ---------------------------------------------------------------------- rebuilt

INPUTS = [tf.constant(np.linspace(-1, 1, 48, dtype=np.float32).reshape(1, 4, 4, 3))]


def generator(steepness: float, precision: str = "float32") -> LoadedGenerator:
    return LoadedGenerator(
        origin="a test",
        inputs=(),
        compute=lambda x: [tf.tanh(steepness * (x - INPUTS[0][0, 3, 0, 0]))],
        weights=(),
        layers=(),
        precision=precision,
    )


@pytest.mark.parametrize(
    ("steepness", "precision", "apart", "is_rounding"),
    [
        (1.0, "float32", 1e-5, True),
        (1.0, "float32", 5e-5, False),
        (400.0, "float32", 5e-5, True),
        (400.0, "float32", 1e-3, False),
        (1.0, "float16", 1e-3, True),
    ],
)
def test_difference_is_what_the_last_bits_of_its_inputs_do_not_explain(
    steepness: float, precision: str, apart: float, is_rounding: bool
) -> None:
    loaded = generator(steepness, precision)
    pictures = loaded.compute(*INPUTS)[0].numpy()
    pictures[0, 2, 1, 1] -= apart
    result = difference(loaded, INPUTS, pictures)
    assert (result is None) == is_rounding
    if result is not None:
        assert result == pytest.approx(apart, rel=0.01)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_pictures_that_are_no_numbers_are_infinitely_far(number: float) -> None:
    pictures = np.full([1, 4, 4, 3], number, np.float32)
    assert difference(generator(1.0), INPUTS, pictures) == np.inf


def test_pictures_of_another_size_are_infinitely_far() -> None:
    assert difference(generator(1.0), INPUTS, np.zeros([1, 4, 4, 1], np.float32)) == np.inf
