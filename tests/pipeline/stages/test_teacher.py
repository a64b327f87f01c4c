from pathlib import Path

import numpy as np
import pytest
import tf_keras
from PIL import Image

from pipeline.artifacts import HELD_BACK, PAIRS, REFERENCE, read_distillation_set
from pipeline.recipe.reading import load_recipe
from pipeline.run import Run


@pytest.fixture
def generator(tmp_path: Path) -> str:
    """Latents of 8 numbers and one of two classes → pictures [8, 8, 1]."""
    path = tmp_path / "two.keras"
    layers = tf_keras.layers
    tf_keras.Sequential(
        [tf_keras.Input((10,)), layers.Dense(64, "tanh"), layers.Reshape((8, 8, 1))]
    ).save(path)
    return str(path)


SIDE = 8


def of_photos(tiny_recipe: Path, folder: Path, rows: int, *further: str) -> Run:
    """A run after its stage teacher: a convolution that reads tiles of three photos, whose rows
    are of other brightnesses."""
    photo = tf_keras.Input((SIDE, SIDE, 1))
    x = tf_keras.layers.Conv2D(1, 3, padding="same", activation="tanh")(photo)
    tf_keras.Model(photo, x).save(folder / "photo.keras")
    photos = folder / "photos"
    photos.mkdir()
    for number in range(3):
        row_of = np.arange(SIDE * rows)[:, None] // SIDE
        noise = np.random.default_rng(number).integers(0, 8, (SIDE * rows, SIDE * rows))
        pixels = (row_of * 16 + noise).astype(np.uint8)
        Image.fromarray(pixels).save(photos / f"{number}.png")
    overrides = [
        *("--name", "tiles", "--teacher.file", str(folder / "photo.keras")),
        *("--teacher.inputs", str(photos), "--teacher.input_pixels", "[-1, 1]"),
        *("--teacher.cut", "tiles", "--data.source", "teacher", "--data.image_size", str(SIDE)),
        *further,
    ]
    run = Run(load_recipe(str(tiny_recipe), overrides), folder / "runs")
    run.make("teacher")
    return run


def test_lessons_hold_the_classes_in_the_shares_of_the_data(
    tiny_recipe: Path, generator: str, unequal: str, tmp_path: Path
) -> None:
    overrides = [
        *("--name", "small", "--teacher.file", generator, "--teacher.classes", "2"),
        *("--teacher.lessons", "1000", "--generator.conditional", "true"),
        *("--data.source", "folder", "--data.folder", unequal, "--data.image_size", "8"),
    ]
    run = Run(load_recipe(str(tiny_recipe), overrides), tmp_path)
    run.make("teacher")
    for name in (PAIRS, REFERENCE):
        inputs = read_distillation_set(run.path("teacher"), name).inputs
        np.testing.assert_allclose(inputs[:, 8:].mean(axis=0), [0.75, 0.25], atol=0.04)


def test_tiles_to_judge_by_are_no_more_than_there_is_time_for_and_from_all_over_a_photo(
    tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.stages.teacher.JUDGED", 30)
    monkeypatch.setattr("pipeline.stages.teacher.REFERENCE_SIZE", 40)
    rows = 12
    run = of_photos(tiny_recipe, tmp_path, rows)
    for name in (REFERENCE, HELD_BACK):
        inputs = read_distillation_set(run.path("teacher"), name).inputs
        assert len(inputs) == 40
        assert len(np.unique(inputs[:, 0, 0, 0] // 16)) > rows // 2
        assert len(np.unique(inputs.reshape(40, -1), axis=0)) == 40


def test_lessons_of_a_self_ensemble_are_the_mean_with_the_mirror_image_and_no_other_picture_is(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    run = of_photos(tiny_recipe, tmp_path, 4, "--teacher.self_ensemble", "true")
    drawing = tf_keras.models.load_model(tmp_path / "photo.keras", compile=False)

    def drawn(inputs: np.ndarray) -> np.ndarray:
        pictures: np.ndarray = drawing(inputs / np.float32(127.5) - 1).numpy()
        return (pictures + 1) * 127.5

    for name, is_mean in ((PAIRS, True), (REFERENCE, False), (HELD_BACK, False)):
        pairs = read_distillation_set(run.path("teacher"), name)
        plain = drawn(pairs.inputs)
        mean = (plain + drawn(pairs.inputs[:, :, ::-1])[:, :, ::-1]) / 2
        assert np.abs(plain - mean).max() > 3
        np.testing.assert_allclose(pairs.pictures, mean if is_mean else plain, atol=1.01)
