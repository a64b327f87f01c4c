import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.networks.codes import with_code_head
from pipeline.networks.registry import DISCRIMINATORS
from pipeline.networks.settings import Codes, DiscriminatorSettings, ImageShape
from pipeline.training.feature_loss import discriminator_maps, mean_feature_difference

PICTURES = tf.constant(np.random.default_rng(0).normal(size=[6, 16, 16, 1]), tf.float32)


@pytest.mark.parametrize("name", [name for name in DISCRIMINATORS if name != "projected"])
def test_a_head_that_reads_codes_does_not_change_what_is_matched(name: str) -> None:
    plain = DISCRIMINATORS[name](DiscriminatorSettings(name, 4), ImageShape(16, 1))
    headed = with_code_head(plain, Codes(continuous=2, discrete=3))
    maps, others = discriminator_maps(plain), discriminator_maps(headed)
    assert [each.name for each in maps.outputs] == [each.name for each in others.outputs]
    matched, wanted = (
        mean_feature_difference(each, PICTURES, -PICTURES) for each in (others, maps)
    )
    assert float(matched) == float(wanted) > 0


def test_equal_means_match_whatever_the_pictures_are() -> None:
    network = DISCRIMINATORS["dcgan"](DiscriminatorSettings("dcgan", 4), ImageShape(16, 1))
    maps = discriminator_maps(network)
    assert float(mean_feature_difference(maps, PICTURES, PICTURES[::-1])) == pytest.approx(0)


def test_the_last_map_of_each_head_is_matched() -> None:
    pictures = tf_keras.layers.Input((16, 16, 1))
    shared = tf_keras.layers.LeakyReLU()(tf_keras.layers.Conv2D(2, 3)(pictures))
    heads = [
        tf_keras.layers.LeakyReLU()(tf_keras.layers.Conv2D(2, side)(x))
        for side, x in ((3, pictures), (5, shared))
    ]
    logits = [tf_keras.layers.Flatten()(head) for head in heads]
    network = tf_keras.Model(pictures, tf_keras.layers.Concatenate()(logits))
    difference = mean_feature_difference(discriminator_maps(network), PICTURES, -PICTURES)
    means = [
        np.mean(tf_keras.Model(pictures, head)([PICTURES, -PICTURES][sign]), axis=0)
        for head in heads
        for sign in (0, 1)
    ]
    apart = [np.square(means[i] - means[i + 1]).mean() for i in (0, 2)]
    assert float(difference) == pytest.approx(np.mean(apart), rel=1e-5)


def test_a_discriminator_without_an_activation_of_its_own_is_matched_before_its_logit() -> None:
    network = tf_keras.Sequential(
        [
            tf_keras.layers.Conv2D(4, 4, 2, activation="relu", input_shape=(16, 16, 1)),
            tf_keras.layers.Flatten(),
            tf_keras.layers.Dense(1),
        ]
    )
    (read_by_logit,) = discriminator_maps(network).outputs
    assert read_by_logit.shape[1:] == network.layers[1].output.shape[1:]
    maps = discriminator_maps(network)
    assert float(mean_feature_difference(maps, PICTURES, PICTURES[::-1])) == pytest.approx(0)
