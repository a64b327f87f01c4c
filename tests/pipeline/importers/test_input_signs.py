"""What an input takes, by its type, its name and what is beside it."""

from pathlib import Path

import pytest

from pipeline.importers.input_roles import InputKind
from pipeline.importers.input_signs import roles_of
from pipeline.importers.missing import MissingFactsError, StatedFacts
from pipeline.importers.model_input import ModelInput

LATENTS = ModelInput(name="z", shape=(16,), dtype="float32")


@pytest.mark.parametrize(("name", "dtype"), [("y", "int64"), ("label", "float32")])
def test_whole_number_or_one_called_label_is_a_class(name: str, dtype: str) -> None:
    inputs = [LATENTS, ModelInput(name=name, shape=(1,), dtype=dtype)]
    roles = roles_of(Path("g.onnx"), inputs, StatedFacts(classes=10))
    assert [role.kind for role in roles] == [InputKind.LATENT, InputKind.CLASS]


def test_fraction_that_nothing_calls_a_class_is_asked_for_as_a_number() -> None:
    inputs = [LATENTS, ModelInput(name="t", shape=(1,), dtype="float32")]
    with pytest.raises(MissingFactsError) as error:
        roles_of(Path("g.onnx"), inputs, StatedFacts())
    (fact,) = error.value.missing
    assert fact.option == "--input t=1"


@pytest.mark.parametrize(
    ("shape", "has_batch", "words"),
    [((), False, "[]"), ((1,), False, "[1]"), ((), True, "[N]"), ((1,), True, "[N, 1]")],
)
def test_shape_of_a_number_is_shown_as_the_file_has_it(
    shape: tuple[int, ...], has_batch: bool, words: str
) -> None:
    number = ModelInput(name="t", shape=shape, dtype="float32", has_batch=has_batch)
    with pytest.raises(MissingFactsError) as error:
        roles_of(Path("g.onnx"), [LATENTS, number], StatedFacts())
    assert f"its input 't' {words} is not known" in error.value.problem


@pytest.mark.parametrize("name", ["code1", "z_2", "noise"])
def test_fraction_that_is_called_like_latents_is_one(name: str) -> None:
    inputs = [LATENTS, ModelInput(name=name, shape=(1,), dtype="float32")]
    roles = roles_of(Path("g.onnx"), inputs, StatedFacts())
    assert [role.kind for role in roles] == [InputKind.LATENT, InputKind.LATENT]


@pytest.mark.parametrize("name", ["timestep", "t", "time_steps"])
def test_whole_number_that_is_a_time_is_asked_for_as_a_number(name: str) -> None:
    inputs = [LATENTS, ModelInput(name=name, shape=(), dtype="int64")]
    with pytest.raises(MissingFactsError) as error:
        roles_of(Path("g.onnx"), inputs, StatedFacts())
    assert error.value.options == f"--input {name}=1"


@pytest.mark.parametrize(("name", "classes"), [("y", None), ("b", 10)])
def test_map_of_one_pixel_is_the_class_by_its_name_or_length(
    name: str, classes: int | None
) -> None:
    inputs = [
        ModelInput(name=each, shape=(1, 1, length), dtype="float32")
        for each, length in (("x", 100), (name, 10))
    ]
    roles = roles_of(Path("g.onnx"), inputs, StatedFacts(classes=classes))
    assert [role.kind for role in roles] == [InputKind.LATENT, InputKind.CLASS]


@pytest.mark.parametrize(("shape", "is_said"), [((1,), True), ((), False)])
def test_number_that_is_asked_for_may_be_a_latent_where_it_has_an_entry(
    shape: tuple[int, ...], is_said: bool
) -> None:
    inputs = [LATENTS, ModelInput(name="b", shape=shape, dtype="float32")]
    with pytest.raises(MissingFactsError) as error:
        roles_of(Path("g.onnx"), inputs, StatedFacts())
    assert ("if it is another latent: --input b=latent" in error.value.problem) == is_said


@pytest.mark.parametrize(
    ("name", "marks_known"),
    [
        *(("valid", True), ("known_mask", True), ("mask_valid", True), ("visibility", True)),
        *(("invalid", False), ("unknown_mask", False), ("not_valid", False), ("mask", False)),
        *(("non-visible", False), ("validator", False)),
    ],
)
def test_mask_marks_what_its_name_says(name: str, marks_known: bool) -> None:
    inputs = [
        ModelInput(name=each, shape=(8, 8, size), dtype="float32")
        for each, size in (("image", 3), (name, 1))
    ]
    _, role = roles_of(Path("g.onnx"), inputs, StatedFacts())
    assert (role.kind, role.marks_known) == (InputKind.MASK, marks_known)


def test_second_picture_for_validation_is_no_mask() -> None:
    inputs = [
        ModelInput(name=each, shape=(8, 8, 3), dtype="float32")
        for each in ("image", "validation_image")
    ]
    roles = roles_of(Path("g.onnx"), inputs, StatedFacts())
    assert [role.kind for role in roles] == [InputKind.PICTURE] * 2
