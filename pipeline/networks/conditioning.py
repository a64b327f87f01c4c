"""The discriminator's last layer, with or without a class."""

from collections.abc import Callable
from typing import Any

import tf_keras

from pipeline.networks.normalization import normalized
from pipeline.networks.settings import DiscriminatorSettings, ImageShape


def discriminator_model(
    name: str,
    features: Callable[[Any], Any],
    settings: DiscriminatorSettings,
    image: ImageShape,
) -> tf_keras.Model:
    """Put a logit on top of ``features``: [N, size, size, channels] → [N, 1].

    With classes the model takes [pictures, one-hot classes], and the inner product of the features
    with a learned vector for the class is added to the logit (Miyato & Koyama 2018, equation 3).
    """
    layers = tf_keras.layers
    pictures = layers.Input([image.size, image.size, image.channels], name="pictures")
    described = features(pictures)
    logit = normalized(layers.Dense(1, name="logit"), settings.spectral_norm)(described)
    if not image.classes:
        return tf_keras.Model(pictures, logit, name=name)
    classes = layers.Input([image.classes], name="classes")
    embedding = layers.Dense(described.shape[-1], use_bias=False, name="class_embedding")
    embedded = normalized(embedding, settings.spectral_norm)(classes)
    match = layers.Dot(axes=1, name="class_match")([described, embedded])
    conditional = layers.Add(name="conditional_logit")([logit, match])
    return tf_keras.Model([pictures, classes], conditional, name=name)
