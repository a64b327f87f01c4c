from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.tflite import convert
from pipeline.tflite.first_layer import FirstLayer, first_layer

layers = tf_keras.layers
LATENTS = np.random.default_rng(3).normal(size=[12, 16]).astype(np.float32)


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], FirstLayer]:
    def first_layer_of(content: bytes) -> FirstLayer:
        (tmp_path / "net.tflite").write_bytes(content)
        return first_layer(tmp_path / "net.tflite")

    return first_layer_of


@pytest.mark.parametrize(
    ("kind", "step"),
    [("float32", 1e-6), ("float16", 1e-3), ("sparse", 1e-6), ("int8", 8e-3), ("sparse int8", 8e-3)],
)
def test_weights_mean_the_same_in_every_kind_of_file(
    kind: str, step: float, variant: Any, generator: Any, read: Any
) -> None:
    kernel = generator.get_layer("dense").get_weights()[0]
    np.testing.assert_allclose(read(variant(kind)).weights, kernel.T, atol=step)


def test_activations_are_those_behind_what_bends_them(
    variant: Any, generator: Any, read: Any
) -> None:
    leaky = tf_keras.Model(generator.inputs, generator.get_layer("leaky").output)
    expected = np.concatenate([leaky(latent[None]) for latent in LATENTS])
    np.testing.assert_allclose(read(variant("float32")).activations(LATENTS), expected, atol=1e-4)


def test_layers_with_nothing_between_them_count_as_one(read: Any) -> None:
    network = tf_keras.Sequential(
        [
            layers.Input([16]),
            layers.Dense(3, use_bias=False),
            layers.Dense(20, activation="relu"),
            layers.Dense(4),
            layers.Reshape([2, 2, 1]),
        ]
    )
    first = read(convert.to_float32(network))
    narrow, wide = (layer.get_weights()[0] for layer in network.layers[:2])
    np.testing.assert_allclose(first.weights, (narrow @ wide).T, atol=1e-5)
    assert first.activations(LATENTS).min() == 0
    assert first.activations(LATENTS).shape == (12, 20)


def test_a_transposed_convolution_of_one_pixel_is_a_dense_layer(read: Any) -> None:
    network = tf_keras.Sequential(
        [
            layers.Input([16]),
            layers.Reshape([1, 1, 16]),
            layers.Conv2DTranspose(5, 4, activation="relu"),
            layers.Conv2D(1, 3),
        ]
    )
    first = read(convert.to_float32(network))
    bias = network.layers[1].get_weights()[1]
    bent = np.maximum(LATENTS @ first.weights.T + np.repeat(bias, 16), 0)
    # One order of outputs is as good as another for directions.
    np.testing.assert_allclose(
        np.sort(first.activations(LATENTS), axis=1), np.sort(bent, axis=1), atol=1e-5
    )


def test_a_file_of_batches_gives_a_row_a_latent(read: Any) -> None:
    network = tf_keras.Sequential([layers.Input([16]), layers.Dense(8, activation="relu")])
    assert read(convert.to_float32(network, batch=4)).activations(LATENTS).shape == (12, 8)


def test_latents_that_meet_no_weights_first_are_refused(read: Any) -> None:
    port = tf_keras.Input([16])
    network = tf_keras.Model(port, layers.Dense(4)(port * port))
    with pytest.raises(PocketganError, match="its latents meet MUL first"):
        read(convert.to_float32(network))
