import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.importers.teacher import load_teacher

from .conftest import round_values

Refused = Callable[..., str]
PIXELS = {"input_pixels": (0.0, 1.0)}


def pictures(side: int = 8) -> np.ndarray:
    return np.random.default_rng(1).uniform(size=(3, side, side, 3)).astype("f")


def change(path: Path, function: Callable[[Any], None]) -> Path:
    """Let a function change what model.json says."""
    document = json.loads(path.read_text())
    function(document)
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("shards", [1, 3])
def test_layers_model_is_its_keras_model_with_the_same_weights(
    enlarger: tf_keras.Model, layers_model: Callable[..., Path], shards: int
) -> None:
    path = layers_model(enlarger, shards=shards)
    teacher = load_teacher(path, input_size=(8, 8), **PIXELS)
    assert not teacher.is_opaque
    assert "Keras 2.10.0" in teacher.origin
    assert teacher.pixels == (0, 1)
    np.testing.assert_array_equal(teacher.model(pictures()), enlarger(pictures(), training=False))
    assert [layer.shape for layer in teacher.layers][-1] == (None, 16, 16, 3)


def test_folder_of_a_model_json_is_that_model(
    enlarger: tf_keras.Model, layers_model: Callable[..., Path]
) -> None:
    folder = layers_model(enlarger).parent
    assert not load_teacher(folder, input_size=(8, 8), **PIXELS).is_opaque


@pytest.mark.parametrize("rounded", ["uint8", "uint16", "float16"])
def test_rounded_weights_are_restored_as_tensorflow_js_does(
    enlarger: tf_keras.Model, layers_model: Callable[..., Path], rounded: str
) -> None:
    teacher = load_teacher(layers_model(enlarger, rounded=rounded), input_size=(8, 8), **PIXELS)
    other = tf_keras.models.clone_model(enlarger)
    restored = []
    for values in enlarger.get_weights():
        steps, said = round_values(values, rounded)
        in_float64 = steps.astype("f8") * said.get("scale", 1) + said.get("min", 0)
        restored.append(in_float64.astype("f4"))
    other.set_weights(restored)
    np.testing.assert_array_equal(teacher.model(pictures()), other(pictures(), training=False))


def test_what_tensorflow_js_saves_itself_is_read(
    keras_2: tf_keras.Model, layers_model: Callable[..., Path]
) -> None:
    def as_saved_there(document: Any) -> None:
        config = document["modelTopology"]["model_config"]
        topology = {**config, "keras_version": "tfjs-layers 4.22.0", "backend": "tensor_flow.js"}
        document.update(format="layers-model", generatedBy="TensorFlow.js tfjs-layers v4.22.0")
        document["modelTopology"] = topology
        document["weightsManifest"][0]["paths"] = ["./group1-shard1of1.bin"]

    path = change(layers_model(keras_2), as_saved_there)
    teacher = load_teacher(path)
    assert "written by tfjs-layers 4.22.0" in teacher.origin
    latents = np.random.default_rng(1).normal(size=(3, 6)).astype("f")
    np.testing.assert_array_equal(teacher.model(latents), keras_2(latents, training=False))


def test_weights_are_found_under_names_with_models_around_them(
    enlarger: tf_keras.Model, layers_model: Callable[..., Path]
) -> None:
    def longer(document: Any) -> None:
        for spec in document["weightsManifest"][0]["weights"]:
            spec["name"] = f"model_1/{spec['name']}"

    teacher = load_teacher(change(layers_model(enlarger), longer), input_size=(8, 8), **PIXELS)
    np.testing.assert_array_equal(teacher.model(pictures()), enlarger(pictures(), training=False))


@pytest.mark.parametrize(
    ("class_name", "config", "type_name"),
    [
        ("MultiplyBeta", {"beta": 0.5}, "BatchNormalization"),
        ("PixelShuffle", {"scale": 2}, "DepthToSpace"),
        ("PixelShuffle2x", {"scale": 2}, "DepthToSpace"),
    ],
)
def test_layers_of_isr_are_known_by_name(
    class_name: str,
    config: dict[str, Any],
    type_name: str,
    layers_model: Callable[..., Path],
) -> None:
    layers = tf_keras.layers
    port = layers.Input([4, 4, 3])
    x = layers.Conv2D(12, 1, name="wide")(port)
    x = layers.Activation("linear", name="own")(x)
    model = tf_keras.Model(port, layers.Conv2D(3, 1, activation="tanh", name="last")(x))
    if class_name != "MultiplyBeta":
        model = tf_keras.Model(port, layers.Activation("tanh", name="last")(x))

    def rename(document: Any) -> None:
        for layer in document["modelTopology"]["model_config"]["config"]["layers"]:
            if layer["name"] == "own":
                layer["class_name"] = class_name
                layer["config"] = {"name": "own", "trainable": True, "dtype": "float32", **config}

    teacher = load_teacher(change(layers_model(model), rename), input_pixels=(0, 1))
    assert type_name in {type(layer).__name__ for layer in teacher.model.layers}
    (before,) = (layer for layer in teacher.model.layers if layer.name == "own")
    values = np.ones([1, 4, 4, 12], "f")
    wanted = values * 0.5 if class_name == "MultiplyBeta" else np.ones([1, 8, 8, 3], "f")
    np.testing.assert_array_equal(before(values), wanted)


def spoil_shape(document: Any) -> None:
    spec = next(s for s in document["weightsManifest"][0]["weights"] if s["shape"] == [1, 1, 4, 4])
    spec["shape"] = [4, 4, 1, 1]


def rename_weight(document: Any) -> None:
    document["weightsManifest"][0]["weights"][0]["name"] = "other/kernel"


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [(spoil_shape, "have the shape"), (rename_weight, "'other/kernel' belongs to no layer")],
)
def test_weights_of_other_layers_are_refused(
    spoil: Callable[[Any], None],
    expected: str,
    enlarger: tf_keras.Model,
    layers_model: Callable[..., Path],
    refused: Refused,
) -> None:
    message = refused(load_teacher, change(layers_model(enlarger), spoil), input_size=(8, 8))
    assert expected in message


def test_code_in_a_topology_is_refused(
    keras_2: tf_keras.Model, layers_model: Callable[..., Path], refused: Refused
) -> None:
    def spoil(document: Any) -> None:
        layer = document["modelTopology"]["model_config"]["config"]["layers"][-1]
        layer["class_name"] = "Lambda"

    assert "would run code" in refused(load_teacher, change(layers_model(keras_2), spoil))


def test_unknown_layer_is_named(
    keras_2: tf_keras.Model, layers_model: Callable[..., Path], refused: Refused
) -> None:
    def spoil(document: Any) -> None:
        for layer in document["modelTopology"]["model_config"]["config"]["layers"]:
            if layer["class_name"] == "LeakyReLU":
                layer["class_name"] = "Swirl"

    message = refused(load_teacher, change(layers_model(keras_2), spoil))
    assert "Swirl" in message
    assert "--custom" in message
