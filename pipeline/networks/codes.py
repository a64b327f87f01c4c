"""The part of a latent that can be read off the picture again: InfoGAN's codes (Chen 2016)."""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf
import tf_keras

from pipeline.networks.layers import LEAKY_SLOPE

HEAD = "codes"
"""Name of the layer whose output are the codes that were read."""
HEAD_WIDTH = 128
"""Channels between the discriminator's features and the codes (Chen 2016, appendix C)."""


@dataclass(frozen=True)
class Codes:
    """Where the codes stand in an input vector: at its two ends, so that its prior stays as it is.

    ``continuous``: so many first numbers, normal. ``discrete``: so many last ones, a one-hot.
    """

    continuous: int = 0
    discrete: int = 0

    def __bool__(self) -> bool:
        return bool(self.continuous or self.discrete)

    def of(self, inputs: Any) -> Any:
        """Generator inputs [N, L] → their codes [N, continuous + discrete]."""
        length = inputs.shape[1]
        return tf.concat(
            [inputs[:, : self.continuous], inputs[:, length - self.discrete :]], axis=1
        )


def with_code_head(discriminator: tf_keras.Model, codes: Codes) -> tf_keras.Model:
    """The discriminator with a second output [N, continuous + discrete], off the same features.

    Of continuous codes it is their mean, of a discrete one the logits of its values. No codes, no
    head.
    """
    if not codes:
        return discriminator
    layers = tf_keras.layers
    x = layers.Dense(HEAD_WIDTH, name="codes_hidden")(features_of(discriminator))
    x = layers.LeakyReLU(LEAKY_SLOPE, name="codes_act")(x)
    read = layers.Dense(codes.continuous + codes.discrete, name=HEAD)(x)
    outputs = [discriminator.output, read]
    return tf_keras.Model(discriminator.inputs, outputs, name=discriminator.name)


def has_code_head(discriminator: Any) -> bool:
    """Whether a functional model, of any Keras, has the second output of ``with_code_head``."""
    outputs = getattr(discriminator, "outputs", [])
    return len(outputs) == 2 and outputs[1]._keras_history[0].name == HEAD


def features_of(discriminator: tf_keras.Model) -> Any:
    """The tensor [N, F] that a discriminator of the registry makes its logit of."""
    named = {layer.name: layer for layer in discriminator.layers}
    return named["logit_spectral" if "logit_spectral" in named else "logit"].input
