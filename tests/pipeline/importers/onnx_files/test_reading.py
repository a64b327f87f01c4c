"""Files that are damaged, reach for others, or need what nobody has: one message each."""

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.external_data_helper import convert_model_to_external_data

from pipeline.commands.compress import _sha256 as generator_sha256
from pipeline.importers.formats import Format, format_of
from pipeline.importers.onnx_files.reading import files_of
from pipeline.importers.teacher import load_teacher
from pipeline.run import content_sha256

Refused = Callable[..., str]


def generator(w: Any) -> onnx.ModelProto:
    x = w.op("MatMul", w.input("z", "batch", 6), w.weight(6, 48))
    x = w.op("Reshape", x, w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Tanh", x))


@pytest.fixture
def divided(writer: Any, tmp_path: Path) -> Callable[[str], Path]:
    """A function that saves a generator whose numbers lie in a file beside it, at ``location``."""

    def save(location: str = "weights.bin") -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        model = generator(writer)
        convert_model_to_external_data(model, location="weights.bin", size_threshold=0)
        onnx.save(model, str(folder / "generator.onnx"))
        stored = onnx.load(str(folder / "generator.onnx"), load_external_data=False)
        for tensor in stored.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = location
        (folder / "generator.onnx").write_bytes(stored.SerializeToString())
        return folder / "generator.onnx"

    return save


@pytest.mark.parametrize("name", ["generator.onnx", "generator.bin", "generator"])
def test_onnx_is_known_by_its_content(name: str, writer: Any, saved: Callable[..., Path]) -> None:
    assert format_of(saved(generator(writer), name)) is Format.ONNX


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_file_that_was_cut_short_is_damaged(
    share: float, writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    path = saved(generator(writer))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    message = refused(load_teacher, path)
    assert "damaged" in message or "is empty" in message


def test_other_protobuf_is_no_onnx(tmp_path: Path, refused: Refused) -> None:
    path = tmp_path / "other.onnx"
    path.write_bytes(b"\x08\x01")
    assert "no ONNX file" in refused(load_teacher, path)


def test_numbers_beside_the_model_are_read(
    divided: Callable[..., Path], writer: Any, saved: Callable[..., Path]
) -> None:
    teacher = load_teacher(divided())
    assert not teacher.is_opaque
    whole = load_teacher(saved(generator(type(writer)())))
    inputs = whole.random_inputs(3)
    np.testing.assert_array_equal(teacher.model(inputs), whole.model(inputs))


def test_generator_is_known_by_its_numbers_beside_it(
    divided: Callable[..., Path], writer: Any, saved: Callable[..., Path]
) -> None:
    path, whole = divided(), saved(generator(writer))
    weights = path.parent / "weights.bin"
    assert (files_of(path), files_of(whole)) == ([path, weights], [whole])
    before = generator_sha256(path)
    assert generator_sha256(path) == before
    weights.write_bytes(bytes(4) + weights.read_bytes()[4:])
    assert generator_sha256(path) != before
    assert generator_sha256(whole) == content_sha256(whole)


@pytest.mark.parametrize("place", ["/etc/hostname", "../weights.bin", "a/../../weights.bin", ""])
def test_numbers_outside_of_the_folder_are_not_touched(
    place: str, divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided(place)
    (path.parent.parent / "weights.bin").write_bytes(bytes(4096))
    assert "outside of its folder" in refused(load_teacher, path)


def test_link_that_leads_outside_is_refused(divided: Callable[..., Path], refused: Refused) -> None:
    path = divided("link.bin")
    (path.parent / "weights.bin").rename(path.parent.parent / "weights.bin")
    (path.parent / "link.bin").symlink_to(path.parent.parent / "weights.bin")
    assert "outside of its folder" in refused(load_teacher, path)


def test_all_missing_files_are_named_at_once(
    divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided()
    stored = onnx.load(str(path), load_external_data=False)
    for number, tensor in enumerate(stored.graph.initializer):
        next(e for e in tensor.external_data if e.key == "location").value = f"{number}.bin"
    path.write_bytes(stored.SerializeToString())
    message = refused(load_teacher, path)
    assert "0.bin, 1.bin" in message


def test_numbers_that_were_cut_short_are_damaged(
    divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided()
    (path.parent / "weights.bin").write_bytes(bytes(7))
    assert "weights.bin beside it is damaged" in refused(load_teacher, path)


def test_numbers_that_fit_into_no_model_are_refused_before_they_are_read(
    divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided()
    stored = onnx.load(str(path), load_external_data=False)
    entries = {entry.key: entry for entry in stored.graph.initializer[0].external_data}
    entries["offset"].value, entries["length"].value = "0", str(2**31)
    path.write_bytes(stored.SerializeToString())
    with (path.parent / "weights.bin").open("r+b") as weights:
        weights.truncate(2**31)  # of holes
    assert "hold 2.1 GB" in refused(load_teacher, path)


def test_length_of_the_numbers_that_was_damaged_is_one_message(
    divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided()
    stored = onnx.load(str(path), load_external_data=False)
    for tensor in stored.graph.initializer:
        entries = {entry.key: entry for entry in tensor.external_data}
        entries["length"].value, entries["offset"].value = "-1", "1"
    path.write_bytes(stored.SerializeToString())
    assert "damaged" in refused(load_teacher, path)


def test_name_of_the_numbers_that_was_damaged_is_one_message(
    divided: Callable[..., Path], refused: Refused
) -> None:
    path = divided()
    path.write_bytes(path.read_bytes().replace(b"weights.bin", b"we\xffghts.bin"))
    assert "damaged" in refused(load_teacher, path)


def test_operations_of_others_are_refused_by_name(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    x = writer.op("Reshape", writer.input("z", "batch", 48), writer.constant([-1, 3, 4, 4]))
    path = saved(writer.model(writer.op("Deform", x, domain="mmcv")))
    assert "Deform of mmcv" in refused(load_teacher, path)


def test_operation_that_onnx_has_not_is_one_message(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    x = writer.op("Reshape", writer.input("z", "batch", 48), writer.constant([-1, 3, 4, 4]))
    message = refused(load_teacher, saved(writer.model(writer.op("Tanhh", x))))
    assert "cannot be run by onnxruntime" in message
    assert "Tanhh" in message


@pytest.mark.parametrize("batch", ["batch", 2])
def test_free_length_is_asked_for_with_a_command_that_fixes_it(
    batch: str | int, writer: Any, saved: Callable[..., Path], refused: Refused, tmp_path: Path
) -> None:
    x = writer.op("Reshape", writer.input("z in", batch, "n"), writer.constant([-1, 1, 16, 16]))
    path = saved(writer.model(writer.op("Tanh", x)), "my generator.onnx")
    message = refused(load_teacher, path)
    assert "[N, ?]" in message
    command = shlex.split(message.split("python ")[1])
    command[-1] = str(tmp_path / "fixed.onnx")
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    assert load_teacher(tmp_path / "fixed.onnx").latent == 256


@pytest.mark.parametrize("last", [False, True])
def test_free_size_of_pictures_is_an_option(
    last: bool,
    writer: Any,
    saved: Callable[..., Path],
    drawn: Callable[..., np.ndarray],
    refused: Refused,
) -> None:
    sizes = ("height", "width", 3) if last else (3, "height", "width")
    x = writer.input("pictures", "batch", *sizes)
    x = writer.op("Transpose", x, perm=[0, 3, 1, 2]) if last else x
    x = writer.op("Tanh", writer.conv(x, 3, 3))
    path = saved(writer.model(writer.op("Transpose", x, perm=[0, 2, 3, 1]) if last else x))
    message = refused(load_teacher, path, input_pixels=(0, 1))
    assert "[N, ?, ?, 3]" in message
    assert "--input-size 256x256" in message
    teacher = load_teacher(path, input_size=(8, 12), input_pixels=(0, 1))
    assert not teacher.is_opaque
    assert teacher.model.output_shape == (None, 8, 12, 3)
    pictures = np.random.default_rng(1).uniform(size=(3, 8, 12, 3)).astype("f")
    wanted = drawn(path, pictures if last else pictures.transpose(0, 3, 1, 2))
    wanted = wanted if last else wanted.transpose(0, 2, 3, 1)
    np.testing.assert_allclose(teacher.model(pictures), wanted, rtol=0, atol=1e-5)


def test_weights_that_are_not_finite_are_named(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    x = writer.op(
        "MatMul", writer.input("z", "batch", 6), writer.constant(np.full((6, 48), np.nan))
    )
    x = writer.op("Reshape", x, writer.constant([-1, 3, 4, 4]))
    assert "not finite" in refused(load_teacher, saved(writer.model(writer.op("Tanh", x))))


def test_noise_drawn_within_the_graph_is_found(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    x = writer.op("Reshape", writer.input("z", "batch", 48), writer.constant([-1, 3, 4, 4]))
    x = writer.op("Add", x, writer.op("Bernoulli", writer.op("Sigmoid", x)))
    message = refused(load_teacher, saved(writer.model(writer.op("Tanh", x))))
    assert "another picture from the same input" in message


def test_function_that_calls_itself_is_no_valid_onnx(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    model = generator(writer)
    model.graph.node[0].domain = "own"
    body = [onnx.helper.make_node("MatMul", ["a", "b"], ["c"], domain="own")]
    versions = [onnx.helper.make_opsetid("own", 1)]
    model.functions.append(
        onnx.helper.make_function("own", "MatMul", ["a", "b"], ["c"], body, versions)
    )
    model.opset_import.extend(versions)
    assert "is no valid ONNX" in refused(load_teacher, saved(model))


def test_text_among_the_numbers_is_no_weight(writer: Any, saved: Callable[..., Path]) -> None:
    model = generator(writer)
    text = onnx.helper.make_tensor("words", onnx.TensorProto.STRING, [1], [b"\xff"])
    model.graph.initializer.append(text)
    assert not load_teacher(saved(model)).is_opaque


def test_picture_of_a_fixed_batch_that_is_taken_away_is_told_from_a_sequence(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    w = writer
    x = w.op("MatMul", w.input("z", 1, 6), w.weight(6, 3 * 8 * 8))
    model = w.model(w.op("Tanh", w.op("Reshape", x, w.constant([3, 8, 8]))))
    message = refused(load_teacher, saved(model))
    assert "gives [12, 8, 8] of 4 inputs: pictures without a batch" in message


def test_batch_norm_that_was_exported_in_training_is_named_with_what_to_do(
    writer: Any, saved: Callable[..., Path], refused: Refused
) -> None:
    w = writer
    x = w.op("MatMul", w.input("z", "batch", 6), w.weight(6, 48))
    x = w.op("Reshape", x, w.constant([-1, 3, 4, 4]))
    numbers = [w.constant(np.full(3, each, np.float32)) for each in (1, 0, 0, 1)]
    x = w.op("BatchNormalization", x, *numbers, training_mode=1)
    model = w.model(w.op("Tanh", x))
    norm = next(node for node in model.graph.node if node.op_type == "BatchNormalization")
    norm.output.extend(["mean", "variance"])
    message = refused(load_teacher, saved(model))
    assert "is called with training=True" in message
    assert "generator.eval()" in message
