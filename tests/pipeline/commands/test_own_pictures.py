"""`pocketgan run FOLDER`: what follows from the pictures."""

from pathlib import Path

import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.cli import main
from pipeline.commands import own_pictures
from pipeline.commands.own_pictures import LEAST_TEST, SMALLEST_CLASS, STEPS, choices, recipe_of
from pipeline.data.reading import Request
from pipeline.data.sources import load
from pipeline.stages.evaluate import FEWEST


def fill(folder: Path, count: int = 4, *, side: int = 48, colour: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = (2 * number, 200, 0) if colour else (2 * number,) * 3
        Image.new("RGB", (side, side + 3), pixels).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(("side", "size"), [(300, 64), (64, 64), (63, 32), (20, 20)])
def test_the_size_is_one_that_the_pictures_have(tmp_path: Path, side: int, size: int) -> None:
    recipe = recipe_of(fill(tmp_path / "a", side=side), [])
    assert recipe.data.image_size == size
    assert recipe.train.steps == STEPS.get(size, STEPS[32])


@pytest.mark.parametrize("colour", [True, False])
def test_the_channels_are_those_of_the_pictures(tmp_path: Path, colour: bool) -> None:
    recipe = recipe_of(fill(tmp_path / "a", colour=colour), [])
    assert recipe.data.channels == (3 if colour else 1)


@pytest.mark.parametrize(
    ("colour", "more", "discriminator"),
    [
        (True, [], "projected"),
        (True, ["--data.image_size", "28"], "r3gan"),
        (False, [], "r3gan"),
        (False, ["--data.channels", "3"], "projected"),
        (True, ["--discriminator.name", "dcgan"], "dcgan"),
    ],
)
def test_the_published_network_teaches_where_it_can_look(
    tmp_path: Path, colour: bool, more: list[str], discriminator: str
) -> None:
    recipe = recipe_of(fill(tmp_path / "a", side=64, colour=colour), more)
    assert recipe.discriminator.name == discriminator


def test_steps_follow_the_size_that_is_asked_for(tmp_path: Path) -> None:
    pictures = fill(tmp_path / "a", side=64)
    assert recipe_of(pictures, ["--data.image_size", "32"]).train.steps == STEPS[32]
    assert recipe_of(pictures, ["--train.steps", "7"]).train.steps == 7


@pytest.mark.parametrize(("count", "batch"), [(100, 32), (20, 14), (12, 6), (2, 1)])
def test_few_pictures_suffice_for_a_batch_and_for_the_test(
    tmp_path: Path, count: int, batch: int
) -> None:
    recipe = recipe_of(fill(tmp_path / "a", count), [])
    assert recipe.train.batch == batch
    request = Request(
        image_size=48,
        channels=3,
        folder=tmp_path / "a",
        cache=tmp_path / "cache",
        test_fraction=recipe.data.test_fraction,
        seed=1,
    )
    pictures = load("folder", request, minimum=batch)
    assert len(pictures.train) >= batch
    assert len(pictures.test) >= FEWEST == LEAST_TEST or count < 2 * FEWEST


def test_batch_is_one_that_the_pictures_without_broken_ones_fill(tmp_path: Path) -> None:
    pictures = fill(tmp_path / "a", 20)
    for number in range(10):
        (pictures / f"broken-{number}.png").write_bytes(b"no picture")
    assert recipe_of(pictures, []).train.batch == 14


@pytest.mark.parametrize("count", [SMALLEST_CLASS, SMALLEST_CLASS - 1])
def test_classes_are_asked_for_where_each_has_enough(tmp_path: Path, count: int) -> None:
    fill(tmp_path / "cats", count)
    fill(tmp_path / "dogs", SMALLEST_CLASS + 5)
    assert recipe_of(tmp_path, []).generator.conditional == (count == SMALLEST_CLASS)


def test_many_pictures_are_not_augmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path / "a")
    assert recipe_of(tmp_path / "a", []).train.augment
    monkeypatch.setattr(own_pictures, "MANY", 4)
    assert not recipe_of(tmp_path / "a", []).train.augment


@pytest.mark.parametrize(
    ("name", "run"), [("my cats, 2024!", "my-cats-2024"), ("Füße", "Füße"), ("…", "pictures")]
)
def test_the_run_is_called_as_the_folder(tmp_path: Path, name: str, run: str) -> None:
    assert recipe_of(fill(tmp_path / name), []).name == run


def test_the_command_line_goes_before_what_was_chosen(tmp_path: Path) -> None:
    fill(tmp_path / "a")
    recipe = recipe_of(tmp_path / "a", ["--data.image_size", "16"])
    assert "16 pixels a side" in choices(recipe)[1]


def test_fewer_pictures_than_can_be_judged_are_refused_before_a_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(fill(tmp_path / "a", 8)), "--runs", str(tmp_path / "runs")]) == 2
    assert "4 pictures for the test: too few to tell" in capsys.readouterr().err


def test_the_folder_of_a_run_is_refused_with_the_way_on(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("name: a")
    with pytest.raises(PocketganError) as error:
        recipe_of(tmp_path, [])
    assert f"pocketgan run {tmp_path / 'recipe.yaml'}" in error.value.remedy


def test_pictures_of_hardly_any_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="side of 1 pixels or less"):
        recipe_of(fill(tmp_path / "a", side=1), [])


def test_a_folder_whose_name_no_recipe_can_hold_is_worked_on_from_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fill(tmp_path / "b\udcff"))
    assert recipe_of(Path(), []).name == "b"


def test_a_name_cannot_move_the_cursor(tmp_path: Path) -> None:
    line, *_ = choices(recipe_of(fill(tmp_path / "a\n\x1b[2J"), []))
    assert line.isprintable()


def test_a_run_among_its_pictures_is_refused_before_it_draws_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = fill(tmp_path / "blots", 48, side=16)
    monkeypatch.chdir(folder)
    assert main(["train", "."]) == 2
    assert f"--runs {tmp_path / 'runs'}" in " ".join(capsys.readouterr().err.split())
    assert not (folder / "runs").exists()


def test_a_training_starts_on_a_folder_and_says_what_was_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = fill(tmp_path / "blots", 48, side=16)
    steps = ("--train.steps", "2", "--train.check_every", "2", "--train.batch", "8")
    assert main(["train", str(pictures), "--runs", str(tmp_path / "runs"), *steps]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "16 pixels a side (--data.image_size), colour" in said
    assert "too few: 38 pictures to train on are learnt by heart, and 10 to judge by" in said
    assert (tmp_path / "runs" / "blots" / "1-train").is_dir()
