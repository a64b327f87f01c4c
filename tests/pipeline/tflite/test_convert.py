from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.tflite import convert, count
from pipeline.tflite.count import float_ops
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw

LATENTS = np.random.default_rng(1).normal(size=[64, 16]).astype(np.float32)
MAKERS: dict[str, Callable[..., bytes]] = {
    "float32": convert.to_float32,
    "float16": convert.to_float16,
    "dynamic-range": convert.to_dynamic_range,
    "int8": lambda model, batch=1: convert.to_int8_post_training(model, LATENTS, batch),
    "int16x8": lambda model, batch=1: convert.to_int16x8(model, LATENTS, batch),
}


@pytest.fixture(scope="module")
def net() -> Any:
    """Latents [N, 16] → images [N, 8, 8, 1], any N."""
    layers = tf_keras.layers
    tf_keras.utils.set_random_seed(1)
    return tf_keras.Sequential(
        [
            layers.Input([16], name="z"),
            layers.Dense(4 * 4 * 16, name="seed"),
            layers.ReLU(),
            layers.Reshape([4, 4, 16]),
            layers.Conv2DTranspose(1, 4, 2, padding="same", name="pixels"),
            layers.Activation("tanh"),
        ],
        name="net",
    )


@pytest.fixture(scope="module", params=MAKERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def single(net: Any, kind: str) -> LiteModel:
    return read_model(MAKERS[kind](net))


def ports(model: LiteModel) -> tuple[str, str]:
    (source,), (target,) = model.inputs, model.outputs
    return source.dtype, target.dtype


def test_fixed_batch_leaves_no_operation_that_asks_for_a_shape(single: LiteModel) -> None:
    assert single.inputs[0].shape == (1, 16)
    assert single.outputs[0].shape == (1, 8, 8, 1)
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & set(count.op_counts(single))


def test_one_signature_names_latent_and_image(single: LiteModel) -> None:
    (signature,) = single.signatures
    assert signature.key == "serving_default"
    assert (list(signature.inputs), list(signature.outputs)) == (["latent"], ["image"])
    assert signature.inputs["latent"].shape == (1, 16)
    assert signature.outputs["image"].shape == (1, 8, 8, 1)


def test_types_are_those_of_the_variant(kind: str, single: LiteModel) -> None:
    kernels = [kernel.dtype for kernel in count.kernels(single)]
    wanted = {
        "float32": (["float32", "float32"], ("float32", "float32")),
        "float16": (["float16", "float16"], ("float32", "float32")),
        # The converter leaves kernels of fewer than 1,024 weights alone.
        "dynamic-range": (["int8", "float32"], ("float32", "float32")),
        "int8": (["int8", "int8"], ("int8", "int8")),
        "int16x8": (["int8", "int8"], ("int16", "int16")),
    }
    assert (kernels, ports(single)) == wanted[kind]


def test_only_integer_variants_are_free_of_float(kind: str, single: LiteModel) -> None:
    assert bool(float_ops(single)) == (kind not in ("int8", "int16x8"))


def test_file_draws_what_the_model_draws(kind: str, net: Any, single: LiteModel) -> None:
    # A step of int8 is 1/128, and the input of tanh has steps of its own.
    allowed = {"float32": 1e-5, "float16": 2e-3, "int16x8": 0.01}.get(kind, 0.05)
    pictures = draw(single.content, LATENTS[:8])
    np.testing.assert_allclose(pictures, net(LATENTS[:8]), rtol=0, atol=allowed)


@pytest.mark.parametrize("name", MAKERS)
def test_batch_of_4_draws_what_single_latents_draw(name: str, net: Any) -> None:
    content = MAKERS[name](net, batch=4)
    model = read_model(content)
    assert (model.inputs[0].shape, model.outputs[0].shape) == ((4, 16), (4, 8, 8, 1))
    assert not {"SHAPE", "STRIDED_SLICE", "PACK"} & set(count.op_counts(model))
    pictures = draw(content, LATENTS[:8])
    np.testing.assert_allclose(pictures, net(LATENTS[:8]), rtol=0, atol=0.05)


@pytest.mark.parametrize("name", ["float32", "int8"])
def test_same_model_and_latents_give_the_same_bytes(name: str, net: Any) -> None:
    assert MAKERS[name](net) == MAKERS[name](net)


def test_ranges_of_int8_are_those_of_the_latents_seen(net: Any) -> None:
    near, far = (
        read_model(convert.to_int8_post_training(net, scale * LATENTS)) for scale in (1, 4)
    )
    spread = float(LATENTS.max() - LATENTS.min()) / 255
    assert near.inputs[0].scales[0] == pytest.approx(spread, rel=0.01)
    assert far.inputs[0].scales[0] == pytest.approx(4 * spread, rel=0.01)


def test_latents_that_do_not_fill_a_last_batch_are_left_out(net: Any) -> None:
    wild = np.concatenate([LATENTS[:8], 100 * LATENTS[8:10]])
    content = convert.to_int8_post_training(net, wild, batch=4)
    assert content == convert.to_int8_post_training(net, LATENTS[:8], batch=4)


def test_what_reads_pictures_says_so() -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential([layers.Input([8, 8, 3]), layers.Conv2D(3, 3, padding="same")])
    (signature,) = read_model(convert.to_float32(model)).signatures
    assert list(signature.inputs) == ["picture"]
