"""Whole generators in the style of different exporters, held against onnxruntime."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto

from pipeline.importers.layer_report import check as check_layers
from pipeline.importers.saved_teacher import read_saved_teacher, save_teacher
from pipeline.importers.teacher import Teacher, load_teacher


def dcgan(w: Any) -> Any:
    """PyTorch's tutorial: transposed convolutions of a latent map of one pixel."""
    x = w.op(
        "Relu", w.norm(w.up(w.input("z", "batch", 6, 1, 1), 6, 8, strides=[1, 1], pads=[0] * 4), 8)
    )
    x = w.op("Relu", w.norm(w.up(x, 8, 4), 4))
    return w.model(w.op("Tanh", w.up(x, 4, 3)))


def linear(w: Any) -> Any:
    """A Linear layer and a view; sizes computed from the batch, as PyTorch exports them."""
    z = w.input("z", "batch", 6)
    x = w.op("Gemm", z, w.weight(8 * 3 * 5, 6), w.weight(8 * 3 * 5), transB=1)
    x = w.op("LeakyRelu", w.norm(x, 8 * 3 * 5), alpha=0.2)
    batch = w.op("Gather", w.op("Shape", x), w.constant(0), axis=0)
    sizes = [w.op("Unsqueeze", batch, w.constant([0])), *(w.constant([n]) for n in (8, 3, 5))]
    x = w.op("Reshape", x, w.op("Concat", *sizes, axis=0))
    return w.model(w.op("Tanh", w.up(w.op("Relu", w.norm(w.up(x, 8, 4), 4)), 4, 1)))


def conditional(w: Any) -> Any:
    """A class that an embedding looks up, joined to the latents."""
    z = w.input("z", "batch", 6)
    label = w.input("label", "batch", dtype=TensorProto.INT64)
    x = w.op("Concat", z, w.op("Gather", w.weight(5, 4), label), axis=1)
    x = w.op("Relu", w.op("Add", w.op("MatMul", x, w.weight(10, 64)), w.weight(64)))
    x = w.op("Reshape", x, w.constant([-1, 4, 4, 4]))
    return w.model(w.op("Sigmoid", w.up(x, 4, 3)))


def cyclegan(w: Any) -> Any:
    """Reflection padding, instance norm, residual blocks, output padding."""
    x = w.input("pictures", 1, 3, 16, 16)

    def normed(x: str, channels: int) -> str:
        ones, zeros = w.constant(np.ones(channels)), w.constant(np.zeros(channels))
        return w.op("Relu", w.op("InstanceNormalization", x, ones, zeros, epsilon=1e-5))

    def reflected(x: str, by: int) -> str:
        return w.op("Pad", x, w.constant([0, 0, by, by] * 2), mode="reflect")

    x = normed(w.conv(reflected(x, 3), 3, 4, 7, pads=[0] * 4), 4)
    x = normed(w.conv(x, 4, 8, strides=[2, 2]), 8)
    x = w.op("Add", x, normed(w.conv(reflected(x, 1), 8, 8, pads=[0] * 4), 8))
    x = normed(w.up(x, 8, 4, 3, output_padding=[1, 1]), 4)
    return w.model(w.op("Tanh", w.conv(reflected(x, 3), 4, 3, 7, pads=[0] * 4)))


def srgan(w: Any) -> Any:
    """PReLU and pixel shuffles; a dense block."""
    x = w.input("pictures", "batch", 3, 8, 8)
    first = w.op("PRelu", w.conv(x, 3, 4), w.weight(4, 1, 1))
    second = w.op("LeakyRelu", w.conv(first, 4, 4), alpha=0.2)
    joined = w.conv(w.op("Concat", first, second, axis=1), 8, 4)
    x = w.op("Add", w.op("Mul", joined, w.constant(0.2)), first)
    x = w.op("DepthToSpace", w.conv(x, 4, 16), blocksize=2, mode="CRD")
    x = w.op("PRelu", x, w.weight(4, 1, 1))
    x = w.op("Tanh", w.conv(x, 4, 3))
    return w.model(w.op("Div", w.op("Add", x, w.constant(1.0)), w.constant(2.0)))


def of_tensorflow(w: Any) -> Any:
    """tf2onnx: channels last at both ends, transposed before and behind each convolution."""
    x = w.op("MatMul", w.input("z:0", "unk__1", 6), w.weight(6, 4 * 5 * 8))
    x = w.op("Reshape", w.op("Add", x, w.weight(160)), w.constant([-1, 4, 5, 8]))
    x = w.op("Transpose", w.op("LeakyRelu", x, alpha=0.3), perm=[0, 3, 1, 2])
    kernel = w.weight(8, 4, 4, 4)
    x = w.op("ConvTranspose", x, kernel, strides=[2, 2], pads=[1] * 4)
    x = w.op("Relu", w.op("Add", x, w.weight(1, 4, 1, 1)))
    x = w.op("Transpose", w.conv(x, 4, 3), perm=[0, 2, 3, 1])
    return w.model(w.op("Tanh", x), shape=["unk__1", 8, 10, 3])


