import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from deploy.errors import PocketganError
from pipeline.cli import main
from pipeline.compression.graph import resized
from pipeline.importers.teacher import Teacher
from pipeline.networks.settings import StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.recipe.reading import load_recipe
from pipeline.recipe.sections import Recipe
from pipeline.search.builder import StudentBuilder
from pipeline.search.sizes import with_sizes
from pipeline.search.space import StudentShape, space_of

DEEP = StudentSettings("unet", 0, (4, 4, 6, 6), 0)


def teacher_of(settings: StudentSettings) -> Teacher:
    """A generator 32×32 → 32×32 in colour that is built as a student is."""
    side, pixels = (32, 32, 3), (-1.0, 1.0)
    shape = TranslatorShape(source=side, image=side, source_pixels=pixels, pixels=pixels)
    return Teacher(
        model=build_translator_student(settings, shape),
        latent=0,
        classes=0,
        pixels=pixels,
        input_pixels=pixels,
        origin="a test",
    )


@pytest.fixture(scope="module")
def pictures() -> StudentBuilder:
    """Builds students of a U-Net that halves its pictures three times."""
    return StudentBuilder(teacher_of(DEEP), 1)


@pytest.fixture
def recipe_of(tiny_recipe: Path) -> Callable[..., Recipe]:
    """A function that makes a recipe of these blocks and sizes."""

    def make(blocks: str, sizes: str, *more: str) -> Recipe:
        return load_recipe(
            str(tiny_recipe),
            ["--search.blocks", blocks, "--convert.sizes", sizes, "--budget.max_kb", "50", *more],
        )

    return make


def test_recipe_stays_as_it_is_where_every_student_can_have_the_sizes(
    pictures: StudentBuilder, recipe_of: Callable[..., Recipe]
) -> None:
    for sizes in ("[]", "[64x32, 480x320]"):
        recipe = recipe_of("[residual, unet_half, slim]", sizes)
        assert with_sizes(recipe, pictures) == recipe


def test_block_that_cannot_have_a_size_is_left_out_with_a_note_and_the_others_halve_less(
    pictures: StudentBuilder, recipe_of: Callable[..., Recipe], capfd: pytest.CaptureFixture[str]
) -> None:
    narrowed = with_sizes(
        recipe_of("[residual, unet, unet_half, slim]", "[64x64, 42x36, 30x50]"), pictures
    )
    assert narrowed.search.blocks == ["residual", "unet"]
    assert narrowed.search.halvings == 1
    note = " ".join("".join(capfd.readouterr()).split())
    assert "search without block unet_half: it cannot read 42x36, 30x50" in note
    assert "search without block slim" in note


def test_every_student_of_the_narrowed_search_can_have_the_sizes(
    pictures: StudentBuilder, recipe_of: Callable[..., Recipe]
) -> None:
    recipe = with_sizes(recipe_of("[residual, unet, unet_half]", "[36x20]"), pictures)
    space = space_of(recipe.search, recipe.budget, pictures)
    assert space.blocks == ("residual", "unet", "unet_half")
    for block in space.blocks:
        deepest = StudentShape(block=block, rank=0, taper=1.0, mixers=0, depth=7)
        student = pictures.build(space.student(deepest, 4))
        assert resized(student, (20, 36)).output_shape == (None, 20, 36, 3)


@pytest.mark.parametrize(
    ("blocks", "parts", "block"),
    [
        ("[unet_half]", 4, "unet_half"),
        ("[unet_half, slim, unet]", 2, "unet"),
        ("[slim]", 8, "slim"),
    ],
)
def test_sizes_that_no_block_can_have_are_refused_and_the_remedy_works(
    blocks: str,
    parts: int,
    block: str,
    pictures: StudentBuilder,
    recipe_of: Callable[..., Recipe],
) -> None:
    with pytest.raises(PocketganError, match=f"block {block} cannot read 33x35") as error:
        with_sizes(recipe_of(blocks, "[64x64, 33x35]"), pictures)
    remedy = str(error.value.remedy)
    assert f"multiples of {parts}, which block {block} can read" in remedy
    with_sizes(recipe_of(blocks, f"[64x64, {5 * parts}x{3 * parts}]"), pictures)
    assert "or allow block residual in search.blocks" in remedy
    with_sizes(recipe_of("[residual]", "[64x64, 33x35]"), pictures)


def test_student_that_is_named_is_held_against_the_sizes(
    pictures: StudentBuilder, recipe_of: Callable[..., Recipe]
) -> None:
    named = '{"block": "unet", "rank": 0, "channels": [4, 6, 8], "mixers": 0}'
    with pytest.raises(PocketganError, match="block unet cannot read 42x36") as error:
        with_sizes(recipe_of("[residual]", "[42x36]", "--search.student", named), pictures)
    assert re.search("multiples of 4, .* or name in search.student", str(error.value.remedy))
    with_sizes(recipe_of("[residual]", "[44x36]", "--search.student", named), pictures)


def test_generator_of_latents_has_no_further_sizes(
    builder: StudentBuilder, recipe_of: Callable[..., Recipe]
) -> None:
    with pytest.raises(PocketganError, match=r"convert.sizes is for generators that read"):
        with_sizes(recipe_of("[sub_pixel]", "[64x64]"), builder)


def test_run_of_a_generator_that_is_there_is_refused_as_compress_is(
    tmp_path: Path, recipe_of: Callable[..., Recipe], capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "deep.keras"
    teacher_of(DEEP).model.save(file)
    recipe = tmp_path / "deep.yaml"
    values = {
        "name": "deep",
        "teacher": {
            "file": str(file),
            "pixels": [-1, 1],
            "input_pixels": [-1, 1],
            "inputs": str(tmp_path),
        },
        "search": {"blocks": ["unet"]},
        "budget": {"max_kb": 50},
        "convert": {"sizes": ["33x35"]},
    }
    recipe.write_text(yaml.safe_dump(values))
    assert main(["run", str(recipe), "--runs", str(tmp_path / "runs")]) == 2
    _, err = capfd.readouterr()
    assert "block unet cannot read 33x35" in " ".join(err.split())
    assert not (tmp_path / "runs").exists()
