import numpy as np
import pytest
import tf_keras

from pipeline.networks.pixels import pixel_range, to_uint8
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape

TANH, SIGMOID = (-1.0, 1.0), (0.0, 1.0)


@pytest.mark.parametrize(("name", "wanted"), [("dcgan", TANH), ("dense", SIGMOID)])
def test_range_is_that_of_the_output_activation(name: str, wanted: tuple[float, float]) -> None:
    generator = build_generator(GeneratorSettings(name=name, width=4, latent=8), ImageShape(28))
    assert pixel_range(generator) == wanted


def test_range_is_found_in_the_last_layer_itself() -> None:
    layers = [tf_keras.Input([4]), tf_keras.layers.Dense(2, activation="tanh")]
    assert pixel_range(tf_keras.Sequential(layers)) == TANH


@pytest.mark.parametrize("activation", ["linear", "relu"])
def test_a_generator_without_a_bounded_output_is_an_error(activation: str) -> None:
    layers = [tf_keras.Input([4]), tf_keras.layers.Dense(2, activation=activation)]
    with pytest.raises(ValueError, match="open_end"):
        pixel_range(tf_keras.Sequential(layers, name="open_end"))


def test_black_and_white_are_the_ends_of_the_range() -> None:
    np.testing.assert_array_equal(to_uint8(np.array([-1.0, 0.0, 1.0]), TANH), [0, 128, 255])
    np.testing.assert_array_equal(to_uint8(np.array([0.0, 0.5, 1.0]), SIGMOID), [0, 128, 255])


def test_values_beyond_the_range_do_not_wrap_around() -> None:
    np.testing.assert_array_equal(to_uint8(np.array([-1.5, 1.5]), TANH), [0, 255])
    np.testing.assert_array_equal(to_uint8(np.array([-0.5, 1.5]), SIGMOID), [0, 255])


@pytest.mark.parametrize("pixels", [TANH, SIGMOID])
def test_every_level_is_the_nearest_one(pixels: tuple[float, float]) -> None:
    low, high = pixels
    levels = np.arange(256, dtype=np.uint8)
    values = low + levels * ((high - low) / 255)
    for shift in (-0.4, 0.0, 0.4):
        shifted = (values + shift * (high - low) / 255).astype(np.float32)
        np.testing.assert_array_equal(to_uint8(shifted, pixels), levels)
    assert to_uint8(values, pixels).dtype == np.uint8


def test_int8_steps_of_a_tanh_file_are_pixels_less_128() -> None:
    steps = np.arange(-128, 128)
    pixels = to_uint8(steps / 128, TANH).astype(int)
    assert np.abs(pixels - (steps + 128)).max() <= 1
