"""Generators that read more than one thing, in every format that TensorFlow's tools write."""

import contextlib
import io
import json
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.input_roles import read_roles
from pipeline.importers.missing import MissingFactsError
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher
from tests.grids import pairs

Builders = Mapping[str, Callable[[Any], Any]]
STATED: Mapping[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "inpainting": ({"input_pixels": (-1, 1)}, (16, 16, 4)),
    "style": ({"input_pixels": (-1, 1)}, (16, 16, 6)),
    "strength": ({"input_pixels": (-1, 1), "inputs": read_roles(["strength=0.5"])}, (16, 16, 3)),
    "truncated": ({"inputs": read_roles(["truncation_psi=0.5"])}, (10,)),
    "latent_map": ({}, (128,)),
    "two_latents": ({}, (10,)),
    "by_class": ({"input_pixels": (-1, 1)}, (16, 16, 8)),
    "two_outputs": ({"output": "fine"}, (10,)),
    "any_size": (
        {"input_size": (8, 12), "input_pixels": (-1, 1), "pixels": (-1, 1)},
        (8, 12, 4),
    ),
}


def as_saved_model(model: Any, folder: Path, batch: int | None = None) -> Path:
    """With a signature only: no layers of it can be read."""
    names = [port.name for port in model.inputs]
    outputs = model.output_names
    specs = [
        tf.TensorSpec([batch, *port.shape[1:]], tf.float32, name=name)
        for port, name in zip(model.inputs, names, strict=True)
    ]
    module = tf.Module()
    module.model = model

    def draw(*tensors: Any) -> dict[str, Any]:
        drawn = model(list(tensors) if len(tensors) > 1 else tensors[0], training=False)
        return dict(zip(outputs, tf.nest.flatten(drawn), strict=True))

    module.draw = tf.function(draw, input_signature=specs)
    tf.saved_model.save(module, str(folder / "saved"), signatures=module.draw)
    return folder / "saved"


def as_fixed_batch(model: Any, folder: Path) -> Path:
    return as_saved_model(model, folder, batch=2)


def as_tflite(model: Any, folder: Path) -> Path:
    converter = tf.lite.TFLiteConverter.from_saved_model(str(as_saved_model(model, folder)))
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        (folder / "model.tflite").write_bytes(converter.convert())
    return folder / "model.tflite"


def as_graph_of_tfjs(model: Any, folder: Path) -> Path:
    """As its converter writes it: a frozen graph as JSON, its constants beside it."""
    from google.protobuf import json_format
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    restored = tf.saved_model.load(str(as_saved_model(model, folder)))
    frozen = convert_variables_to_constants_v2(restored.signatures["serving_default"])
    graph = frozen.graph.as_graph_def()
    weights, content = [], b""
    for node in graph.node:
        if node.op != "Const":
            continue
        values = tf.make_ndarray(node.attr["value"].tensor)
        dtype = {"int32": "int32", "float32": "float32"}[values.dtype.name]
        weights.append({"name": node.name, "shape": list(values.shape), "dtype": dtype})
        content += np.ascontiguousarray(values).tobytes()
        node.attr["value"].Clear()
    function = restored.signatures["serving_default"]
    outputs = sorted(function.structured_outputs)
    signature = {
        "inputs": {port.name.split(":")[0]: {"name": port.name} for port in frozen.inputs},
        "outputs": {n: {"name": t.name} for n, t in zip(outputs, frozen.outputs, strict=True)},
    }
    (folder / "weights.bin").write_bytes(content)
    document = {
        "format": "graph-model",
        "modelTopology": json_format.MessageToDict(graph),
        "signature": signature,
        "weightsManifest": [{"paths": ["weights.bin"], "weights": weights}],
    }
    (folder / "model.json").write_text(json.dumps(document))
    return folder / "model.json"


def as_code(model: Any, folder: Path) -> Path:
    """Keras 2's SavedModel of a subclassed model: its code is not in the file, its graph is."""

    class Painter(tf_keras.Model):  # type: ignore[misc]
        def call(self, tensors: Any) -> Any:
            return self.inner(tensors)

    painter = Painter()
    painter.inner = model
    painter([tf.zeros([1, *port.shape[1:]]) for port in model.inputs])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        painter.save(folder / "code", save_format="tf")
    return folder / "code"


FORMATS: Mapping[str, Callable[[Any, Path], Path]] = {
    "SavedModel": as_saved_model,
    "SavedModel of a fixed batch": as_fixed_batch,
    "tflite": as_tflite,
    "graph model of TensorFlow.js": as_graph_of_tfjs,
}


def drawn_by(model: Any, teacher: Teacher, inputs: np.ndarray, name: str) -> np.ndarray:
    """What the model of Keras draws of the parts of the teacher's inputs."""
    starts = np.cumsum([part.size for part in teacher.parts])[:-1]
    values = dict(
        zip((part.name for part in teacher.parts), np.split(inputs, starts, -1), strict=True)
    )
    if name in ("inpainting", "any_size"):
        values["mask"] = (values["mask"] + 1) / 2
    elif name == "by_class":
        values["target_class"] = (values["target_class"].mean((1, 2)) + 1) / 2
    elif name == "latent_map":
        values["z"] = inputs.reshape(-1, 4, 4, 8)
    number = np.full((len(inputs), 1), 0.5, np.float32)
    parts = [values.get(port.name, number) for port in model.inputs]
    outputs = model(parts if len(parts) > 1 else parts[0], training=False)
    return np.asarray(outputs[1] if name == "two_outputs" else outputs)


