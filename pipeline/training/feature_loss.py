"""Differences between pictures as the layers of a network see them."""

from collections.abc import Callable

import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import Tensor
from pipeline.compression.graph import nodes
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
    return _mean_of_maps(
        lambda one, other: tf.reduce_mean(tf.abs(one - other)), maps, pictures, truth
    )


def mean_feature_difference(maps: tf_keras.Model, pictures: Tensor, real: Tensor) -> Tensor:
    """Mean squared difference between the batches' mean last map (Salimans 2016, section 3.1).

    Of a discriminator with several heads (Sauer 2021) it is averaged over the last of each.
    """
    last = last_maps(maps)
    return _mean_of_maps(_apart, last, pictures, real)


def _mean_of_maps(
    difference: Callable[[Tensor, Tensor], Tensor],
    maps: tf_keras.Model,
    pictures: Tensor,
    others: Tensor,
) -> Tensor:
    # A model of one output gives a tensor in place of a list.
    pairs = zip(*(tf.nest.flatten(maps(each)) for each in (pictures, others)), strict=True)
    return tf.add_n([difference(*pair) for pair in pairs]) / len(maps.outputs)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    return tf.reduce_mean(tf.square(tf.reduce_mean(one, axis=0) - tf.reduce_mean(other, axis=0)))


def last_maps(maps: tf_keras.Model) -> tf_keras.Model:
    """Those of the maps on which no other one is built, one for each head."""
    ends = {id(tensor) for tensor in maps.outputs}
    below: dict[int, set[int]] = {}
    for node in nodes(maps):
        read = [] if node.is_input else node.keras_inputs
        earlier = {id(tensor) for tensor in read} & ends
        earlier = earlier.union(*(below[id(tensor)] for tensor in read))
        below |= {id(tensor): earlier for tensor in tf.nest.flatten(node.outputs)}
    inner = set[int]().union(*(below[end] for end in ends))
    return tf_keras.Model(maps.inputs, [x for x in maps.outputs if id(x) not in inner])
