from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    MinibatchDeviation,
    Truncation,
    normalized,
)
from pipeline.networks.registry import build_discriminator, build_generator
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape

PICTURES = np.random.default_rng(1).normal(size=[4, 28, 28, 1]).astype(np.float32)
CLASSES = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
CONDITIONAL = ImageShape(28, 1, classes=3)


@pytest.mark.parametrize("block", [2, 3])
def test_channels_become_pixels_in_rows_of_the_block(block: int) -> None:
    features = np.random.default_rng(1).normal(size=[2, 4, 5, 3 * block**2]).astype(np.float32)
    split = features.reshape(2, 4, 5, block, block, 3)
    wanted = split.transpose(0, 1, 3, 2, 4, 5).reshape(2, 4 * block, 5 * block, 3)
    np.testing.assert_array_equal(DepthToSpace(block)(features), wanted)


def test_saved_model_knows_the_layer_and_its_block(tmp_path: Path) -> None:
    model = tf_keras.Sequential([tf_keras.Input([2, 2, 9]), DepthToSpace(3, name="shuffle")])
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("shuffle").block == 3
    assert again.output_shape == (None, 6, 6, 1)


def discriminator(name: str, *, spectral_norm: bool = True) -> tf_keras.Model:
    """Conditional, with kernels far from spectral norm 1."""
    tf_keras.utils.set_random_seed(1)
    settings = DiscriminatorSettings(name, 8, spectral_norm)
    model = build_discriminator(settings, CONDITIONAL)
    for weight in model.trainable_variables:
        weight.assign(3 * weight)
    return model


def largest_singular_values(model: tf_keras.Model) -> list[float]:
    kernels = [weight.numpy() for weight in model.trainable_variables if "kernel" in weight.name]
    return [np.linalg.svd(k.reshape(-1, k.shape[-1]), compute_uv=False)[0] for k in kernels]


@pytest.mark.parametrize(("name", "kernels"), [("dense", 4), ("dcgan", 4), ("r3gan", 8)])
def test_every_kernel_comes_to_spectral_norm_1_while_training(name: str, kernels: int) -> None:
    model = discriminator(name)
    for _ in range(60):
        model([PICTURES, CLASSES], training=True)
    assert largest_singular_values(model) == pytest.approx([1.0] * kernels, rel=0.02)


def test_kernels_stay_as_they_are_without_training() -> None:
    model = discriminator("dense")
    before = largest_singular_values(model)
    model([PICTURES, CLASSES], training=False)
    assert largest_singular_values(model) == before


def test_kernels_stay_as_they_are_where_no_norm_is_asked_for() -> None:
    model = discriminator("dense", spectral_norm=False)
    before = largest_singular_values(model)
    model([PICTURES, CLASSES], training=True)
    assert largest_singular_values(model) == before
    layer = tf_keras.layers.Dense(1)
    assert normalized(layer, spectral_norm=False) is layer


@pytest.mark.parametrize("name", ["dense", "dcgan", "r3gan"])
def test_normalized_discriminator_is_read_back_as_it_was_saved(name: str, tmp_path: Path) -> None:
    model = discriminator(name)
    model([PICTURES, CLASSES], training=True)
    model.save(tmp_path / "discriminator.keras")
    again: Any = tf_keras.models.load_model(tmp_path / "discriminator.keras", compile=False)
    for training in (False, True):
        inputs = [PICTURES, CLASSES]
        np.testing.assert_array_equal(
            again(inputs, training=training), model(inputs, training=training)
        )


def one_hot(*classes: int) -> np.ndarray:
    return np.eye(3, dtype=np.float32)[list(classes)]


