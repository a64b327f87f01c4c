"""Inputs of any number and kind become one; each is told by its signs, or by a person."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.compression.int8_layers import refusals
from pipeline.importers.input_joining import adapt_inputs
from pipeline.importers.input_roles import InputKind, read_role, read_roles, role_text
from pipeline.importers.missing import MissingFactsError, StatedFacts
from pipeline.importers.model_input import ModelInput
from pipeline.importers.teacher import Teacher, load_teacher

FILE = Path("generator")
Shape = tuple[int | None, ...]


def port(name: str, *shape: int | None, dtype: str = "float32", **facts: Any) -> ModelInput:
    return ModelInput(name=name, shape=shape, dtype=dtype, **facts)


Z, IMAGE = port("z", 8), port("image", 16, 12, 3)
TOLD: Mapping[str, tuple[list[ModelInput], list[tuple[str, str, int]]]] = {
    "a vector": ([Z], [("z", "latent", 8)]),
    "a map of features": ([port("x", 4, 4, 16)], [("x", "latent", 256)]),
    "a picture called as latents": ([port("latent", 4, 4, 3)], [("latent", "picture", 3)]),
    "a map of four channels by its name": ([port("z", 4, 4, 4)], [("z", "latent", 64)]),
    "latents and a number of a class": (
        [port("label", 1, dtype="int32", embedding_rows=5), Z],
        [("z", "latent", 8), ("label", "class", 5)],
    ),
    "latents and a one-hot class": (
        [Z, port("class_one_hot", 4)],
        [("z", "latent", 8), ("class_one_hot", "class", 4)],
    ),
    "latents and noise maps": (
        [Z, port("noise_0", 4, 4, 1)],
        [("z", "latent", 8), ("noise_0", "latent", 16)],
    ),
    "styles of each layer": ([port("ws", 14, 16)], [("ws", "latent", 224)]),
    "latents and a class called y": (
        [Z, port("y", 4)],
        [("z", "latent", 8), ("y", "class", 4)],
    ),
    "noise, categories and a code that varies": (
        [Z, port("cat", 10), port("cont", 2)],
        [("z", "latent", 8), ("cont", "latent", 2), ("cat", "class", 10)],
    ),
    "a picture": ([IMAGE], [("image", "picture", 3)]),
    "a picture of one channel called mask": ([port("mask", 8, 8, 1)], [("mask", "picture", 1)]),
    "a picture and its mask, the mask first": (
        [port("hole", 16, 12, 1), IMAGE],
        [("image", "picture", 3), ("hole", "mask", 1)],
    ),
    "a picture and a map of one channel": (
        [IMAGE, port("x", 16, 12, 1)],
        [("image", "picture", 3), ("x", "mask", 1)],
    ),
    "a picture and a mask without channels": (
        [IMAGE, port("x", 16, 12)],
        [("image", "picture", 3), ("x", "mask", 1)],
    ),
    "a picture and a mask for each colour": (
        [IMAGE, port("inputs_mask", 16, 12, 3)],
        [("image", "picture", 3), ("inputs_mask", "mask", 1)],
    ),
    "two pictures": (
        [IMAGE, port("style", 16, 12, 3)],
        [("image", "picture", 3), ("style", "picture", 3)],
    ),
    "a picture and a class": (
        [IMAGE, port("label", 6)],
        [("image", "picture", 3), ("label", "class", 6)],
    ),
    "a switch": ([Z, port("flag", dtype="bool", has_batch=False)], [("z", "latent", 8)]),
    "a switch by its name": ([Z, port("is_training", 1)], [("z", "latent", 8)]),
}


@pytest.mark.parametrize("name", TOLD)
def test_inputs_are_told_by_their_signs(name: str) -> None:
    inputs, expected = TOLD[name]
    adapter = adapt_inputs(FILE, inputs, StatedFacts(input_pixels=(-1, 1)))
    assert [(part.name, part.kind, part.size) for part in adapter.parts] == expected
    sources = adapter.source_inputs(adapter.random_inputs(2))
    for each, values in zip(inputs, sources, strict=True):
        batch = (2,) if each.has_batch else ()
        assert tuple(values.shape) == (*batch, *each.shape)
        assert values.dtype.name == each.dtype


MISSING: Mapping[str, tuple[list[ModelInput], list[str]]] = {
    "strength": ([IMAGE, port("strength", 1)], ["--input strength=1"]),
    "a number without a batch": ([Z, port("psi", has_batch=False)], ["--input psi=1"]),
    "shares of a mixture": (
        [IMAGE, port("style_weights", 3, has_batch=False)],
        ["--input style_weights=1,0,0"],
    ),
    "how many classes": ([Z, port("label", 1, dtype="int32")], ["--classes 10"]),
    "which is the class": ([Z, port("c", 4), port("w", 16)], ["--input c=class"]),
    "the size": ([port("x", None, None, 3)], ["--input-size 256x256"]),
    "latents beside a picture": ([IMAGE, port("code", 8)], ["--input code=0"]),
    "several": (
        [port("x", None, None, 3), port("alpha", 1), port("z", 8)],
        ["--input alpha=1", "--input-size 256x256", "--input z=0"],
    ),
}


@pytest.mark.parametrize("name", MISSING)
def test_what_no_sign_tells_is_asked_for_with_a_guess_that_works(name: str) -> None:
    inputs, options = MISSING[name]
    with pytest.raises(MissingFactsError) as caught:
        adapt_inputs(FILE, inputs, StatedFacts())
    assert [fact.option for fact in caught.value.missing] == options
    facts = StatedFacts()
    for fact in caught.value.missing:
        facts = fact.guessed(facts)
    fixed = [replace(each, shape=tuple(side or 8 for side in each.shape)) for each in inputs]
    assert adapt_inputs(FILE, fixed, facts).parts


REFUSED: Mapping[str, tuple[list[ModelInput], list[str], str]] = {
    "a role that the shape cannot have": ([Z], ["z=picture"], "cannot be 'picture'"),
    "two classes": (
        [Z, port("label", 4), port("class_b", 4)],
        ["label=class", "class_b=class"],
        "as class",
    ),
    "a class only": ([port("label", 4)], ["label=class"], "neither a latent vector"),
    "a mask only": ([IMAGE], ["image=mask"], "neither a latent vector nor a picture"),
    "pictures of several sizes": ([IMAGE, port("b", 8, 8, 3)], [], "several sizes"),
    "a map of classes": ([port("label_map", 16, 12, 20)], [], "seems to be a map of classes"),
    "a map as large as a picture": ([port("x", 64, 64, 12)], [], "seems to be a map of classes"),
    "text": ([port("jpeg", dtype="string")], [], "is text, or a file's bytes"),
    "neither a vector nor a map": ([port("x", 14, 16)], [], "neither a latent vector"),
    "channels that do not add up": ([IMAGE], ["image=picture+mask"], "cannot be the 3 channels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_inputs_that_cannot_be_one_are_refused(name: str) -> None:
    inputs, roles, expected = REFUSED[name]
    facts = StatedFacts(inputs=read_roles(roles))
    with pytest.raises(PocketganError, match=expected):
        adapt_inputs(FILE, inputs, facts)


@pytest.mark.parametrize("each", [port("x", 14, 16), port("label_map", 16, 12, 20)])
def test_latents_of_any_shape_are_what_a_person_says(each: ModelInput) -> None:
    facts = StatedFacts(inputs=read_roles([f"{each.name}=latent"]))
    assert adapt_inputs(FILE, [each], facts).latent == each.entries


@pytest.mark.parametrize(
    "word",
    ["latent", "picture", "mask", "known", "picture+known", "class", "class:10", "0.7", "-2"],
)
def test_role_is_read_as_it_is_written(word: str) -> None:
    name, role = read_role(f"serving_default_x:0={word}")
    assert name == "serving_default_x:0"
    assert role_text(role) == word


@pytest.mark.parametrize(
    "text",
    ["x", "x=", "=mask", "x=masks", "x=class:0", "x=nan", "x=mask+x", "x=picture+mask+known"],
)
def test_text_that_is_no_role_is_refused(text: str) -> None:
    with pytest.raises(PocketganError, match="does not say what goes into which input"):
        read_role(text)


def test_mask_and_class_behind_a_picture_are_0_and_1_in_the_generators_own_inputs() -> None:
    inputs = [port("mask", 2, 2, dtype="bool"), port("image", 2, 2, 1), port("label", 3)]
    roles = read_roles(["image=picture", "mask=mask", "label=class"])
    adapter = adapt_inputs(FILE, inputs, StatedFacts(inputs=roles, input_pixels=(-1, 1)))
    whole = -np.ones((1, 2, 2, 5), np.float32)
    whole[0, 0, 1, 1] = 1  # hidden
    whole[..., 3] = 1  # the second class
    mask, image, label = (np.asarray(each) for each in adapter.source_inputs(whole))
    assert mask.tolist() == [[[False, True], [False, False]]]
    assert image.shape == (1, 2, 2, 1)
    assert label.tolist() == [[0, 1, 0]]


@pytest.mark.parametrize(
    ("inputs", "roles"),
    [
        ([port("valid", 1, 2, 1), port("image", 1, 2, 3)], []),
        ([port("m", 1, 2, 1), port("image", 1, 2, 3)], ["m=known"]),
        ([port("m", 1, 2, 3), port("image", 1, 2, 3)], ["m=known"]),
        ([port("image", 1, 2, 4)], ["image=picture+known"]),
    ],
)
def test_mask_of_what_is_known_is_0_where_the_picture_is_hidden(
    inputs: list[ModelInput], roles: list[str]
) -> None:
    facts = StatedFacts(inputs=read_roles(roles), input_pixels=(-1, 1))
    adapter = adapt_inputs(FILE, inputs, facts)
    whole = np.array([[[[-1, 0, 1, 1], [0.5, 0, 0.5, -1]]]], np.float32)  # the first one hidden
    given = np.concatenate([np.asarray(each) for each in adapter.source_inputs(whole)], -1)
    marks, pictures = (
        (given[..., 3:], given[..., :3]) if len(inputs) == 1 else (given[..., :-3], given[..., -3:])
    )
    assert (marks[0, 0] == [[0], [1]]).all()
    np.testing.assert_array_equal(pictures, whole[..., :3])
    assert any(
        "1 where the picture is known (if it is 1 where it is hidden" in note
        for note in adapter.notes
    )


def test_mask_in_the_channels_of_a_picture_is_0_and_1_whatever_black_and_white_are() -> None:
    facts = StatedFacts(inputs=read_roles(["x=picture+mask"]), input_pixels=(-1, 1))
    adapter = adapt_inputs(FILE, [port("x", 1, 2, 4)], facts)
    whole = np.array([[[[-1, 0, 1, 1], [0.5, 0, 0.5, -1]]]], np.float32)
    (given,) = map(np.asarray, adapter.source_inputs(whole))
    assert given[0, 0, :, 3].tolist() == [1, 0]


# ---------------------------------------------------------------------- whole generators


def loaded(path: Path) -> Teacher:
    """The generator in a file, with guesses for what that does not say."""
    facts: dict[str, Any] = {}
    try:
        return load_teacher(path)
    except MissingFactsError as error:
        for fact in error.missing:
            inputs = {**facts.get("inputs", {}), **fact.guess.get("inputs", {})}
            facts |= {**fact.guess, "inputs": inputs}
    return load_teacher(path, **facts)


SHAPES: Mapping[str, Shape] = {
    "inpainting": (16, 16, 4),
    "style": (16, 16, 6),
    "strength": (16, 16, 3),
    "truncated": (10,),
    "latent_map": (128,),
    "two_latents": (10,),
    "by_class": (16, 16, 8),
    "two_outputs": (10,),
    "any_size": (256, 256, 4),
}


@pytest.mark.parametrize("name", SHAPES)
def test_generator_of_keras_is_loaded_once_all_that_is_missing_is_said(
    name: str, foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path
) -> None:
    foreign_inputs[name](keras).save(tmp_path / "model.keras")
    teacher = loaded(tmp_path / "model.keras")
    assert teacher.model.input_shape[1:] == SHAPES[name]
    assert not teacher.is_opaque


def test_number_is_what_the_person_says(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path
) -> None:
    model = foreign_inputs["truncated"](keras)
    model.save(tmp_path / "model.keras")
    teacher = load_teacher(tmp_path / "model.keras", inputs=read_roles(["truncation_psi=0.25"]))
    latents = teacher.random_inputs(3)
    expected = model.predict([latents, np.full((3, 1), 0.25, np.float32)], verbose=0)
    np.testing.assert_allclose(teacher.model(latents), expected, atol=1e-5)
    assert "its input 'truncation_psi' is 0.25 for all pictures" in teacher.notes


def test_number_of_one_leaves_a_generator_that_can_be_slimmed(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path
) -> None:
    foreign_inputs["truncated"](keras).save(tmp_path / "model.keras")
    teacher = load_teacher(tmp_path / "model.keras", inputs=read_roles(["truncation_psi=1"]))
    assert not refusals(teacher.folded)


def test_output_is_the_one_that_the_person_names(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path
) -> None:
    foreign_inputs["two_outputs"](keras).save(tmp_path / "model.keras")
    teacher = load_teacher(tmp_path / "model.keras", output="coarse")
    assert teacher.model.output_shape[1:] == (8, 8, 1)
    assert {layer.name for layer in teacher.layers} == {"fc", "map", "coarse"}
    with pytest.raises(PocketganError, match="has no output 'finer'"):
        load_teacher(tmp_path / "model.keras", output="finer")


def test_input_that_the_generator_does_not_have_is_refused(
    foreign_inputs: Mapping[str, Callable[[Any], Any]], tmp_path: Path
) -> None:
    foreign_inputs["style"](keras).save(tmp_path / "model.keras")
    with pytest.raises(PocketganError, match="no input 'styl'"):
        load_teacher(tmp_path / "model.keras", inputs=read_roles(["styl=picture"]))


@pytest.mark.parametrize(
    ("channels", "word", "sizes"),
    [
        (4, "picture+mask", [3, 1]),
        (2, "picture+mask", [1, 1]),
        (7, "picture+picture+mask", [3, 3, 1]),
    ],
)
def test_channels_of_a_single_input_are_named(channels: int, word: str, sizes: list[int]) -> None:
    facts = StatedFacts(inputs=read_roles([f"x={word}"]), input_pixels=(0, 1))
    adapter = adapt_inputs(FILE, [port("x", 8, 8, channels)], facts)
    assert [part.size for part in adapter.parts] == sizes
    assert [part.kind for part in adapter.parts] == word.split("+")
    assert adapter.shape == (8, 8, channels)


def test_option_of_an_odd_name_is_quoted_for_the_shell() -> None:
    with pytest.raises(MissingFactsError) as caught:
        adapt_inputs(FILE, [Z, port("the strength; really", 1)], StatedFacts())
    assert shlex.split(caught.value.options) == ["--input", "the strength; really=1"]


def test_kinds_are_words_that_a_person_may_write() -> None:
    assert {*InputKind} == {"latent", "class", "picture", "mask", "number"}
