"""Differences between pictures as the layers of a network see them."""

import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import Tensor
from pipeline.networks.efficientnet import build_feature_maps, looks_at

_ACTIVATIONS = tuple(
    getattr(tf_keras.layers, name) for name in ("LeakyReLU", "ReLU", "PReLU", "ELU", "Activation")
)


def discriminator_maps(discriminator: tf_keras.Model) -> tf_keras.Model:
    """A discriminator's input → the map behind each activation on the way to its logit.

    A second head that reads codes is not on it. Where no layer of it is an activation alone, as in
    discriminators of others: what its last layer reads.
    """
    to_logit = tf_keras.Model(discriminator.inputs, discriminator.outputs[0])
    maps = [layer.output for layer in to_logit.layers if isinstance(layer, _ACTIVATIONS)]
    return tf_keras.Model(discriminator.inputs, maps or [to_logit.layers[-1].input])


def perceptual_maps(shape: tuple[int, int, int]) -> tf_keras.Model:
    """Pictures of ``shape`` in −1..1 → maps of EfficientNet-Lite0 as it was published.

    Raises PocketganError for pictures that it cannot look at, and where it is not installed.
    """
    if shape[-1] != 3 or not looks_at(shape):
        raise PocketganError(
            f"translation.perceptual: EfficientNet-Lite0 looks at colour pictures of 32 pixels a "
            f"side at least, not at {list(shape)}.",
            "Set translation.perceptual to 0.",
        )
    return build_feature_maps()


def feature_difference(maps: tf_keras.Model, pictures: Tensor, truth: Tensor) -> Tensor:
    """Mean absolute difference, averaged over the maps."""
    pairs = zip(maps(pictures), maps(truth), strict=True)
    return tf.add_n([tf.reduce_mean(tf.abs(one - other)) for one, other in pairs]) / len(
        maps.outputs
    )


def mean_feature_difference(maps: tf_keras.Model, pictures: Tensor, real: Tensor) -> Tensor:
    """Mean squared difference between the batches' mean last map (Salimans 2016, section 3.1)."""
    mean, real_mean = (tf.reduce_mean(maps(each)[-1], axis=0) for each in (pictures, real))
    return tf.reduce_mean(tf.square(mean - real_mean))
