"""Channels of the one picture, joined as the generator's own inputs were."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from pipeline.compression.int8_layers import refusals
from pipeline.importers.input_roles import read_roles
from pipeline.importers.teacher import load_teacher

L = keras.layers
SIZE = (12, 16)


def saved(folder: Path, ports: Sequence[Any], first: Any) -> tuple[Path, keras.Model]:
    """A generator whose convolutions start from ``first``, as a file and as it is."""
    x = L.Conv2D(6, 3, padding="same", activation="relu")(first)
    model = keras.Model(list(ports), L.Conv2D(3, 3, padding="same", activation="tanh")(x))
    model.save(folder / "generator.keras")
    return folder / "generator.keras", model


def names(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize("pixels", [(-1, 1), (0, 1), (0, 255)])
@pytest.mark.parametrize("mask_first", [False, True])
@pytest.mark.parametrize("word", ["mask", "known"])
def test_picture_and_mask_are_joined_by_a_kernel_and_draw_the_same(
    pixels: tuple[float, float], mask_first: bool, word: str, tmp_path: Path
) -> None:
    image, mask = keras.Input((*SIZE, 3), name="image"), keras.Input((*SIZE, 1), name="mask")
    first = L.Concatenate()([mask, image] if mask_first else [image, mask])
    path, model = saved(tmp_path, [image, mask], first)
    roles = read_roles([f"mask={word}"])
    teacher = load_teacher(path, input_pixels=pixels, inputs=roles)
    assert not refusals(teacher.folded)
    is_plain = pixels == (0, 1) and word == "mask" and not mask_first
    assert names(teacher.model).count("Conv2D") == (2 if is_plain else 3)

    given = teacher.random_inputs(2)
    low, high = pixels
    hidden = np.random.default_rng(0).random((2, *SIZE, 1)) < 0.5
    given[..., 3:] = np.where(hidden, high, low)
    marks = (hidden if word == "mask" else ~hidden).astype(np.float32)
    drawn = model.predict([given[..., :3], marks], verbose=0)
    np.testing.assert_allclose(teacher.model(given), drawn, atol=1e-5)


def test_mask_in_the_channels_of_the_picture_is_slimmed_too(tmp_path: Path) -> None:
    port = keras.Input((*SIZE, 4), name="x")
    path, model = saved(tmp_path, [port], port)
    roles = read_roles(["x=picture+known"])
    teacher = load_teacher(path, input_pixels=(-1, 1), inputs=roles)
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    own = np.concatenate([given[..., :3], (1 - given[..., 3:]) / 2], -1)
    np.testing.assert_allclose(teacher.model(given), model.predict(own, verbose=0), atol=1e-5)


def test_parts_that_are_read_apart_are_each_a_kernel(tmp_path: Path) -> None:
    content, style = keras.Input((*SIZE, 3), name="content"), keras.Input((*SIZE, 3), name="style")
    first = L.Add()([L.Conv2D(4, 1)(content), L.Conv2D(4, 3, padding="same")(style)])
    path, model = saved(tmp_path, [content, style], first)
    teacher = load_teacher(path, input_pixels=(0, 1))
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    drawn = model.predict([given[..., :3], given[..., 3:]], verbose=0)
    np.testing.assert_allclose(teacher.model(given), drawn, atol=1e-5)


@pytest.mark.parametrize("word", ["mask", "known"])
@pytest.mark.parametrize("pixels", [(-1, 1), (0, 1)])
def test_picture_that_is_read_again_behind_its_joining_is_a_kernel_too(
    pixels: tuple[float, float], word: str, tmp_path: Path
) -> None:
    """As inpainters hide what they fill, and paste what they drew into what they read."""
    image, mask = keras.Input((*SIZE, 3), name="image"), keras.Input((*SIZE, 1), name="mask")
    shown = 1 - mask
    first = L.Concatenate()([image * shown, mask])
    x = L.Conv2D(6, 3, padding="same", activation="relu")(first)
    x = L.Conv2D(3, 3, padding="same", activation="tanh")(x)
    model = keras.Model([image, mask], x * mask + image * shown)
    model.save(tmp_path / "inpainter.keras")
    teacher = load_teacher(
        tmp_path / "inpainter.keras",
        input_pixels=pixels,
        pixels=pixels,
        inputs=read_roles([f"mask={word}"]),
    )
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    marks = (given[..., 3:] - pixels[0]) / (pixels[1] - pixels[0])
    own = [given[..., :3], marks if word == "mask" else 1 - marks]
    np.testing.assert_allclose(teacher.model(given), model.predict(own, verbose=0), atol=1e-5)


def test_one_of_two_joined_pictures_may_be_added_back(tmp_path: Path) -> None:
    content, style = keras.Input((*SIZE, 3), name="content"), keras.Input((*SIZE, 3), name="style")
    x = L.Conv2D(3, 3, padding="same")(L.Concatenate()([content, style]))
    model = keras.Model([content, style], L.Activation("tanh")(x + content))
    model.save(tmp_path / "residual.keras")
    teacher = load_teacher(tmp_path / "residual.keras", input_pixels=(-1, 1))
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    drawn = model.predict([given[..., :3], given[..., 3:]], verbose=0)
    np.testing.assert_allclose(teacher.model(given), drawn, atol=1e-5)


def test_what_the_generator_rescales_itself_stays(tmp_path: Path) -> None:
    port = keras.Input((*SIZE, 3), name="x")
    path, _ = saved(tmp_path, [port], L.Rescaling(1 / 127.5, -1.0)(port))
    assert "Rescaling" in names(load_teacher(path).model)
