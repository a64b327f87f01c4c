from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import numpy_helper

from pipeline.importers.teacher import load_teacher


@pytest.mark.parametrize(
    ("kind", "settings", "mean"),
    [
        ("RandomNormalLike", {}, 0.0),
        ("RandomNormalLike", {"mean": 0.25, "scale": 3.0}, 0.25),
        ("RandomUniformLike", {}, 0.5),
        ("RandomUniformLike", {"low": -1.0, "high": 0.5}, -0.25),
    ],
)
def test_noise_of_its_own_is_fixed_at_its_mean_and_said(
    kind: str, settings: dict[str, float], mean: float, writer: Any, saved: Callable[..., Path]
) -> None:
    latents = writer.input("z", "N", 8)
    wide = writer.op("Gemm", latents, writer.weight(8, 48), writer.weight(48))
    noisy = writer.op("Add", wide, writer.op(kind, wide, **settings))
    flat = writer.op("Reshape", noisy, writer.constant([-1, 3, 4, 4]))
    path = saved(writer.model(writer.op("Tanh", flat)))
    teacher = load_teacher(path)
    assert f"the noise that it draws for itself ({kind}) is fixed at its mean" in teacher.notes
    z = np.random.default_rng(3).normal(size=(2, 8)).astype(np.float32)
    kernel, bias = map(numpy_helper.to_array, writer.initializers[:2])
    values = np.tanh(z @ kernel + bias + mean)
    expected = values.reshape(2, 3, 4, 4).transpose(0, 2, 3, 1)
    np.testing.assert_allclose(teacher.model(z), expected, atol=1e-5)
