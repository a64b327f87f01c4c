"""Small generators, and the files that a run would make of them, converted once for all tests."""

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.importers.teacher import Teacher
from pipeline.networks.pixels import to_uint8
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape, StudentSettings
from pipeline.networks.student import build_student
from pipeline.recipe.sections import BudgetSettings, SearchSettings
from pipeline.search import trials
from pipeline.search.budget import budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.calibration import with_random_weights
from pipeline.search.scorers import frechet_scorer
from pipeline.search.space import space_of
from pipeline.tflite import convert
from pipeline.tflite.rewrite import PROVENANCE, without_ballast, write_metadata
from pipeline.training.distillation_set import DistillationSet

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


class Blurred:
    """Means of 7×7 squares as features, in the place of a judge."""

    def features(self, pictures: np.ndarray) -> np.ndarray:
        squares = pictures.astype(np.float64).reshape(len(pictures), 4, 7, 4, 7)
        return squares.mean(axis=(2, 4)).reshape(len(pictures), 16) / 255


@pytest.fixture
def context(builder: StudentBuilder, tmp_path: Path) -> trials.SearchContext:
    """Of trials of six updates; students wait in a folder of the test's own."""
    inputs = np.random.default_rng(1).normal(size=(128, 8)).astype(np.float32)
    pictures = to_uint8(builder.teacher.model(inputs).numpy(), (-1.0, 1.0))
    settings = BudgetSettings(max_gzip_kb=6)
    return trials.SearchContext(
        builder=builder,
        space=space_of(SearchSettings(blocks=["sub_pixel"]), settings, builder),
        budget=budget_of(settings),
        distillation_set=DistillationSet(inputs, pictures),
        scorer=frechet_scorer(Blurred(), pictures, inputs),  # type: ignore[arg-type]
        steps_of=lambda cost: 6,
        checkpoints=tmp_path,
        seed=1,
    )
