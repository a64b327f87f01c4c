from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks import efficientnet
from pipeline.networks.codes import with_code_head
from pipeline.networks.projected import discriminator
from pipeline.networks.settings import Codes, DiscriminatorSettings, ImageShape

SETTINGS = DiscriminatorSettings(name="projected", width=8)
PICTURES = np.random.default_rng(1).uniform(-1, 1, (3, 32, 32, 3)).astype(np.float32)

needs_weights = pytest.mark.skipif(
    efficientnet.weights_file() is None,
    reason=f"{efficientnet.PACKAGE} is not installed: {efficientnet.REMEDY}",
)


@needs_weights
@pytest.mark.parametrize(("side", "logits"), [(32, 68), (50, 80), (64, 80)])
def test_each_pixel_of_the_smallest_maps_has_a_logit(side: int, logits: int) -> None:
    assert discriminator(SETTINGS, ImageShape(side, 3, 0)).output_shape == (None, logits)


@needs_weights
def test_neither_the_published_network_nor_the_mixing_is_trained() -> None:
    model = discriminator(SETTINGS, ImageShape(32, 3, 0))
    names = {variable.name for variable in model.trainable_variables}
    assert all("_half_" in name or "_last" in name or "_logit" in name for name in names)


@needs_weights
def test_what_is_frozen_stays_so_in_a_file(tmp_path: Path) -> None:
    model = discriminator(SETTINGS, ImageShape(32, 3, 0))
    model.save(tmp_path / "d.keras")
    again = tf_keras.models.load_model(tmp_path / "d.keras")
    assert len(again.trainable_variables) == len(model.trainable_variables)
    np.testing.assert_allclose(again(PICTURES), model(PICTURES), atol=1e-5)


@needs_weights
def test_the_generator_learns_through_the_frozen_maps() -> None:
    model, pictures = discriminator(SETTINGS, ImageShape(32, 3, 0)), tf.constant(PICTURES)
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        logit = tf.reduce_sum(model(pictures))
    assert (
        float(tf.reduce_min(tf.reduce_max(tf.abs(tape.gradient(logit, pictures)), [1, 2, 3]))) > 0
    )


@needs_weights
def test_a_class_changes_the_logits() -> None:
    model = discriminator(SETTINGS, ImageShape(32, 3, 2))
    classes = np.eye(2, dtype=np.float32)
    first, second = (model([PICTURES, np.tile(each, (3, 1))]) for each in classes)
    assert not np.allclose(first, second)


@pytest.mark.parametrize("image", [ImageShape(28, 3, 0), ImageShape(32, 1, 0)])
def test_pictures_that_it_cannot_look_at_are_refused(image: ImageShape) -> None:
    with pytest.raises(PocketganError, match="32 pixels a side") as error:
        discriminator(SETTINGS, image)
    assert "r3gan" in error.value.remedy


@needs_weights
def test_codes_are_refused_since_there_are_no_features_of_the_whole() -> None:
    model = discriminator(SETTINGS, ImageShape(32, 3, 0))
    with pytest.raises(PocketganError, match=r"off which generator\.codes could be read"):
        with_code_head(model, Codes(2, 0))
