"""Whole generators in the style of different exporters, held against onnxruntime."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.importers.layer_report import check as check_layers
from pipeline.importers.onnx_files import loading, pointwise
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher
from tests.pipeline.importers.onnx_files.generators import (
    attention,
    conditional,
    cyclegan,
    dcgan,
    esrgan,
    linear,
    modulated,
    of_halves,
    of_opset_9,
    of_tensorflow,
    own_inputs,
    quantized,
    srgan,
)

REBUILT = (
    dcgan,
    linear,
    conditional,
    cyclegan,
    srgan,
    esrgan,
    of_tensorflow,
    of_opset_9,
    of_halves,
)
OPAQUE = (modulated, attention, quantized)
SHAPES: Mapping[str, tuple[int, ...]] = {
    "conditional": (11,),
    "cyclegan": (16, 16, 3),
    "srgan": (8, 8, 3),
    "esrgan": (6, 10, 3),
}
OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "cyclegan": {"input_pixels": (-1, 1)},
    "srgan": {"input_pixels": (0, 1)},
    "esrgan": {"input_pixels": (0, 1), "pixels": (0, 1), "input_size": (6, 10)},
}


@pytest.fixture
def load(writer: Any, saved: Callable[..., Path]) -> Callable[..., tuple[Teacher, Path]]:
    """A function that writes one of the generators and loads it."""

    def loaded(write: Callable[[Any], Any]) -> tuple[Teacher, Path]:
        path = saved(write(writer))
        return load_teacher(path, **OPTIONS.get(write.__name__, {})), path

    return loaded


@pytest.mark.parametrize("write", [*REBUILT, *OPAQUE], ids=lambda write: write.__name__)
def test_generator_draws_as_onnxruntime_does(
    write: Callable[[Any], Any],
    load: Callable[..., tuple[Teacher, Path]],
    drawn: Callable[..., np.ndarray],
) -> None:
    teacher, path = load(write)
    name = write.__name__
    assert teacher.is_opaque == (write in OPAQUE), teacher.notes
    shape = SHAPES.get(name, (6,))
    assert teacher.model.input_shape == (None, *shape)
    inputs = np.random.default_rng(2).normal(size=(4, *shape)).astype(np.float32)
    if name == "conditional":
        inputs[:, 6:] = np.eye(5, dtype=np.float32)[[0, 4, 2, 1]]
    pictures = teacher.model(inputs, training=False).numpy()
    feed = own_inputs(name, inputs)
    wanted = drawn(path, *feed, batch=2 if write is of_opset_9 else 1)
    if name != "of_tensorflow":
        wanted = wanted.transpose(0, 2, 3, 1)
    tolerance = 1e-5 if name != "of_halves" else 5e-3
    np.testing.assert_allclose(pictures, wanted, rtol=0, atol=tolerance)


@pytest.mark.parametrize("write", [dcgan, linear, of_tensorflow], ids=lambda write: write.__name__)
def test_usual_generator_can_be_slimmed_and_is_all_int8(
    write: Callable[[Any], Any], load: Callable[..., tuple[Teacher, Path]]
) -> None:
    teacher, path = load(write)
    report = check_layers(teacher, str(path))
    assert report.slimming, report.verdict
    assert report.files[1].error == ""
    assert report.files[1].float_ops == ()
    assert not any(layer.outcome == "replaced in the student" for layer in report.layers)


@pytest.mark.parametrize(
    ("write", "reason"),
    [(modulated, "(Mul) has a constant"), (attention, "MatMul"), (quantized, "QuantizeLinear")],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_generator_that_cannot_be_rebuilt_teaches_and_has_no_file_of_its_own(
    write: Callable[[Any], Any],
    reason: str,
    load: Callable[..., tuple[Teacher, Path]],
    tmp_path: Path,
) -> None:
    teacher, path = load(write)
    report = check_layers(teacher, str(path))
    assert "edge students only" in report.verdict
    assert reason in report.verdict
    assert all("onnxruntime" in file.error for file in report.files)
    assert (teacher.pixels, teacher.classes) == ((-1, 1), 0)
    save_teacher(teacher, tmp_path / "kept")
    path.unlink()
    read = read_saved_teacher(tmp_path / "kept")
    assert (read.is_opaque, read.pixels, read.layers) == (True, teacher.pixels, teacher.layers)
    inputs = teacher.random_inputs(3)
    np.testing.assert_array_equal(read.model(inputs), teacher.model(inputs))


def test_opaque_teacher_draws_many_at_once_as_one_by_one(
    load: Callable[..., tuple[Teacher, Path]],
) -> None:
    teacher, _ = load(modulated)  # of batch 1
    inputs = teacher.random_inputs(5)
    single = np.concatenate([teacher.model(row[None]) for row in inputs])
    np.testing.assert_allclose(teacher.model.predict(inputs, verbose=0), single, atol=1e-6)


def test_other_pictures_of_the_rebuilt_layers_make_the_teacher_opaque(
    load: Callable[..., tuple[Teacher, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    relu = pointwise.POINTWISE["Relu"]

    def a_little_more(builder: Any, node: Any) -> Any:
        value = relu(builder, node)
        scaled = builder.apply(tf_keras.layers.Rescaling, value.tensor, "more", scale=1.0002)
        return replace(value, tensor=scaled)

    monkeypatch.setitem(loading._OPERATIONS, "Relu", a_little_more)
    teacher, _ = load(dcgan)
    assert teacher.is_opaque
    assert "draws otherwise" in teacher.notes[-1]


def test_graph_that_the_libraries_choke_on_is_drawn_by_its_runtime(
    load: Callable[..., tuple[Teacher, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(loading._OPERATIONS, "Relu", lambda builder, node: {}["nothing"])
    teacher, _ = load(dcgan)
    assert teacher.is_opaque
    assert "(Relu) has no layer here: 'nothing'" in teacher.notes[-1]
