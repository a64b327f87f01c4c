from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.artifacts import PAIRS, REFERENCE, read_distillation_set
from pipeline.recipe import load_recipe
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
