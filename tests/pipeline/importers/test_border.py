"""Generators that draw less than they read."""

from pathlib import Path

import keras
import numpy as np
import pytest

from pipeline.importers.border import missing_border
from pipeline.importers.teacher import load_teacher


@pytest.mark.parametrize(
    ("read", "drawn", "border"),
    [
        ((33, 33), (21, 21), 6),  # SRCNN
        ((256, 256), (484, 484), 7),  # waifu2x, twice as large
        ((40, 64), (30, 54), 5),
        ((64, 64), (64, 64), 0),
        ((64, 64), (192, 192), 0),
        ((64, 64), (32, 32), 0),  # halves
        ((64, 64), (63, 63), 0),  # more on one side than on the other
        ((40, 64), (30, 48), 0),  # another shrinks
    ],
)
def test_border_explains_the_sizes(
    read: tuple[int, int], drawn: tuple[int, int], border: int
) -> None:
    assert missing_border(read, drawn) == border


@pytest.mark.parametrize("scale", [1, 2])
def test_what_convolutions_take_away_is_mirrored_before_them(scale: int, tmp_path: Path) -> None:
    layers = keras.layers
    port = layers.Input((24, 28, 3))
    x = layers.Conv2D(4, 5, activation="relu")(port)
    x = layers.Conv2DTranspose(4, 2, 2)(x) if scale == 2 else x
    model = keras.Model(port, layers.Conv2D(3, 1, activation="sigmoid")(x))
    model.save(tmp_path / "valid.keras")
    teacher = load_teacher(tmp_path / "valid.keras", input_pixels=(0, 1))
    assert not teacher.is_opaque
    assert teacher.model.input_shape == (None, 20, 24, 3)
    assert teacher.model.output_shape == (None, 20 * scale, 24 * scale, 3)
    assert "2 pixels less on each side than it reads (28×24)" in teacher.notes[0]
    pictures = teacher.random_inputs(2)
    mirrored = np.pad(pictures, [(0, 0), (2, 2), (2, 2), (0, 0)], mode="reflect")
    np.testing.assert_allclose(teacher.model(pictures), model(mirrored), atol=1e-5)
