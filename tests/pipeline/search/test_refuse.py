from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tf_keras
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data.dataset import Dataset
from pipeline.data.sources import TEACHER
from pipeline.importers.input_pictures import FEWEST_INPUTS
from pipeline.importers.input_roles import InputKind, InputPart
from pipeline.importers.teacher import Teacher
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.search.builder import StudentBuilder
from pipeline.search.refuse import FEWEST_PAIRS, refuse_mismatches, refuse_shape

SIDE = 8
MASK = (InputKind.MASK, 1)
STYLE = (InputKind.PICTURE, 3)


def reader(*further: tuple[InputKind, int]) -> Teacher:
    """A teacher that reads a picture in colour, and what lies behind it."""
    kinds = [(InputKind.PICTURE, 3), *further]
    parts = tuple(
        InputPart(name=f"input_{number}", kind=kind, size=size)
        for number, (kind, size) in enumerate(kinds)
    )
    port = tf_keras.Input((SIDE, SIDE, sum(size for _, size in kinds)))
    return Teacher(
        model=tf_keras.Model(port, tf_keras.layers.Conv2D(3, 1)(port)),
        latent=0,
        classes=0,
        pixels=(-1.0, 1.0),
        input_pixels=(-1.0, 1.0),
        origin="a test",
        parts=parts,
    )


@pytest.fixture
def recipe_of(tmp_path: Path) -> Callable[..., Recipe]:
    def load(**teacher: str) -> Recipe:
        values = {"file": "their.onnx", **teacher}
        return load_recipe({"name": "test", "data": {"source": TEACHER}, "teacher": values})

    return load


@pytest.mark.parametrize("further", [(), (MASK,), (STYLE,), (STYLE, MASK)])
def test_pictures_of_a_folder_come_with_all_that_the_teacher_reads(
    further: tuple[tuple[InputKind, int], ...], recipe_of: Callable[..., Recipe], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(FEWEST_INPUTS):
        Image.new("RGB", (SIDE, SIDE), (number, 5, 9)).save(folder / f"{number:02}.png")
    teacher = reader(*further)
    pictures = refuse_mismatches(
        recipe_of(inputs=str(folder)),
        StudentBuilder(teacher, 1),
        read_dataset=lambda: pytest.fail("no other pictures are needed"),
        cache=tmp_path / "cache",
    )
    assert pictures is not None
    assert pictures.shape == (FEWEST_INPUTS, *teacher.model.input_shape[1:])
    assert teacher.model(np.float32(pictures)).shape == (FEWEST_INPUTS, SIDE, SIDE, 3)


def test_pictures_that_nobody_named_are_asked_for(recipe_of: Callable[..., Recipe]) -> None:
    with pytest.raises(PocketganError, match="learns from a folder") as caught:
        refuse_shape(recipe_of(), reader())
    assert caught.value.remedy == "Give --inputs FOLDER."


def test_latents_have_no_mirror_image(recipe_of: Callable[..., Recipe]) -> None:
    latent = tf_keras.Input((8,))
    teacher = replace(reader(), model=tf_keras.Model(latent, latent), latent=8)
    with pytest.raises(PocketganError, match="reads latents, which have no mirror image"):
        refuse_mismatches(
            recipe_of(self_ensemble="true"),
            StudentBuilder(teacher, 1),
            read_dataset=lambda: pytest.fail("it is refused before"),
            cache=Path(),
        )


@pytest.mark.parametrize("count", [FEWEST_PAIRS - 1, FEWEST_PAIRS])
def test_run_of_few_pairs_has_no_student(count: int, tmp_path: Path) -> None:
    pictures = np.zeros((count, SIDE, SIDE, 3), np.uint8)
    dataset = Dataset(
        name="few",
        train=pictures,
        test=pictures,
        train_labels=None,
        test_labels=None,
        classes=(),
        train_inputs=pictures,
        test_inputs=pictures,
    )
    data = {"source": "folder", "folder": str(tmp_path), "degrade": "blur", "channels": 3}
    recipe = load_recipe({"name": "test", "data": data, "teacher": {"file": "their.onnx"}})
    few = pytest.raises(PocketganError, match=f"{count} pictures to train on: too few")
    with few if count < FEWEST_PAIRS else nullcontext():
        refuse_mismatches(
            recipe, StudentBuilder(reader(), 1), read_dataset=lambda: dataset, cache=tmp_path
        )


@pytest.mark.parametrize("batch", [7, 8, 4])
def test_files_that_draw_more_at_once_than_is_held_back_are_refused(
    batch: int, recipe_of: Callable[..., Recipe], tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(FEWEST_INPUTS):
        Image.new("RGB", (SIDE, SIDE), (number, 5, 9)).save(folder / f"{number:02}.png")
    recipe = recipe_of(inputs=str(folder))
    recipe = replace(recipe, convert=replace(recipe.convert, batch=batch))
    refused = pytest.raises(PocketganError, match="smallest of its three parts has 7 pictures")
    with refused if batch != 7 else nullcontext() as caught:
        refuse_mismatches(
            recipe,
            StudentBuilder(reader(), 1),
            read_dataset=lambda: pytest.fail("no other pictures are needed"),
            cache=tmp_path / "cache",
        )
    if caught is not None:
        assert caught.value.remedy == "Give more photos, or set convert.batch to 7."
