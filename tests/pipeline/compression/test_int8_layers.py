from collections.abc import Callable

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.fake_quantization import quantization_aware
from pipeline.compression.int8_layers import refusals

L = tf_keras.layers
LATENT = 8
LATENTS = np.random.default_rng(1).normal(size=[64, LATENT]).astype(np.float32)


def chain(*layers: tf_keras.layers.Layer) -> tf_keras.Model:
    return tf_keras.Sequential([L.Input([LATENT]), *layers], name="net")


def use_twice() -> tf_keras.Model:
    latent = L.Input([LATENT])
    twice = L.Dense(LATENT, name="culprit")
    return tf_keras.Model(latent, L.Activation("tanh")(twice(twice(latent))))


UNSUPPORTED: dict[str, tuple[Callable[[], tf_keras.Model], str]] = {
    "layer norm": (lambda: chain(L.LayerNormalization(name="culprit")), "LayerNormalization"),
    "prelu": (lambda: chain(L.Dense(4), L.PReLU(name="culprit")), "PReLU"),
    "batch norm": (lambda: chain(L.ReLU(), L.BatchNormalization(name="culprit")), "BatchNorm"),
    "elu": (lambda: chain(L.Dense(4), L.Activation("elu", name="culprit")), "elu"),
    "tanh inside": (lambda: chain(L.Dense(4, activation="tanh", name="culprit")), "tanh"),
    "layer inside": (lambda: chain(L.Dense(4, activation=L.PReLU(), name="culprit")), "PReLU"),
    "relu with slope": (lambda: chain(L.ReLU(negative_slope=0.1, name="culprit")), "slope"),
    "relu with end": (lambda: chain(L.ReLU(2.0, name="culprit")), "largest value"),
    "bilinear": (
        lambda: chain(
            L.Reshape([2, 2, 2]), L.UpSampling2D(interpolation="bilinear", name="culprit")
        ),
        "nearest",
    ),
    "dilated transpose": (
        lambda: chain(
            L.Reshape([2, 2, 2]), L.Conv2DTranspose(2, 3, dilation_rate=2, name="culprit")
        ),
        "dilated",
    ),
    "used twice": (use_twice, "2 times"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_layer_without_int8_form_is_refused_by_name(name: str) -> None:
    model, said = UNSUPPORTED[name]
    with pytest.raises(PocketganError, match="'culprit'") as refused:
        quantization_aware(model(), LATENTS)
    assert said in str(refused.value)
    assert refused.value.remedy
    assert [*refusals(model())] == ["culprit"]


def test_weights_whose_squares_float32_does_not_hold_have_an_int8_form() -> None:
    model = chain(L.Dense(4))
    kernel, bias = model.layers[0].get_weights()
    model.layers[0].set_weights([np.full_like(kernel, 1e30), bias])
    assert refusals(model) == {}