@pytest.mark.parametrize("name", ["dense", "dcgan", "r3gan", "stylegan", "biggan", "progressive"])
def test_conditional_generator_reads_the_class_behind_the_latent(name: str) -> None:
    generator = build_generator(
        GeneratorSettings(name=name, width=4, latent=16, conditional=True), CONDITIONAL
    )
    assert generator.input_shape == (None, 16 + 3)
    latents = np.random.default_rng(1).normal(size=[1, 16]).astype(np.float32)
    one, other = (generator(np.hstack([latents, one_hot(i)]), training=False) for i in (0, 1))
    assert not np.allclose(one, other)


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_conditional_logit_adds_the_match_of_features_and_class(name: str) -> None:
    model = build_discriminator(DiscriminatorSettings(name, 4), CONDITIONAL)
    assert [port.name for port in model.inputs] == ["pictures", "classes"]
    logits = [model([PICTURES, one_hot(*[i] * 4)]).numpy() for i in range(3)]
    assert logits[0].shape == (4, 1)
    embedding = model.get_layer("class_embedding").get_weights()[0]
    rows = model.get_layer("logit").get_weights()[0][:, 0]
    # The logit is linear in the features: replacing the class moves it along the embeddings.
    plain = model.get_layer("logit")
    plain.set_weights([(rows + embedding[1] - embedding[0])[:, None], np.zeros(1)])
    np.testing.assert_allclose(model([PICTURES, one_hot(*[0] * 4)]), logits[1], atol=1e-5)


@pytest.mark.parametrize("name", ["dense", "dcgan"])
def test_unconditional_discriminator_reads_pictures_only(name: str) -> None:
    model = build_discriminator(DiscriminatorSettings(name, 4), ImageShape(28))
    assert model.input_shape == (None, 28, 28, 1)
    assert model(PICTURES).shape == (4, 1)


def test_minibatch_deviation_says_behind_each_row_how_far_the_rows_are_apart() -> None:
    rows = np.float32([[1, 0], [3, 0], [5, 0], [7, 0]])
    layer = MinibatchDeviation()
    seen = layer(rows).numpy()
    np.testing.assert_array_equal(seen[:, :2], rows)
    assert seen[:, 2] == pytest.approx([np.sqrt(5) / 2] * 4, rel=1e-3)
    assert layer(np.ones([4, 2], np.float32)).numpy()[:, 2] == pytest.approx([1e-4] * 4)


@pytest.mark.parametrize("name", ["dense", "dcgan", "r3gan"])
def test_a_discriminator_may_see_how_much_its_batch_differs(name: str, tmp_path: Path) -> None:
    settings = DiscriminatorSettings(name, 4, minibatch_deviation=True)
    model = build_discriminator(settings, ImageShape(28))
    alone = np.concatenate([model(picture[None]) for picture in PICTURES])
    assert not np.allclose(model(PICTURES), alone, atol=1e-4)
    model.save(tmp_path / "discriminator.keras")
    again = tf_keras.models.load_model(tmp_path / "discriminator.keras", compile=False)
    np.testing.assert_array_equal(again(PICTURES), model(PICTURES))


@pytest.mark.parametrize(
    ("layer", "shape"),
    [(LearnedMap(2, 3), [1, 1, 4]), (InverseRoot(0.5), [4]), (Truncation(0.5), [4])],
)
def test_layer_of_our_own_is_read_back_as_it_was_saved(
    layer: Any, shape: list[int], tmp_path: Path
) -> None:
    model = tf_keras.Sequential([tf_keras.Input(shape), layer])
    values = np.random.default_rng(1).normal(size=[5, *shape]).astype(np.float32)
    model(values + 1, training=True)
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras", compile=False)
    np.testing.assert_array_equal(again(values), model(values))


def test_a_learned_map_is_stretched_channel_by_channel() -> None:
    layer = LearnedMap(2, 3)
    factors = np.arange(8, dtype=np.float32).reshape(2, 1, 1, 4)
    maps = layer(factors).numpy()
    assert maps.shape == (2, 2, 3, 4)
    np.testing.assert_allclose(maps, layer.kernel.numpy()[None] * factors)


def test_the_root_of_little_is_that_of_the_least() -> None:
    values = np.array([-1, 0, 0.25, 4], np.float32)
    np.testing.assert_allclose(InverseRoot(0.25)(values), [2, 2, 2, 0.5])
    bare = InverseRoot(0.25, bare=True)
    np.testing.assert_allclose(bare(values, training=True), [2, 2, 2, 0.5])
    np.testing.assert_allclose(bare(values[1:]), [np.inf, 2, 0.5])


def test_truncation_draws_nearer_to_the_mean_that_training_met() -> None:
    layer = Truncation(0.25)
    values = np.random.default_rng(1).normal([5, 0, -5], size=[64, 3]).astype(np.float32)
    for _ in range(200):
        np.testing.assert_array_equal(layer(values, training=True), values)
    mean = values.mean(axis=0)
    np.testing.assert_allclose(layer(values), mean + 0.25 * (values - mean), atol=2e-3)
