"""Where a latent has its codes, and the head of a discriminator that reads them (Chen 2016)."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks.layers import LEAKY_SLOPE
from pipeline.networks.settings import Codes

HEAD = "codes"
"""Name of the layer whose output are the codes that were read."""
HEAD_WIDTH = 128
"""Channels between the discriminator's features and the codes (Chen 2016, appendix C)."""


def codes_in(inputs: Any, codes: Codes) -> Any:
    """The codes [N, continuous + discrete] of generator inputs [N, L]."""
    discrete_from = inputs.shape[1] - codes.discrete
    return tf.concat([inputs[:, : codes.continuous], inputs[:, discrete_from:]], axis=1)


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
    """The tensor [N, F] that a discriminator of the registry makes its logit of.

    Raises PocketganError where it has many logits, each of other features.
    """
    logits = [each for each in discriminator.layers if each.name in ("logit", "logit_spectral")]
    if len(logits) != 1:
        raise PocketganError(
            "discriminator.name: one with a logit for each place of a picture has no features of "
            "the whole, off which generator.codes could be read.",
            "Choose another, such as r3gan, or leave the codes out.",
        )
    return logits[0].input


def set_apart(generator: tf_keras.Model, discrete: int) -> None:
    """Let each value of a new generator's discrete code begin as a generator of its own.

    The first layer's weights of the code become as large as those of all other numbers together;
    as they are initialized a code hardly shows beside those.
    """
    first = next(layer for layer in generator.layers if layer.weights)
    kernel, *others = first.get_weights()
    kernel[-discrete:] *= np.sqrt(len(kernel) - discrete)
    first.set_weights([kernel, *others])
