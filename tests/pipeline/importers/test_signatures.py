"""Files that hold several networks: TensorFlow's folders, and .tflite files."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.cli import main
from pipeline.importers.missing import MissingFactsError, StatedFacts
from pipeline.importers.signatures import Dimensions, chosen_signature
from pipeline.importers.teacher import load_teacher

Refused = Callable[..., str]
DRAW = {"encode": tf.sin, "draw": tf.tanh}
"""Name of a signature → what it makes of pictures."""


def folder_of(folder: Path, names: tuple[str, ...]) -> Path:
    spec = [tf.TensorSpec([1, 4, 4, 3], tf.float32, name="x")]
    functions = {name: tf.function(DRAW[name], spec).get_concrete_function() for name in names}
    tf.saved_model.save(tf.Module(), str(folder / "model"), signatures=functions)
    return folder / "model"


def file_of(folder: Path, names: tuple[str, ...]) -> Path:
    saved = str(folder_of(folder, names))
    content = tf.lite.TFLiteConverter.from_saved_model(saved, list(names)).convert()
    (folder / "model.tflite").write_bytes(content)
    return folder / "model.tflite"


KINDS = pytest.mark.parametrize("write", [folder_of, file_of])
SETTINGS: dict[str, Any] = {"input_pixels": (-1, 1), "pixels": (-1, 1)}


@KINDS
def test_of_several_signatures_the_chosen_one_draws(
    write: Callable[..., Path], tmp_path: Path, refused: Refused
) -> None:
    path = write(tmp_path, ("draw", "encode"))
    with pytest.raises(MissingFactsError, match=r"2 signatures.*\(draw, encode\)") as missing:
        load_teacher(path, **SETTINGS)
    assert missing.value.options == "--signature draw"
    inputs = np.random.default_rng(1).uniform(-1, 1, (3, 4, 4, 3)).astype(np.float32)
    for name, function in DRAW.items():
        drawn = load_teacher(path, signature=name, **SETTINGS).model(inputs, training=False)
        np.testing.assert_allclose(drawn, function(inputs), atol=1e-5)
    message = refused(load_teacher, path, signature="paint", **SETTINGS)
    assert "no signature 'paint'" in message
    assert "draw, encode" in message


@KINDS
def test_only_signature_needs_no_name(write: Callable[..., Path], tmp_path: Path) -> None:
    path = write(tmp_path, ("draw",))
    assert load_teacher(path, **SETTINGS).origin == (
        load_teacher(path, signature="draw", **SETTINGS).origin
    )


def test_file_without_signatures_says_so(k3: Callable[..., Path], refused: Refused) -> None:
    path = k3((4, 4, 3), keras.layers.Activation("tanh"))
    assert "leave --signature out" in refused(load_teacher, path, signature="draw")


@KINDS
@pytest.mark.parametrize("command", ["check", "compress"])
def test_command_in_the_message_names_a_signature_that_works(
    write: Callable[..., Path], command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path, ("draw", "encode"))
    assert main([command, str(path)]) == 2
    err = " ".join(capsys.readouterr().err.split())
    words = shlex.split(err[err.index(f"pocketgan {command}") :])
    assert words[3:5] == ["--signature", "draw"]
    if command == "check":
        assert main([*words[1:], "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["output_shape"] == [4, 4, 3]


@pytest.mark.parametrize(
    ("signatures", "likely"),
    [
        ({"encode": ([4], [2]), "reconstruct": ([4], [4]), "sample": ([2], [4])}, "sample"),
        ({"encode": ([4], [2]), "paint": ([4], [2, 4])}, "paint"),
        ({"draw": ([2], [4]), "serving_default": ([4], [2])}, "serving_default"),
        ({"one": ([2], [4]), "two": ([2], [4])}, "one"),
    ],
)
def test_signature_that_is_proposed_generates_pictures(
    signatures: dict[str, tuple[list[int], list[int]]], likely: str
) -> None:
    dimensions = {name: Dimensions(*both) for name, both in signatures.items()}
    with pytest.raises(MissingFactsError) as error:
        chosen_signature(Path("model"), dimensions, StatedFacts())
    assert error.value.options == f"--signature {likely}"
