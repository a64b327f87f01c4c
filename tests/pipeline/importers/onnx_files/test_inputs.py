"""ONNX generators that read more than one thing, or give more than one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from pipeline.importers.input_roles import read_roles
from pipeline.importers.missing import MissingFactsError
from pipeline.importers.teacher import load_teacher

Save = Callable[..., Path]
RANDOM = np.random.default_rng(3)


def inpainting(writer: Any, *size: int | str) -> str:
    """A picture and its mask, channels first, joined by the generator itself."""
    x = writer.op(
        "Concat", writer.input("image", "N", 3, *size), writer.input("mask", "N", 1, *size), axis=1
    )
    output: str = writer.op("Tanh", writer.conv(writer.op("Relu", writer.conv(x, 4, 6)), 6, 3))
    return output


def mapped(writer: Any, z: str, length: int = 8) -> str:
    """Latents → a map [N, 4, 4, 4]."""
    wide = writer.op("Gemm", z, writer.weight(length, 64), writer.weight(64))
    output: str = writer.op("Reshape", wide, writer.constant([-1, 4, 4, 4]))
    return output


def painted(writer: Any, x: str) -> str:
    output: str = writer.op("Tanh", writer.conv(x, 4, 3))
    return output


def test_picture_and_mask_are_one_picture_of_four_channels(writer: Any, saved: Save) -> None:
    path = saved(writer.model(inpainting(writer, 8, 12)))
    teacher = load_teacher(path, input_pixels=(-1, 1))
    assert teacher.model.input_shape == (None, 8, 12, 4)
    assert not teacher.is_opaque
    picture = RANDOM.uniform(-1, 1, (2, 8, 12, 3)).astype(np.float32)
    hidden = RANDOM.integers(0, 2, (2, 8, 12, 1)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path))
    feed = {"image": picture.transpose(0, 3, 1, 2), "mask": hidden.transpose(0, 3, 1, 2)}
    expected = session.run(None, feed)[0].transpose(0, 2, 3, 1)
    drawn = teacher.model(np.concatenate([picture, 2 * hidden - 1], -1))
    np.testing.assert_allclose(drawn, expected, atol=1e-5)


def test_all_that_a_file_leaves_open_is_asked_for_at_once(writer: Any, saved: Save) -> None:
    path = saved(writer.model(inpainting(writer, "height", "width")))
    with pytest.raises(MissingFactsError) as caught:
        load_teacher(path)
    assert caught.value.options == "--input-size 256x256 --input-pixels -1 1"


@pytest.mark.parametrize("shape", [(), (1,), ("N", 1)])
def test_number_becomes_a_constant_of_the_file(
    shape: tuple[int | str, ...], writer: Any, saved: Save
) -> None:
    z = writer.op("Mul", writer.input("z", "N", 8), writer.input("psi", *shape))
    path = saved(writer.model(painted(writer, mapped(writer, z))))
    with pytest.raises(MissingFactsError) as caught:
        load_teacher(path)
    assert caught.value.options == "--input psi=1"
    teacher = load_teacher(path, inputs=read_roles(["psi=0.5"]))
    assert not teacher.is_opaque
    assert "its input 'psi' is 0.5 for all pictures" in teacher.notes
    latents = RANDOM.normal(size=(2, 8)).astype(np.float32)
    psi = np.full([2 if side == "N" else side for side in shape], 0.5, np.float32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"z": latents, "psi": psi})[0]
    np.testing.assert_allclose(teacher.model(latents), expected.transpose(0, 2, 3, 1), atol=1e-5)


def test_switch_between_training_and_drawing_is_off(writer: Any, saved: Save) -> None:
    x = painted(writer, mapped(writer, writer.input("z", "N", 8)))
    training = writer.input("is_training", dtype=TensorProto.BOOL)
    output = writer.op("Where", training, writer.op("Neg", x), x)
    teacher = load_teacher(saved(writer.model(output)), pixels=(-1, 1))
    assert teacher.latent == 8
    assert "its input 'is_training' is 0 for all pictures" in teacher.notes


def test_only_the_output_that_is_named_is_rebuilt(writer: Any, saved: Save) -> None:
    x = mapped(writer, writer.input("z", "N", 8))
    picture = painted(writer, x)
    features = writer.op("Erf", x)  # no layer has it
    path = saved(writer.model([features, picture]))
    with pytest.raises(MissingFactsError) as caught:
        load_teacher(path)
    assert caught.value.options == f"--output {picture}"
    teacher = load_teacher(path, output=picture)
    assert not teacher.is_opaque
    assert teacher.model.output_shape == (None, 4, 4, 3)
