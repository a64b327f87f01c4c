"""A tiny sound file of each format that the program reads, to be damaged."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SIDE, LATENT = 8, 4
REPORT = "report.json"


@dataclass(frozen=True)
class Specimen:
    """How a format is written, and what opens it."""

    name: str
    """Of the file or folder that is given to the program."""
    write: Callable[[Path], None]
    """Write it to that path, all its files in the same folder."""
    reader: str = "generator"
    """The name of one of ``readers.READERS``."""


def _values(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(0, 0.5, shape).astype(np.float32)


def _model(keras: Any) -> Any:
    keras.utils.set_random_seed(1)
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((LATENT,)),
            layers.Dense(4 * 4 * 2),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Reshape((4, 4, 2)),
            layers.Conv2DTranspose(2, 4, 2, "same"),
            layers.LeakyReLU(),
            layers.Conv2D(1, 3, padding="same", activation="tanh"),
        ]
    )


def _keras3(path: Path) -> None:
    import keras

    _model(keras).save(path)


def _keras2(path: Path) -> None:
    import tf_keras

    _model(tf_keras).save(path)


def _saved_model(path: Path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.kernel = tf.Variable(_values(LATENT, SIDE * SIDE))
    module.draw = tf.function(
        lambda z: tf.reshape(tf.tanh(z @ module.kernel), [-1, SIDE, SIDE, 1]),
        input_signature=[tf.TensorSpec([None, LATENT], name="z")],
    )
    tf.saved_model.save(module, str(path), signatures=module.draw)


def _tflite(path: Path) -> None:
    import tensorflow as tf
    import tf_keras

    path.write_bytes(tf.lite.TFLiteConverter.from_keras_model(_model(tf_keras)).convert())


def _onnx_model() -> Any:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = {
        "wide": _values(LATENT, 2 * 16),
        "sides": np.array([-1, 2, 4, 4], np.int64),
        "up": _values(2, 2, 4, 4),
        "paint": _values(1, 2, 3, 3),
    }
    node = helper.make_node
    nodes = [
        node("MatMul", ["z", "wide"], ["flat"]),
        node("Reshape", ["flat", "sides"], ["map"]),
        node("ConvTranspose", ["map", "up"], ["large"], strides=[2, 2], pads=[1, 1, 1, 1]),
        node("Relu", ["large"], ["bright"]),
        node("Conv", ["bright", "paint"], ["raw"], pads=[1, 1, 1, 1]),
        node("Tanh", ["raw"], ["picture"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "generator",
        [value("z", TensorProto.FLOAT, ["batch", LATENT])],
        [value("picture", TensorProto.FLOAT, ["batch", 1, SIDE, SIDE])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model


def _onnx(path: Path) -> None:
    path.write_bytes(_onnx_model().SerializeToString())


def _onnx_external(path: Path) -> None:
    import onnx

    onnx.save_model(
        _onnx_model(),
        str(path),
        save_as_external_data=True,
        location="numbers.bin",
        size_threshold=16,
    )


def _tfjs(path: Path, document: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    path.mkdir()
    (path / "w.bin").write_bytes(b"".join(values.tobytes() for values in weights.values()))
    specs = [
        {"name": name, "shape": list(values.shape), "dtype": str(values.dtype)}
        for name, values in weights.items()
    ]
    manifest = [{"paths": ["w.bin"], "weights": specs}]
    text = json.dumps({**document, "weightsManifest": manifest})
    (path / "model.json").write_text(text, encoding="utf-8")


def _tfjs_layers(path: Path) -> None:
    layers = [
        {"class_name": "Dense", "config": {"name": "d", "units": SIDE**2, "activation": "tanh"}},
        {"class_name": "Reshape", "config": {"name": "r", "target_shape": [SIDE, SIDE, 1]}},
    ]
    layers[0]["config"]["batch_input_shape"] = [None, LATENT]  # type: ignore[index]
    topology = {"class_name": "Sequential", "config": {"name": "s", "layers": layers}}
    weights = {"d/kernel": _values(LATENT, SIDE**2), "d/bias": _values(SIDE**2)}
    _tfjs(path, {"format": "layers-model", "modelTopology": topology}, weights)


def _tfjs_graph(path: Path) -> None:
    import tensorflow as tf
    from google.protobuf import json_format

    kernel, sides = _values(LATENT, SIDE**2), np.array([-1, SIDE, SIDE, 1], np.int32)
    graph = tf.Graph()
    with graph.as_default():
        z = tf.compat.v1.placeholder(tf.float32, [None, LATENT], name="z")
        flat = tf.tanh(z @ tf.constant(kernel, name="kernel"))
        tf.reshape(flat, tf.constant(sides, name="sides"), name="picture")
    definition = graph.as_graph_def()
    for node in definition.node:
        if node.op == "Const":
            node.attr["value"].tensor.ClearField("tensor_content")
    topology = json_format.MessageToDict(definition)
    _tfjs(
        path,
        {"format": "graph-model", "modelTopology": topology},
        {"kernel": kernel, "sides": sides},
    )


def _recipe(path: Path) -> None:
    from pipeline.recipe.reading import RECIPES_FOLDER

    path.write_bytes((RECIPES_FOLDER / "inpaint.yaml").read_bytes())


def _photos(path: Path) -> None:
    from PIL import Image

    path.mkdir()
    for number, suffix in enumerate(("png", "jpg", "webp", "gif", "bmp", "tiff")):
        pixels = np.random.default_rng(number).integers(0, 256, (12, 12, 3), np.uint8)
        Image.fromarray(pixels).save(path / f"{number}.{suffix}")


SPECIMENS: Mapping[str, Specimen] = {
    "keras": Specimen("g.keras", _keras3),
    "keras-2": Specimen("g.keras", _keras2),
    "h5": Specimen("g.h5", _keras2),
    "saved-model": Specimen("g", _saved_model),
    "tflite": Specimen("g.tflite", _tflite),
    "onnx": Specimen("g.onnx", _onnx),
    "onnx-external": Specimen("g.onnx", _onnx_external),
    "tfjs-layers": Specimen("g", _tfjs_layers),
    "tfjs-graph": Specimen("g", _tfjs_graph),
    "recipe": Specimen("g.yaml", _recipe, "recipe"),
    "photos": Specimen("g", _photos, "photos"),
}
"""Format → its specimen."""
