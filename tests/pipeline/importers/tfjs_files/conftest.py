"""Models of TensorFlow.js as its converter writes them."""

import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from google.protobuf import json_format
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

WriteModel = Callable[..., Path]


@pytest.fixture(scope="session")
def enlarger() -> tf_keras.Model:
    """Pictures of any size [N, H, W, 3] in 0..1 → [N, 2·H, 2·W, 3] in 0..1, a model inside."""
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(2)
    port = layers.Input([None, None, 4])
    x = layers.Conv2D(4, 1, name="narrow")(port)
    inner = tf_keras.Model(port, layers.BatchNormalization(name="norm")(x), name="inner")
    picture = layers.Input([None, None, 3], name="LR")
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(picture)
    x = layers.Add(name="sum")([x, inner(x)])
    x = layers.UpSampling2D(name="up")(x)
    model = tf_keras.Model(
        picture, layers.Conv2D(3, 3, padding="same", activation="sigmoid", name="SR")(x)
    )
    rng = np.random.default_rng(3)
    model.set_weights([rng.uniform(0.1, 0.5, w.shape).astype("f") for w in model.get_weights()])
    return model


def write_files(
    folder: Path,
    document: Mapping[str, Any],
    weights: Mapping[str, np.ndarray],
    *,
    rounded: str = "",
    shards: int = 1,
) -> Path:
    """model.json and its shards; weights ``rounded`` to uint8, uint16 or float16 where asked."""
    folder.mkdir(exist_ok=True)
    specs, content = [], b""
    for name, values in weights.items():
        spec: dict[str, Any] = {
            "name": name,
            "shape": list(values.shape),
            "dtype": str(values.dtype),
        }
        stored = values
        if rounded and values.dtype == np.float32:
            stored, spec["quantization"] = round_values(values, rounded)
        content += stored.tobytes()
        specs.append(spec)
    length = -(-len(content) // shards)
    names = [f"group1-shard{number}of{shards}.bin" for number in range(1, shards + 1)]
    for number, name in enumerate(names):
        (folder / name).write_bytes(content[number * length : (number + 1) * length])
    manifest = [{"paths": names, "weights": specs}]
    path = folder / "model.json"
    path.write_text(json.dumps({**document, "weightsManifest": manifest}))
    return path


def round_values(values: np.ndarray, rounded: str) -> tuple[np.ndarray, dict[str, Any]]:
    """As the converter does: scale and min from the smallest and the largest value."""
    if rounded == "float16":
        return values.astype("<f2"), {"dtype": rounded, "original_dtype": "float32"}
    low, high = float(values.min()), float(values.max())
    scale = (high - low) / np.iinfo(rounded).max or 1.0
    steps = np.round((values - low) / scale).astype(rounded)
    return steps, {"dtype": rounded, "min": low, "scale": scale, "original_dtype": "float32"}


def older_config(model: Any, aside: Path) -> Any:
    """As HDF5 files hold it, which is what the converter copies."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf_keras on .h5
        model.save(aside)
    with h5py.File(aside) as file:
        return json.loads(file.attrs["model_config"])


@pytest.fixture
def layers_model(tmp_path: Path) -> WriteModel:
    """A function that writes a model of tf_keras as a layers model; the rest goes to the files."""

    def write(model: Any, **settings: Any) -> Path:
        topology = {
            "keras_version": "2.10.0",
            "backend": "tensorflow",
            "model_config": older_config(model, tmp_path / "model.h5"),
        }
        weights = {weight.name.removesuffix(":0"): weight.numpy() for weight in model.weights}
        document = {
            "format": "layers-model",
            "generatedBy": "keras v2.10.0",
            "convertedBy": "TensorFlow.js Converter v2.0.1",
            "modelTopology": topology,
        }
        return write_files(tmp_path / "tfjs", document, weights, **settings)

    return write


@pytest.fixture
def graph_model(tmp_path: Path) -> WriteModel:
    """A function that writes a function of tensors as a graph model.

    ``change`` gets the GraphDef before it is written, as the converter's optimizations do.
    """

    def write(
        function: Callable[..., Any],
        spec: tf.TensorSpec,
        *,
        change: Callable[[Any], None] = lambda graph: None,
        signature: bool = True,
        **settings: Any,
    ) -> Path:
        frozen = convert_variables_to_constants_v2(
            tf.function(function).get_concrete_function(spec)
        )
        graph = frozen.graph.as_graph_def()
        change(graph)
        weights = {}
        for node in graph.node:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                weights[node.name] = tf.make_ndarray(tensor)
                tensor.ClearField("tensor_content")
                for values in ("float_val", "int_val"):
                    tensor.ClearField(values)
        ends = {"inputs": frozen.inputs, "outputs": frozen.outputs}
        said = {
            side: {tensor.name.split(":")[0]: {"name": tensor.name} for tensor in tensors}
            for side, tensors in ends.items()
        }
        document = {
            "format": "graph-model",
            "convertedBy": "TensorFlow.js Converter v3.9.0",
            "modelTopology": json_format.MessageToDict(graph),
            **({"signature": said} if signature else {}),
        }
        return write_files(tmp_path / "tfjs", document, weights, **settings)

    return write