@pytest.mark.parametrize(("name", "form"), pairs(STATED, FORMATS))
def test_generator_draws_as_its_parts_say(
    name: str, form: str, foreign_inputs: Builders, tmp_path: Path
) -> None:
    facts, shape = STATED[name]
    tf_keras.utils.set_random_seed(1)
    model = foreign_inputs[name](tf_keras)
    path = FORMATS[form](model, tmp_path)
    teacher = load_teacher(path, **facts)
    assert teacher.model.input_shape[1:] == shape
    save_teacher(teacher, tmp_path / "teacher")
    again = read_saved_teacher(tmp_path / "teacher")
    assert again.parts == (teacher.parts if len(teacher.parts) > 1 else ())
    inputs = teacher.random_inputs(3)
    expected = drawn_by(model, teacher, inputs, name)
    np.testing.assert_allclose(again.model(inputs, training=False), expected, atol=1e-4)


def written(module: Any, form: str, folder: Path) -> Path:
    """A module that draws, as a SavedModel or as a .tflite."""
    saved = folder / "saved"
    tf.saved_model.save(module, str(saved), signatures=module.draw)
    if form != "tflite":
        return saved
    content = tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert()
    (folder / "model.tflite").write_bytes(content)
    return folder / "model.tflite"


SCALARS: Mapping[str, tf.TensorSpec] = {
    "of no dimension": tf.TensorSpec([], tf.float32, name="psi"),
    "of one": tf.TensorSpec([1], tf.float32, name="psi"),
}


@pytest.mark.parametrize("form", ["SavedModel", "tflite"])
@pytest.mark.parametrize("name", SCALARS)
def test_number_without_a_batch_is_asked_for_and_the_same_for_all(
    name: str, form: str, tmp_path: Path
) -> None:
    kernel = tf.random.stateless_normal([4, 64], [1, 2])
    module = tf.Module()
    module.draw = tf.function(
        lambda z, psi: tf.reshape(tf.tanh(z @ kernel * psi), [-1, 8, 8, 1]),
        input_signature=[tf.TensorSpec([None, 4], tf.float32, name="z"), SCALARS[name]],
    )
    path = written(module, form, tmp_path)
    with pytest.raises(MissingFactsError) as caught:
        load_teacher(path)
    assert caught.value.options == "--input psi=1"
    teacher = load_teacher(path, inputs=read_roles(["psi=0.25"]))
    latents = teacher.random_inputs(3)
    expected = tf.reshape(tf.tanh(latents @ kernel * 0.25), [-1, 8, 8, 1])
    np.testing.assert_allclose(teacher.model(latents), expected, atol=1e-5)


@pytest.mark.parametrize("form", ["SavedModel", "tflite"])
def test_row_of_numbers_that_all_pictures_share_takes_one_for_each_entry(
    form: str, tmp_path: Path
) -> None:
    styles = tf.random.stateless_normal([3, 64], [3, 4])
    kernel = tf.random.stateless_normal([4, 64], [1, 2])
    module = tf.Module()
    module.draw = tf.function(
        lambda z, style: tf.reshape(tf.tanh(z @ kernel + style[None] @ styles), [-1, 8, 8, 1]),
        input_signature=[
            tf.TensorSpec([None, 4], tf.float32, name="z"),
            tf.TensorSpec([3], tf.float32, name="style"),
        ],
    )
    path = written(module, form, tmp_path)
    with pytest.raises(MissingFactsError, match=r"'style' \[3\] is not known .*one for each"):
        load_teacher(path)
    with pytest.raises(PocketganError, match="cannot be '1,2'"):
        load_teacher(path, inputs=read_roles(["style=1,2"]))
    teacher = load_teacher(path, inputs=read_roles(["style=0,2,1"]))
    latents = teacher.random_inputs(3)
    expected = tf.tanh(latents @ kernel + 2 * styles[1] + styles[2])
    np.testing.assert_allclose(np.reshape(teacher.model(latents), [3, 64]), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["inpainting", "truncated"])
def test_code_in_a_saved_model_is_drawn_with_all_that_it_reads(
    name: str, foreign_inputs: Builders, tmp_path: Path
) -> None:
    facts, shape = STATED[name]
    model = foreign_inputs[name](tf_keras)
    path = as_code(model, tmp_path)
    try:
        teacher = load_teacher(path, **facts)
    except PocketganError:  # the names of its inputs are numbers
        stated = {"inputs": read_roles(["input_2=0.5"])} if name == "truncated" else {}
        teacher = load_teacher(path, **(facts | stated))
    assert teacher.model.input_shape[1:] == shape
