from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.teacher import Teacher
from pipeline.networks.settings import StudentSettings
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.search.builder import SLIM, StudentBuilder
from pipeline.search.dry_run import refused_blocks, without_refused

PATH = Path("generator.keras")
LATENT = 4


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe({"name": "dry", "search": {"blocks": [SLIM, "sub_pixel", "depthwise"]}})


@pytest.fixture
def teacher_of() -> Callable[..., Teacher]:
    """Make a teacher of latents, its last kernel as it is initialized by that name."""

    def make(initializer: str = "glorot_uniform") -> Teacher:
        tf_keras.utils.set_random_seed(1)
        layers = tf_keras.layers
        model = tf_keras.Sequential(
            [
                tf_keras.Input((LATENT,), name="latent"),
                layers.Dense(8 * 8 * 4, activation="relu", name="wide"),
                layers.Reshape((8, 8, 4), name="map"),
                layers.Conv2D(1, 3, padding="same", kernel_initializer=initializer, name="paint"),
                layers.Activation("tanh", name="image"),
            ]
        )
        return Teacher(
            model=tf_keras.Model(model.inputs, model.outputs),
            latent=LATENT,
            classes=0,
            pixels=(-1.0, 1.0),
            input_pixels=None,
            origin="a test",
        )

    return make


def test_students_of_a_sound_teacher_are_all_let_through(
    teacher_of: Callable[..., Teacher], recipe: Recipe
) -> None:
    builder = StudentBuilder(teacher_of(), 1, by_norm=True)
    assert refused_blocks(recipe, builder, PATH) == {}
    assert without_refused(recipe, builder, PATH, None) == recipe


def failing(block: str, build: Callable[..., Any]) -> Callable[..., Any]:
    """``build``, but for students of that block, which TensorFlow cannot build."""

    def fail(builder: StudentBuilder, settings: StudentSettings) -> Any:
        if block in ("all", settings.block):
            raise ValueError("no\nsuch layer")
        return build(builder, settings)

    return fail


def test_block_of_which_no_student_can_be_made_is_left_out_and_why(
    teacher_of: Callable[..., Teacher], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StudentBuilder, "build", failing(SLIM, StudentBuilder.build))
    builder = StudentBuilder(teacher_of(), 1, by_norm=True)
    assert refused_blocks(recipe, builder, PATH) == {SLIM: "block slim: ValueError: no such layer"}
    narrowed = without_refused(recipe, builder, PATH, None)
    assert narrowed.search.blocks == ["sub_pixel", "depthwise"]


def test_generator_of_which_no_student_can_be_made_is_refused(
    teacher_of: Callable[..., Teacher], recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StudentBuilder, "build", failing("all", StudentBuilder.build))
    with pytest.raises(PocketganError, match=r"generator.keras: no student .*block depthwise"):
        refused_blocks(recipe, StudentBuilder(teacher_of(), 1, by_norm=True), PATH)


def test_generator_that_always_draws_the_same_is_refused(
    teacher_of: Callable[..., Teacher], recipe: Recipe
) -> None:
    with pytest.raises(PocketganError, match="all the same"):
        refused_blocks(recipe, StudentBuilder(teacher_of("zeros"), 1, by_norm=True), PATH)


def test_generator_that_draws_no_numbers_is_refused(
    teacher_of: Callable[..., Teacher], recipe: Recipe
) -> None:
    teacher = teacher_of()
    kernel, bias = teacher.model.get_layer("paint").get_weights()
    teacher.model.get_layer("paint").set_weights([kernel, np.full_like(bias, np.nan)])
    with pytest.raises(PocketganError):
        refused_blocks(recipe, StudentBuilder(teacher, 1, by_norm=True), PATH)


@pytest.fixture
def odd(recipe: Recipe) -> Callable[..., StudentBuilder]:
    """Make the builder of a teacher that draws 18x18 of 12x12, of these layers."""

    def make(*layers: Any) -> StudentBuilder:
        tf_keras.utils.set_random_seed(1)
        port = tf_keras.Input((12, 12, 3), name="pictures")
        x = port
        for layer in (*layers, tf_keras.layers.Conv2D(3, 3, padding="same", name="paint")):
            x = layer(x)
        teacher = Teacher(
            model=tf_keras.Model(port, x),
            latent=0,
            classes=0,
            pixels=(0.0, 1.0),
            input_pixels=(0.0, 1.0),
            origin="a test",
        )
        return StudentBuilder(teacher, 1, by_norm=True)

    return make


PICTURES = load_recipe({"name": "dry", "search": {"blocks": [SLIM, "residual", "unet"]}})


def test_of_a_generator_that_no_network_fits_only_slimmed_students_are_left(
    odd: Callable[..., StudentBuilder],
) -> None:
    layers = tf_keras.layers
    builder = odd(layers.Conv2DTranspose(4, 3, 3), layers.Conv2D(4, 2, 2, "same"), layers.ReLU())
    refused = refused_blocks(PICTURES, builder, PATH)
    assert refused.keys() == {"residual", "unet"}
    assert "no whole number of times larger" in builder.why_not_built


def test_generator_that_no_student_fits_is_refused_once(
    odd: Callable[..., StudentBuilder],
) -> None:
    builder = odd(tf_keras.layers.Resizing(18, 18), tf_keras.layers.PReLU())
    with pytest.raises(PocketganError, match="no whole number") as error:
        refused_blocks(PICTURES, builder, PATH)
    assert error.value.problem.count("12×12 become") == 1
    assert "keeps the size" in error.value.remedy
