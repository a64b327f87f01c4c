from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.tflite import convert
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw, left_behind

Variant = Callable[[str], bytes]
LATENTS = np.random.default_rng(3).normal(size=[10, 16]).astype(np.float32)


@pytest.fixture(scope="module")
def by_four(free_batch: Any) -> bytes:
    return convert.to_float32(free_batch, batch=4)


@pytest.fixture(scope="module")
def free_batch() -> Any:
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [layers.Input([16]), layers.Dense(12, activation="tanh"), layers.Reshape([2, 2, 3])]
    )


def test_every_latent_becomes_a_picture(variant: Variant, generator: Any) -> None:
    pictures = draw(variant("float32"), LATENTS)
    assert (pictures.shape, pictures.dtype) == ((10, 8, 8, 3), np.float32)
    wanted = np.concatenate([generator(latent[None]) for latent in LATENTS])
    np.testing.assert_allclose(pictures, wanted, atol=1e-5)


def test_a_path_draws_as_its_bytes_do(variant: Variant, tmp_path: Path) -> None:
    file = tmp_path / "net.tflite"
    file.write_bytes(variant("float32"))
    np.testing.assert_array_equal(draw(file, LATENTS), draw(variant("float32"), LATENTS))


def test_a_progress_bar_changes_nothing(variant: Variant) -> None:
    pictures = draw(variant("float32"), LATENTS, "draw")
    np.testing.assert_array_equal(pictures, draw(variant("float32"), LATENTS))


def test_latents_are_cut_down_to_whole_batches(by_four: bytes, free_batch: Any) -> None:
    pictures = draw(by_four, LATENTS)
    assert pictures.shape == (8, 2, 2, 3)
    np.testing.assert_allclose(pictures, free_batch(LATENTS[:8]), atol=1e-6)


def test_fewer_latents_than_a_batch_draw_nothing(by_four: bytes) -> None:
    assert draw(by_four, LATENTS[:3]).shape == (0, 2, 2, 3)


@pytest.mark.parametrize("kind", ["int8", "int16x8"])
def test_integers_are_encoded_and_decoded_with_the_scales_of_the_file(
    kind: str, variant: Variant
) -> None:
    (port,) = read_model(variant(kind)).outputs
    pictures = draw(variant(kind), LATENTS)
    steps = pictures / port.scales[0] + port.zero_points[0]
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-3)
    assert np.abs(pictures - draw(variant("float32"), LATENTS)).mean() < 0.1
    assert np.unique(pictures).size > 20


def test_zero_points_of_input_and_output_count(free_batch: Any) -> None:
    """All latents above 0, all values within 0..1: neither zero point is near 0."""
    latents = np.abs(LATENTS)
    layers = [tf_keras.layers.Input([16]), *free_batch.layers]
    net = tf_keras.Sequential([*layers, tf_keras.layers.Activation("sigmoid")])
    content = convert.to_int8_post_training(net, latents)
    model = read_model(content)
    assert (model.inputs[0].zero_points, model.outputs[0].zero_points) == ((-128,), (-128,))
    np.testing.assert_allclose(draw(content, latents), net(latents), atol=0.02)


def test_latents_beyond_the_range_of_the_file_are_clipped(variant: Variant) -> None:
    far = np.full([1, 16], 1e6, np.float32)
    (port,) = read_model(variant("int8")).inputs
    edge = np.full([1, 16], port.scales[0] * (127 - port.zero_points[0]), np.float32)
    np.testing.assert_array_equal(draw(variant("int8"), far), draw(variant("int8"), edge))


@pytest.mark.parametrize("shape", [[2, 15], [2, 17], [2, 4, 4], [16]])
def test_latents_of_another_shape_are_refused(variant: Variant, shape: list[int]) -> None:
    with pytest.raises(PocketganError, match=r"reads latents of shape \[16\]"):
        draw(variant("float32"), np.zeros(shape, np.float32))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("kind", ["float32", "int8"])
def test_a_truncated_file_is_refused_by_name(
    kind: str, share: float, variant: Variant, tmp_path: Path
) -> None:
    content = variant(kind)
    file = tmp_path / "cut.tflite"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(PocketganError, match=r"cut\.tflite"):
        draw(file, LATENTS)


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=r"none\.tflite"):
        draw(tmp_path / "none.tflite", LATENTS)


def test_nearest_neighbour_is_left_to_slower_kernels() -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input([4, 4, 2]),
            layers.Conv2D(3, 3, padding="same"),
            layers.UpSampling2D(name="twice"),
            layers.Conv2D(3, 3, padding="same"),
        ]
    )
    (op,) = left_behind(convert.to_float32(model))
    assert op.name == "RESIZE_NEAREST_NEIGHBOR"
    assert "twice" in op.layer


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_nothing_is_left_behind_of_a_plain_generator(name: str, variant: Variant) -> None:
    assert left_behind(variant(name)) == []


def test_file_that_does_not_load_is_one_message() -> None:
    with pytest.raises(PocketganError, match="does not load"):
        left_behind(b"\x1c\0\0\0TFL3")