def of_opset_9(w: Any) -> Any:
    """Settings where newer versions have inputs; Upsample."""
    x = w.op("Relu", w.op("Gemm", w.input("z", 2, 6), w.weight(6, 32), w.weight(32)))
    x = w.op("Unsqueeze", w.op("Unsqueeze", x, axes=[2]), axes=[3])
    x = w.op("Reshape", x, w.constant([2, 2, 4, 4]))
    x = w.op("Upsample", x, w.constant([1.0, 1.0, 2.0, 2.0]), mode="nearest")
    x = w.op("Pad", x, pads=[0, 0, 1, 1, 0, 0, 1, 1], mode="constant", value=0.0)
    x = w.op("Slice", w.conv(x, 2, 4), axes=[2, 3], starts=[1, 1], ends=[-1, -1])
    x = w.op("Dropout", w.op("Clip", x, min=0.0, max=6.0), ratio=0.5)
    return w.model(w.op("Sigmoid", w.op("Conv", x, w.weight(1, 4, 1, 1))), opset=9)


def of_halves(w: Any) -> Any:
    """Weights of 16 bits, and casts."""
    x = w.op("Cast", w.input("z", "batch", 6), to=TensorProto.FLOAT16)
    weight = w.constant(w.random.normal(0, 0.3, (6, 48)), np.float16)
    x = w.op("Reshape", w.op("MatMul", x, weight), w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Cast", w.op("Tanh", x), to=TensorProto.FLOAT))


def modulated(w: Any) -> Any:
    """StyleGAN's convolution: a kernel that follows from the latents."""
    z = w.input("z", 1, 6)
    style = w.op(
        "Reshape",
        w.op("Gemm", z, w.weight(4, 6), w.positive(4), transB=1),
        w.constant([1, 4, 1, 1]),
    )
    kernel = w.op("Mul", w.weight(3, 4, 3, 3), style)
    squares = w.op("ReduceSum", w.op("Mul", kernel, kernel), w.constant([1, 2, 3]), keepdims=1)
    kernel = w.op("Div", kernel, w.op("Sqrt", w.op("Add", squares, w.constant(1e-8))))
    x = w.op("Conv", w.weight(1, 4, 8, 8), kernel, kernel_shape=[3, 3], pads=[1] * 4)
    return w.model(w.op("Tanh", x))


def attention(w: Any) -> Any:
    """SAGAN's: each pixel looks at all others."""
    x = w.op(
        "Reshape",
        w.op("MatMul", w.input("z", "batch", 6), w.weight(6, 128)),
        w.constant([-1, 8, 4, 4]),
    )
    q, k, v = (w.op("Reshape", w.conv(x, 8, 8, 1), w.constant([0, 8, 16])) for _ in "qkv")
    weights = w.op("Softmax", w.op("MatMul", w.op("Transpose", q, perm=[0, 2, 1]), k), axis=-1)
    seen = w.op("MatMul", v, w.op("Transpose", weights, perm=[0, 2, 1]))
    x = w.op("Add", x, w.op("Reshape", seen, w.constant([0, 8, 4, 4])))
    return w.model(w.op("Tanh", w.up(x, 8, 3)))


def quantized(w: Any) -> Any:
    """QDQ: each tensor rounded to int8 and back."""
    scale, zero = w.constant(0.02), w.constant(0, np.int8)

    def rounded(x: str) -> str:
        return w.op("DequantizeLinear", w.op("QuantizeLinear", x, scale, zero), scale, zero)

    x = w.op("MatMul", rounded(w.input("z", "batch", 6)), w.weight(6, 48))
    x = w.op("Reshape", rounded(x), w.constant([-1, 3, 4, 4]))
    return w.model(w.op("Tanh", x))


REBUILT = (dcgan, linear, conditional, cyclegan, srgan, of_tensorflow, of_opset_9, of_halves)
OPAQUE = (modulated, attention, quantized)
SHAPES: Mapping[str, tuple[int, ...]] = {
    "conditional": (11,),
    "cyclegan": (16, 16, 3),
    "srgan": (8, 8, 3),
}


@pytest.fixture
def load(writer: Any, saved: Callable[..., Path]) -> Callable[..., tuple[Teacher, Path]]:
    """A function that writes one of the generators and loads it."""

    def loaded(write: Callable[[Any], Any]) -> tuple[Teacher, Path]:
        path = saved(write(writer))
        reads_pictures = len(SHAPES.get(write.__name__, ())) == 3
        return load_teacher(path, input_pixels=(-1, 1) if reads_pictures else None), path

    return loaded


def own_inputs(name: str, inputs: np.ndarray) -> list[np.ndarray]:
    """Inputs of a teacher as those of its file."""
    if name == "conditional":
        return [inputs[:, :6], inputs[:, 6:].argmax(1)]
    if name == "dcgan":
        return [inputs[:, :, None, None]]
    return [inputs.transpose(0, 3, 1, 2) if inputs.ndim == 4 else inputs]


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
