from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.int8_layers import refusals
from pipeline.importers.input_layers import SameForAll
from pipeline.importers.merging import merged
from tests.pipeline.importers.rewritten import kinds, same_after

L = tf_keras.layers


def upsampler(kernel: int, crop: Any, *between: Any, **settings: Any) -> tf_keras.Model:
    conv = L.Conv2DTranspose(2, kernel, 2, **settings)
    return tf_keras.Sequential([L.Input((3, 4, 2)), conv, *between, L.Cropping2D(crop)])


PICTURES = np.random.default_rng(2).normal(size=(2, 3, 4, 2)).astype(np.float32)


@pytest.mark.parametrize(("kernel", "crop"), [(4, 1), (5, ((1, 2), (1, 2))), (2, 0)])
def test_cropping_to_what_same_gives_becomes_padding(kernel: int, crop: Any) -> None:
    between = (L.BatchNormalization(), L.ReLU())
    result = same_after(merged, upsampler(kernel, crop, *between), PICTURES)
    assert "Cropping2D" not in kinds(result)
    assert result.layers[1].padding == "same"


@pytest.mark.parametrize(
    ("kernel", "crop", "settings"),
    [
        (5, ((2, 1), (2, 1)), {}),
        (4, 2, {}),
        (4, 1, {"output_padding": 1}),
        (4, 1, {"padding": "same"}),
    ],
)
def test_other_cropping_stays(kernel: int, crop: Any, settings: Any) -> None:
    result = same_after(merged, upsampler(kernel, crop, **settings), PICTURES)
    assert "Cropping2D" in kinds(result)


def test_cropping_of_a_map_that_others_read_stays() -> None:
    port = tf_keras.Input((3, 4, 2))
    wide = L.Conv2DTranspose(2, 4, 2)(port)
    model = tf_keras.Model(port, L.Concatenate()([L.Cropping2D(1)(wide), L.Cropping2D(1)(wide)]))
    assert kinds(same_after(merged, model, PICTURES)).count("Cropping2D") == 2


def number(value: float) -> SameForAll:
    return SameForAll(value, [1], number="float32", has_batch=True)


@pytest.mark.parametrize("value", [1.0, 0.5])
@pytest.mark.parametrize("combine", [L.Multiply, L.Add, L.Subtract])
def test_number_that_is_the_same_for_all_rescales(combine: type, value: float) -> None:
    port = tf_keras.Input((3, 4, 2))
    factor = L.Reshape((1, 1, 1))(number(value)(port))
    model = tf_keras.Model(port, L.Conv2D(2, 1)(combine()([L.ReLU()(port), factor])))
    result = kinds(same_after(merged, model, PICTURES))
    without = value == 1.0 and combine is L.Multiply
    assert result == ["InputLayer", "ReLU", *([] if without else ["DepthwiseConv2D"]), "Conv2D"]


def test_number_that_is_read_otherwise_stays() -> None:
    port = tf_keras.Input((3, 4, 2))
    factor = L.Reshape((1, 1, 1))(number(0.5)(port))
    model = tf_keras.Model(port, L.Subtract()([factor, port]))
    assert "SameForAll" in kinds(same_after(merged, model, PICTURES))


def residual(factor: float = 0.2) -> tf_keras.Model:
    """As EDSR's and ESRGAN's blocks are: what a kernel makes is rescaled, and so is a sum."""
    port = tf_keras.Input((3, 4, 2))
    x = L.Conv2D(4, 3, padding="same")(port)
    inner = L.Rescaling(factor, name="of_kernel")(L.Conv2D(4, 3, padding="same")(x))
    outer = L.Rescaling(factor, 0.1, name="of_sum")(L.Add()([x, inner]))
    return tf_keras.Model(port, L.Conv2D(2, 3, padding="same")(L.Add()([x, outer])))


def test_maps_that_are_rescaled_between_layers_have_an_int8_form() -> None:
    result = same_after(merged, residual(), PICTURES)
    folded = fold_batch_norm(result)
    assert refusals(folded) == {}
    assert "of_kernel" not in {layer.name for layer in folded.layers}
    assert type(folded.get_layer("of_sum")) is L.DepthwiseConv2D


def test_pictures_that_are_rescaled_as_they_are_drawn_stay_so() -> None:
    """Students are cut out before that."""
    ends = [L.Rescaling(0.5, 0.5), L.ReLU(1.0), L.Rescaling(255.0)]
    model = tf_keras.Sequential([L.Input((3, 4, 2)), L.Conv2D(2, 1, activation="tanh"), *ends])
    assert kinds(same_after(merged, model, PICTURES)).count("Rescaling") == 2


def denoiser(noise: Any, *, swapped: bool = False) -> tf_keras.Model:
    """Draws what it reads less what ``noise`` makes of it."""
    port = tf_keras.Input((3, 4, 2))
    ends = [port, noise(port)]
    return tf_keras.Model(port, L.Subtract(name="clean")(ends[::-1] if swapped else ends))


def test_difference_from_what_a_kernel_makes_is_a_sum_that_folds_away() -> None:
    result = same_after(merged, denoiser(L.Conv2D(2, 3, padding="same")), PICTURES)
    assert "Subtract" not in kinds(result)
    assert type(result.get_layer("clean")) is L.Add
    folded = fold_batch_norm(result)
    assert kinds(folded) == ["InputLayer", "Conv2D", "Add"]
    np.testing.assert_allclose(folded(PICTURES), result(PICTURES), rtol=1e-5, atol=1e-5)


def test_other_differences_stay() -> None:
    conv = L.Conv2D(2, 3, padding="same")
    bounded = L.Conv2D(2, 3, padding="same", activation="tanh")
    for model in (denoiser(conv, swapped=True), denoiser(bounded)):
        assert "Subtract" in kinds(same_after(merged, model, PICTURES))
    port = tf_keras.Input((3, 4, 2))
    shared = L.Conv2D(2, 3, padding="same")(port)
    twice = tf_keras.Model(port, L.Concatenate()([L.Subtract()([port, shared]), shared]))
    assert "Subtract" in kinds(same_after(merged, twice, PICTURES))
