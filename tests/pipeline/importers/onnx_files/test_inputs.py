"""ONNX generators that read more than one thing, or give more than one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from deploy.errors import PocketganError
from pipeline.importers.input_roles import read_roles
from pipeline.importers.missing import MissingFactsError
from pipeline.importers.onnx_files.reading import read_model
from pipeline.importers.onnx_files.runtime import OnnxRuntime
from pipeline.importers.onnx_files.signature import channel_orders
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


def test_row_of_numbers_becomes_a_constant_of_the_file(writer: Any, saved: Save) -> None:
    style = writer.input("style", 8)
    z = writer.op("Mul", writer.input("z", 1, 8), style)
    path = saved(writer.model(painted(writer, mapped(writer, z))))
    with pytest.raises(MissingFactsError, match=r"'style' \[8\] is not known .*one for each"):
        load_teacher(path)
    with pytest.raises(PocketganError, match="cannot be '1,2'"):
        load_teacher(path, inputs=read_roles(["style=1,2"]))
    teacher = load_teacher(path, inputs=read_roles(["style=0,1,2,3,4,5,6,-7"]))
    assert "its input 'style' is 0,1,2,3,4,5,6,-7 for all pictures" in teacher.notes
    latents = RANDOM.normal(size=(1, 8)).astype(np.float32)
    weights = np.array([*range(7), -7], np.float32)
    session = onnxruntime.InferenceSession(str(path))
    expected = session.run(None, {"z": latents, "style": weights})[0]
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


@pytest.mark.parametrize("mirrored", [False, True])
def test_channels_are_first_where_a_convolution_reads_them_whatever_the_shape(
    mirrored: bool, writer: Any, saved: Save, drawn: Callable[..., np.ndarray]
) -> None:
    """A map of as many channels as rows looks like one of square pictures, channels last."""
    x = writer.input("z", "N", 8, 8, 4)
    output = writer.op("Tanh", writer.conv(writer.op("Relu", x), 8, 3))
    if mirrored:  # drawn so that the picture's own shape says nothing either
        output = writer.op("Tanh", writer.conv(output, 3, 8))
    path = saved(writer.model(output))
    assert channel_orders(read_model(path)) == {"z": True, output: True}
    runtime = OnnxRuntime(path.read_bytes())
    z = RANDOM.normal(size=(2, 8, 4, 8)).astype(np.float32)
    expected = drawn(path, z.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(runtime(z)[0], expected, atol=1e-5)
    if not mirrored:
        teacher = load_teacher(path)
        assert not teacher.is_opaque
        assert teacher.latent == 8 * 8 * 4
        np.testing.assert_allclose(teacher.model(z.reshape(2, -1)), expected, atol=1e-5)


def test_channels_are_last_where_the_file_moves_them_to_the_front(
    writer: Any, saved: Save, drawn: Callable[..., np.ndarray]
) -> None:
    """As tf2onnx leaves what TensorFlow made; by its shape alone the map has channels first."""
    moved = writer.op("Transpose", writer.input("z", "N", 4, 8, 8), perm=[0, 3, 1, 2])
    picture = writer.op("Tanh", writer.conv(moved, 8, 3))
    output = writer.op("Transpose", picture, perm=[0, 2, 3, 1])
    path = saved(writer.model(output))
    assert channel_orders(read_model(path)) == {"z": False, output: False}
    z = RANDOM.normal(size=(2, 4, 8, 8)).astype(np.float32)
    np.testing.assert_allclose(
        load_teacher(path).model(z.reshape(2, -1)), drawn(path, z), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["constant", "computed"])
def test_what_holds_no_numbers_vanishes(
    kind: str, writer: Any, saved: Save, drawn: Callable[..., np.ndarray]
) -> None:
    z = writer.input("z", 1, 8)
    empty = writer.constant(np.zeros((1, 0)))
    if kind == "computed":
        ends = [writer.constant([8]), writer.constant([8]), writer.constant([1])]
        empty = writer.op("Relu", writer.op("Slice", z, *ends))
    joined = writer.op("Concat", z, empty, axis=1)
    path = saved(writer.model(painted(writer, mapped(writer, joined))))
    teacher = load_teacher(path)
    assert not teacher.is_opaque, teacher.notes
    latents = RANDOM.normal(size=(2, 8)).astype(np.float32)
    expected = drawn(path, latents).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(teacher.model(latents), expected, atol=1e-5)


@pytest.mark.parametrize("names", [("z", "z"), ("in/z", "in.z")])
def test_input_may_be_called_as_an_operation_is(
    names: tuple[str, str], writer: Any, saved: Save
) -> None:
    of_input, of_operation = names
    x = mapped(writer, writer.input(of_input, "N", 8))
    writer.nodes[0].name = of_operation
    teacher = load_teacher(saved(writer.model(painted(writer, x))))
    assert not teacher.is_opaque, teacher.notes


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((), TensorProto.INT32), ((), TensorProto.INT16), ((1,), TensorProto.INT64)],
)
def test_class_that_is_cast_or_reshaped_is_looked_up_all_the_same(
    shape: tuple[int, ...], dtype: int, writer: Any, saved: Save
) -> None:
    z, label = writer.input("z", "N", 8), writer.input("label", "N", *shape, dtype=dtype)
    number = writer.op("Squeeze", label, writer.constant([1])) if shape else label
    if dtype != TensorProto.INT64:
        number = writer.op("Cast", number, to=TensorProto.INT64)
    joined = writer.op("Concat", z, writer.op("Gather", writer.weight(10, 5), number), axis=1)
    teacher = load_teacher(saved(writer.model(painted(writer, mapped(writer, joined, 13)))))
    assert teacher.classes == 10
    assert not teacher.is_opaque, teacher.notes


@pytest.mark.parametrize("stated", [(), ("words=0",)])
def test_text_is_refused_whatever_is_said_of_it(
    stated: tuple[str, ...], writer: Any, saved: Save
) -> None:
    writer.input("words", "N", dtype=TensorProto.STRING)
    path = saved(writer.model(painted(writer, mapped(writer, writer.input("z", "N", 8)))))
    with pytest.raises(PocketganError, match=r"'words' \[N\] is text"):
        load_teacher(path, inputs=read_roles(stated))


def test_two_masks_and_two_classes_beside_a_picture_are_its_channels(
    writer: Any, saved: Save
) -> None:
    maps = [writer.input("image", "N", 3, 8, 8)]
    maps += [writer.input(name, "N", 1, 8, 8) for name in ("mask", "second_mask")]
    for name in ("source", "target"):
        label = writer.input(f"{name}_label", "N", dtype=TensorProto.INT64)
        row = writer.op("Gather", writer.weight(5, 64), label)
        maps.append(writer.op("Reshape", row, writer.constant([-1, 1, 8, 8])))
    x = writer.op("Concat", *maps, axis=1)
    path = saved(writer.model(writer.op("Tanh", writer.conv(x, 7, 3))))
    teacher = load_teacher(path, input_pixels=(-1, 1))
    assert not teacher.is_opaque, teacher.notes
    assert [part.size for part in teacher.parts] == [3, 1, 1, 5, 5]


@pytest.mark.parametrize("side", [0, -1])
def test_sides_that_are_no_length_are_free(side: int, writer: Any, saved: Save) -> None:
    picture = writer.input("picture", side, 3, side, side)
    path = saved(writer.model(writer.op("Tanh", writer.conv(picture, 3, 3))))
    with pytest.raises(MissingFactsError, match=r"\[N, \?, \?, 3\]"):
        load_teacher(path, input_pixels=(0, 1))
    teacher = load_teacher(path, input_pixels=(0, 1), input_size=(8, 12))
    assert teacher.model.output_shape == (None, 8, 12, 3)


def test_input_without_a_shape_is_refused(writer: Any, saved: Save) -> None:
    model = writer.model(painted(writer, mapped(writer, writer.input("z", "N", 8))))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(PocketganError, match="input 'z' has no shape"):
        load_teacher(saved(model))
