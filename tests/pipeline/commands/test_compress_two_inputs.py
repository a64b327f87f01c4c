"""Generators of a picture and a mask, or of two pictures, in formats other than Keras files."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import tf_keras

from pipeline.cli import main
from pipeline.report.run import schema
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import PROVENANCE
from tests.pipeline.commands.test_compress_foreign import TINY, photos
from tests.pipeline.importers.onnx_files.conftest import OnnxWriter
from tests.pipeline.importers.test_inputs_of_formats import as_graph_of_tfjs, as_tflite
from tests.pipeline.importers.tfjs_files.conftest import WriteModel, layers_model

__all__ = ["layers_model", "photos"]
SIDE, WIDTH = 16, 96
INPUTS: Mapping[str, dict[str, int]] = {
    "mask": {"image": 3, "mask": 1},
    "picture": {"content": 3, "style": 3},
}
"""What the second input is → name of each input and its channels."""


def model_of(inputs: Mapping[str, int]) -> tf_keras.Model:
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    ports = [tf_keras.Input((SIDE, SIDE, channels), name=name) for name, channels in inputs.items()]
    x = layers.Concatenate()(ports)
    x = layers.Conv2D(WIDTH, 3, padding="same", activation="relu")(x)
    picture = layers.Conv2D(3, 3, padding="same", activation="tanh", name="drawn")(x)
    return tf_keras.Model(ports, picture)


def onnx_of(inputs: Mapping[str, int], folder: Path) -> Path:
    writer = OnnxWriter()
    ports = [writer.input(name, "N", channels, SIDE, SIDE) for name, channels in inputs.items()]
    x = writer.conv(writer.op("Concat", *ports, axis=1), sum(inputs.values()), WIDTH)
    output = writer.op("Tanh", writer.conv(writer.op("Relu", x), WIDTH, 3))
    (folder / "model.onnx").write_bytes(writer.model(output).SerializeToString())
    return folder / "model.onnx"


Write = Callable[[Mapping[str, int], Path], Path]


@pytest.fixture
def formats(layers_model: WriteModel) -> Mapping[str, Write]:
    """Name of a format → a function that writes a generator with these inputs into a folder."""
    return {
        "onnx": onnx_of,
        "tflite": lambda inputs, folder: as_tflite(model_of(inputs), folder),
        "tfjs layers": lambda inputs, _: layers_model(model_of(inputs)),
        "tfjs graph": lambda inputs, folder: as_graph_of_tfjs(model_of(inputs), folder),
    }


@pytest.mark.slow
@pytest.mark.parametrize("second", INPUTS)
@pytest.mark.parametrize("name", ["onnx", "tflite", "tfjs layers", "tfjs graph"])
def test_generator_of_two_pictures_becomes_an_int8_file(
    name: str,
    second: str,
    formats: Mapping[str, Write],
    photos: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path, runs = formats[name](INPUTS[second], tmp_path), tmp_path / "runs"
    facts = ("--input-pixels", "-1", "1", "--inputs", str(photos), "--max-kb", "16")
    capfd.readouterr()
    assert main(["compress", str(path), "--runs", str(runs), *facts, *TINY]) == 0
    assert capfd.readouterr() == ("", "")
    report = schema.read(runs / "small" / "8-report" / "report.json")
    (shipped,) = (variant for variant in report.variants if variant.name == "int8")
    assert shipped.float_ops == 0
    provenance = json.loads(read_model(runs / "small" / shipped.path).metadata[PROVENANCE])
    assert [part["kind"] for part in provenance["inputs"]] == ["picture", second]
