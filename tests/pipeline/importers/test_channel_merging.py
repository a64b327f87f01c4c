"""Channels of the one picture, joined as the generator's own inputs were."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from pipeline.compression.int8_layers import refusals
from pipeline.compression.slimming import channel_groups
from pipeline.importers.channel_merging import without_joining
from pipeline.importers.input_roles import read_roles
from pipeline.importers.teacher import load_teacher
from pipeline.networks.layers import Part

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


RESCALED = {
    "by a number": lambda port: L.Rescaling(1 / 127.5, -1.0)(port),
    "by a number a channel": lambda port: L.Rescaling([0.1, 0.2, 0.3], [0.0, 0.5, 1.0])(port),
    "twice": lambda port: L.Rescaling([4.0, 5.0, 6.0], -2.0)(L.Rescaling(1 / 255)(port)),
    "by arithmetic": lambda port: (port / 255 - np.float32([0.4, 0.5, 0.6])) / np.float32(0.2),
}


@pytest.mark.parametrize("rescale", RESCALED.values(), ids=RESCALED)
def test_what_the_generator_rescales_first_is_a_kernel_too(
    rescale: Callable[[Any], Any], tmp_path: Path
) -> None:
    port = keras.Input((*SIZE, 3), name="x")
    path, model = saved(tmp_path, [port], rescale(port))
    teacher = load_teacher(path, input_pixels=(0, 255))
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    np.testing.assert_allclose(teacher.model(given), model.predict(given, verbose=0), atol=1e-5)


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


def test_range_that_the_generator_says_by_rescaling_first_is_still_read(tmp_path: Path) -> None:
    port = keras.Input((*SIZE, 3), name="x")
    path, _ = saved(tmp_path, [port], L.Rescaling(1 / 127.5, -1.0)(port))
    assert load_teacher(path).input_pixels == (0, 255)


def test_picture_that_is_rescaled_by_a_number_a_pixel_is_no_kernel() -> None:
    port = tf_keras.Input((2, 2, 2))
    scale = np.arange(8.0).reshape(2, 2, 2).tolist()
    model = tf_keras.Model(port, tf_keras.layers.Rescaling(scale)(port))
    assert without_joining(model) is model


def end(drawn: Any) -> Any:
    return L.Conv2D(3, 3, padding="same", activation="sigmoid")(drawn)


def of_sum(image: Any, mask: Any) -> Any:
    return L.Add()([end(L.Concatenate()([image, mask])), image])


def of_composition(image: Any, mask: Any) -> Any:
    return end(L.Concatenate()([image, mask])) * mask + image * (1 - mask)


def of_hidden_picture(image: Any, mask: Any) -> Any:
    hidden = image * (1 - mask)
    return end(L.Concatenate()([hidden, mask])) * mask + hidden


def shared(image: Any, mask: Any) -> Any:
    scaled = L.Rescaling(2.0, -1.0)
    return end(L.Concatenate()([scaled(image), scaled(mask), mask]))


@pytest.mark.parametrize("pixels", [(-1, 1), (0, 1)])
@pytest.mark.parametrize("draw", [of_sum, of_composition, of_hidden_picture, shared])
def test_parts_that_are_read_again_behind_what_joins_them_draw_the_same(
    draw: Callable[[Any, Any], Any], pixels: tuple[float, float], tmp_path: Path
) -> None:
    image, mask = keras.Input((*SIZE, 3), name="image"), keras.Input((*SIZE, 1), name="mask")
    model = keras.Model([image, mask], draw(image, mask))
    model.save(tmp_path / "generator.keras")
    teacher = load_teacher(tmp_path / "generator.keras", pixels=(0, 1), input_pixels=pixels)
    assert not teacher.is_opaque
    assert not refusals(teacher.folded)
    given = teacher.random_inputs(2)
    low, high = pixels
    marks = (given[..., 3:] - low) / (high - low)
    drawn = model.predict([given[..., :3], marks], verbose=0)
    np.testing.assert_allclose(teacher.model(given), drawn, atol=1e-5)


def test_channels_behind_a_mirrored_border_are_joined_there(tmp_path: Path) -> None:
    port = keras.Input((*SIZE, 4), name="x")
    x = L.Conv2D(4, 3, activation="relu")(port)
    keras.Model(port, L.Conv2D(3, 3, activation="tanh")(x)).save(tmp_path / "generator.keras")
    roles = read_roles(["x=picture+known"])
    teacher = load_teacher(tmp_path / "generator.keras", input_pixels=(-1, 1), inputs=roles)
    assert not refusals(teacher.folded)
    assert names(teacher.model)[1:3] == ["ReflectionPadding2D", "Conv2D"]
    given = teacher.random_inputs(1)
    border = np.pad(given, [(0, 0), (2, 2), (2, 2), (0, 0)], "reflect")
    border[..., 3] = (1 - border[..., 3]) / 2
    drawn = keras.models.load_model(tmp_path / "generator.keras").predict(border, verbose=0)
    np.testing.assert_allclose(teacher.model(given), drawn, atol=1e-5)


def test_output_that_is_a_rescaled_part_is_a_kernel() -> None:
    port = tf_keras.Input((2, 3, 4))
    part = Part(1, 3, name="part")(port)
    model = tf_keras.Model(port, tf_keras.layers.Rescaling(0.5, 0.25)(part))
    given = np.random.default_rng(0).random((2, 2, 3, 4), np.float32)
    np.testing.assert_allclose(without_joining(model)(given), model(given), atol=1e-6)


def test_channels_of_what_only_joins_the_inputs_are_not_cut(tmp_path: Path) -> None:
    image, mask = keras.Input((*SIZE, 3), name="image"), keras.Input((*SIZE, 1), name="mask")
    path, _ = saved(tmp_path, [image, mask], L.Concatenate()([image, mask]))
    groups = channel_groups(load_teacher(path, input_pixels=(-1, 1)).model)
    assert [group.channels for group in groups if not group.reason] == [6]
