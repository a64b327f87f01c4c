"""What one number beside latents is, by its type and its name."""

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
