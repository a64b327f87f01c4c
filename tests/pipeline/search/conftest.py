"""Small generators, and the files that a run would make of them, converted once for all tests."""

import json
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.importers.teacher import Teacher
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape, StudentSettings
from pipeline.networks.student import build_student
from pipeline.search.builder import StudentBuilder
from pipeline.search.calibration import with_random_weights
from pipeline.tflite import convert
from pipeline.tflite.rewrite import PROVENANCE, without_ballast, write_metadata

FACTS = {
    "pocketgan": {"pocketgan": "0.1.0"},
    "recipe_sha256": "d90b59f1da6b6144f6105e3f7b9f6510af7a0442625d0d7fbe2832aab8b70ac6",
    "variant": {"recipe": "digits", "classes": 10, "latent": 64, "pixels": [-1.0, 1.0]},
}
"""Provenance about as long as a run's."""
GREY = (28, 28, 1)
STUDENTS: Mapping[str, StudentSettings] = {
    "sub_pixel": StudentSettings("sub_pixel", 8, (16, 8), 1),
    "depthwise": StudentSettings("depthwise", 0, (12, 12), 0),
    "transposed": StudentSettings("transposed", 4, (12, 6), 0),
}


@pytest.fixture(scope="session")
def student() -> Callable[[str], tf_keras.Model]:
    """A small generator of that name, with random weights that are the same in every test."""

    @cache
    def make(name: str) -> tf_keras.Model:
        if name in STUDENTS:
            model = build_student(STUDENTS[name], 20, GREY, (-1.0, 1.0))
        else:
            settings = GeneratorSettings(name=name, width=8, latent=20)
            model = build_generator(settings, ImageShape(28))
        return with_random_weights(model)

    return make


@pytest.fixture(scope="session")
def int8_file(student: Callable[[str], tf_keras.Model]) -> Callable[..., bytes]:
    """The student's file, its kernels of so many bits; kernels are drawn from a normal one."""

    @cache
    def make(name: str, bits: int = 8) -> bytes:
        folded = fold_batch_norm(student(name))
        random = np.random.default_rng(1)
        for weight in folded.trainable_variables:
            if len(weight.shape) > 1:
                weight.assign(random.normal(size=weight.shape) * 0.2)
        latents = random.normal(size=[8, 20]).astype(np.float32)
        kernels = [layer.name for layer in folded.layers if layer.weights]
        aware = quantization_aware(folded, latents, dict.fromkeys(kernels, bits))
        aware(latents, training=True)
        round_biases(aware)
        content = without_ballast(convert.to_int8_trained(aware))
        return write_metadata(content, PROVENANCE, json.dumps(FACTS).encode())

    return make


@pytest.fixture(scope="session")
def teacher() -> Teacher:
    """Latents [N, 8] → 28×28 grey."""
    model = build_generator(GeneratorSettings(width=8, latent=8), ImageShape(28))
    return Teacher(
        model=with_random_weights(model),
        latent=8,
        classes=0,
        pixels=(-1.0, 1.0),
        input_pixels=None,
        origin="a test",
    )


@pytest.fixture(scope="session")
def builder(teacher: Teacher) -> StudentBuilder:
    return StudentBuilder(teacher, 1)
