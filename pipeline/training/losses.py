"""Adversarial losses: what the discriminator and the generator each minimize.

Every loss takes logits [N, 1] (float32) and gives a scalar.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from deploy.errors import PocketganError

Tensor = Any


@dataclass(frozen=True)
class Loss:
    """Losses of both sides; ``lipschitz``: "clip" or "penalty", where the critic must be smooth."""

    describe: str
    discriminator: Callable[[Tensor, Tensor, float], Tensor]
    generator: Callable[[Tensor], Tensor]
    lipschitz: str = ""


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    labels = tf.fill(tf.shape(logits), tf.cast(label, logits.dtype))
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits))


def _binary(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return _cross_entropy(real, 1.0 - smoothing) + _cross_entropy(fake, 0.0)


def _squares(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return 0.5 * (
        tf.reduce_mean(tf.square(real - (1.0 - smoothing))) + tf.reduce_mean(tf.square(fake))
    )


def _hinge(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return tf.reduce_mean(tf.nn.relu(1.0 - real)) + tf.reduce_mean(tf.nn.relu(1.0 + fake))


def _wasserstein(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return tf.reduce_mean(fake) - tf.reduce_mean(real)


def _raise_score(fake: Tensor) -> Tensor:
    return -tf.reduce_mean(fake)


LOSSES: dict[str, Loss] = {
    "minimax": Loss(
        "the zero-sum game of Goodfellow 2014, equation 1",
        _binary,
        lambda fake: -_cross_entropy(fake, 0.0),
    ),
    "non_saturating": Loss(
        "the generator maximizes log D(G(z)) (Goodfellow 2014, section 3)",
        _binary,
        lambda fake: _cross_entropy(fake, 1.0),
    ),
    "lsgan": Loss(
        "least squares with labels 0 and 1 (Mao 2017, equation 9)",
        _squares,
        lambda fake: 0.5 * tf.reduce_mean(tf.square(fake - 1.0)),
    ),
    "hinge": Loss("hinge (Lim & Ye 2017; Miyato 2018, equation 17)", _hinge, _raise_score),
    "wgan": Loss(
        "Wasserstein, the critic's weights clipped (Arjovsky 2017, algorithm 1)",
        _wasserstein,
        _raise_score,
        lipschitz="clip",
    ),
    "wgan_gp": Loss(
        "Wasserstein with gradient penalty (Gulrajani 2017, algorithm 1)",
        _wasserstein,
        _raise_score,
        lipschitz="penalty",
    ),
}


def find_loss(name: str) -> Loss:
    """The loss of that name; PocketganError lists the known ones."""
    if name not in LOSSES:
        raise PocketganError(
            f"train.loss: there is no loss called '{name}'.", f"Known: {', '.join(LOSSES)}."
        )
    return LOSSES[name]
