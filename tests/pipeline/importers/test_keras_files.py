"""Damage anywhere in a file becomes one message, whatever the libraries raise."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.formats import Format
from pipeline.importers.keras_files import COPY_AGAIN, KerasFile, load_custom, open_file
from pipeline.importers.teacher import load_teacher

STEP, DAMAGE = 11, b"\xff" * 6
"""Every so many bytes of a small file are overwritten, and with what."""


def weights() -> bytes:
    """An HDF5 file of two layers' kernels that says what to do with them."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {}})
        for layer in ("dense", "conv"):
            file[f"layers/{layer}/vars/0"] = [1.0, 2.0]
    return content.getvalue()


def damaged() -> Iterator[bytes]:
    sound = weights()
    for start in range(0, len(sound), STEP):
        yield sound[:start] + DAMAGE + sound[start + len(DAMAGE) :]


def archive(content: bytes) -> bytes:
    """The .keras file around an HDF5 file."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as parts:
        parts.writestr("metadata.json", json.dumps({"keras_version": "2.15.0"}))
        parts.writestr("config.json", json.dumps({"class_name": "Sequential", "config": {}}))
        parts.writestr("model.weights.h5", content)
    return whole.getvalue()


@pytest.mark.parametrize("file_format", [Format.HDF5, Format.KERAS])
def test_any_damage_of_the_weights_is_one_message(tmp_path: Path, file_format: Format) -> None:
    path, messages = tmp_path / "g", []
    for content in damaged():
        path.write_bytes(content if file_format is Format.HDF5 else archive(content))
        try:
            open_file(path, file_format)
        except PocketganError as error:
            messages.append(error.problem)
    assert any("OverflowError" in message or "RuntimeError" in message for message in messages)
    assert not any("SystemError" in message for message in messages)
    assert all(str(path) in message for message in messages)


def test_numbers_that_cannot_be_read_are_damage_not_a_layer_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: object, **__: object) -> None:
        raise OSError("Can't synchronously read data")

    path = tmp_path / "g.h5"
    path.write_bytes(weights())
    monkeypatch.setattr(KerasFile, "_read", read)
    with pytest.raises(PocketganError, match="is damaged: OSError") as error:
        open_file(path, Format.HDF5).load({}, allow_unsafe=False)
    assert error.value.remedy == COPY_AGAIN


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("inside", [True, False])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_activation_of_ones_own_is_known_by_its_function(
    library: Any, suffix: str, *, inside: bool, tmp_path: Path, refused: Callable[..., str]
) -> None:
    custom = tmp_path / "mine.py"
    custom.write_text("def own_bend(x):\n    return x * abs(x)\n")
    own_bend = load_custom(custom)["own_bend"]
    layers, z = library.layers, library.Input((4,))
    dense = layers.Dense(48, own_bend if inside else None)(z)
    bent = dense if inside else layers.Activation(own_bend)(dense)
    picture = layers.Activation("tanh")(layers.Reshape((4, 4, 3))(bent))
    model, path = library.Model(z, picture), tmp_path / f"model.{suffix}"
    model.save(path)
    assert "nobody here knows: own_bend" in refused(load_teacher, path)
    teacher = load_teacher(path, custom=custom)
    latents = teacher.random_inputs(3)
    np.testing.assert_allclose(teacher.model(latents), np.asarray(model(latents)), atol=1e-6)
    assert "own_bend" in teacher.notes[0]


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_layer_class_of_ones_own_is_named_once_and_given_by_custom(
    library: Any, suffix: str, tmp_path: Path, refused: Callable[..., str]
) -> None:
    """In a functional model with a training step of its own, as examples of Keras have it."""
    custom = tmp_path / "mine.py"
    imports = "import keras" if library is keras else "import tf_keras as keras"
    classes = "class Own(keras.Model):\n    pass\n\n\nclass Bent(keras.layers.Layer):\n"
    custom.write_text(f"{imports}\n\n\n{classes}    def call(self, x):\n        return x * x\n")
    own, layers = load_custom(custom), library.layers
    z = library.Input((48,))
    bent = own["Bent"]()(own["Bent"]()(z))
    path = tmp_path / f"model.{suffix}"
    own["Own"](z, layers.Activation("tanh")(layers.Reshape((4, 4, 3))(bent))).save(path)
    message = refused(load_teacher, path)
    assert "nobody here knows: Bent." in message
    assert load_teacher(path, custom=custom).latent == 48


def doubled(picture: Any) -> Any:
    """A function of a notebook's author, beside the lambda that calls it."""
    return picture * 2


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_lambda_finds_what_its_notebook_imported_and_what_is_given(
    library: Any, suffix: str, tmp_path: Path
) -> None:
    layers, z = library.layers, library.Input((8, 8, 12), name="z")
    shuffled = layers.Lambda(lambda x: tf.nn.depth_to_space(doubled(x), 2))(z)
    model = library.Model(z, layers.Conv2D(3, 3, padding="same", activation="tanh")(shuffled))
    model.save(tmp_path / f"model.{suffix}")
    custom = tmp_path / "mine.py"
    custom.write_text("def doubled(picture):\n    return picture * 2\n")
    teacher = load_teacher(tmp_path / f"model.{suffix}", custom=custom, allow_unsafe=True)
    inputs = teacher.random_inputs(2)
    wanted = np.asarray(model(inputs.reshape(2, 8, 8, 12)))
    np.testing.assert_allclose(teacher.model(inputs), wanted, atol=1e-5)


@pytest.mark.parametrize("library", [keras, tf_keras], ids=["keras-3", "keras-2"])
@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_model_class_with_a_training_step_of_its_own_is_the_graph_that_its_file_holds(
    ending: str, library: Any, tmp_path: Path
) -> None:
    class Adversarial(library.Model):  # type: ignore[misc, name-defined]
        def train_step(self, data: Any) -> Any:
            raise NotImplementedError

    latent = library.Input((4,))
    hidden = library.layers.Dense(16, "tanh")(latent)
    model = Adversarial(latent, library.layers.Reshape((4, 4, 1))(hidden))
    model.save(tmp_path / f"own.{ending}")
    teacher = load_teacher(tmp_path / f"own.{ending}")
    assert not teacher.is_opaque
    assert "its class Adversarial is taken for the graph of layers" in teacher.notes[0]
    latents = teacher.random_inputs(3)
    np.testing.assert_allclose(teacher.model(latents), model.predict(latents, verbose=0), atol=1e-6)
