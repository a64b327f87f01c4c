"""Adversarial losses: what the discriminator and the generator each minimize.

A loss takes logits [N, 1] (float32) and gives a scalar.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from deploy.errors import PocketganError, one_of
from pipeline.arrays import Tensor
from pipeline.training.augment import augment, check_names
from pipeline.training.randomness import Purpose, StepSeeds
from pipeline.training.settings import TrainSettings

Score = Callable[[Tensor], Tensor]
"""A discriminator as a function: pictures float32 [N, H, W, C] → logits."""


@dataclass(frozen=True, kw_only=True)
class Loss:
    """Losses of both sides, of real and of generated logits.

    ``lipschitz``: "clip" or "penalty", where the critic must be smooth. ``boundary``: the logit
    above which a picture is taken for real; None where logits mean something beside others only.
    """

    describe: str = field(kw_only=False)
    discriminator: Callable[[Tensor, Tensor, float], Tensor] = field(kw_only=False)
    generator: Callable[[Tensor, Tensor], Tensor] = field(kw_only=False)
    lipschitz: str = ""
    boundary: float | None = 0.0


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


def _relativistic(real: Tensor, fake: Tensor, smoothing: float) -> Tensor:
    return tf.reduce_mean(tf.nn.softplus(fake - real))


def _raise_score(real: Tensor, fake: Tensor) -> Tensor:
    return -tf.reduce_mean(fake)


LOSSES: dict[str, Loss] = {
    "minimax": Loss(
        "the zero-sum objective of Goodfellow 2014, equation 1",
        _binary,
        lambda real, fake: -_cross_entropy(fake, 0.0),
    ),
    "non_saturating": Loss(
        "the generator maximizes log D(G(z)) (Goodfellow 2014, section 3)",
        _binary,
        lambda real, fake: _cross_entropy(fake, 1.0),
    ),
    "lsgan": Loss(
        "least squares with labels 0 and 1 (Mao 2017, equation 9)",
        _squares,
        lambda real, fake: 0.5 * tf.reduce_mean(tf.square(fake - 1.0)),
        boundary=0.5,
    ),
    "hinge": Loss("hinge (Lim & Ye 2017; Miyato 2018, equation 17)", _hinge, _raise_score),
    "wgan": Loss(
        "Wasserstein, the critic's weights clipped (Arjovsky 2017, algorithm 1)",
        _wasserstein,
        _raise_score,
        lipschitz="clip",
        boundary=None,
    ),
    "wgan_gp": Loss(
        "Wasserstein with gradient penalty (Gulrajani 2017, algorithm 1)",
        _wasserstein,
        _raise_score,
        lipschitz="penalty",
        boundary=None,
    ),
    "relativistic": Loss(
        "each real logit against a generated one (Jolicoeur-Martineau 2018, equation 3; with r1 "
        "and r2: Huang 2024, equation 2)",
        _relativistic,
        lambda real, fake: tf.reduce_mean(tf.nn.softplus(real - fake)),
        boundary=None,
    ),
}


SMOOTHED = ("minimax", "non_saturating", "lsgan")
"""Those that have labels, which can be smoothed."""


def find_loss(name: str) -> Loss:
    """The loss of that name; PocketganError lists the known ones."""
    if name not in LOSSES:
        raise PocketganError(f"train.loss: there is no loss called '{name}'.", one_of(name, LOSSES))
    return LOSSES[name]


def slope_penalty(score: Score, pictures: Tensor) -> Tensor:
    """½·E‖∇ₓD(x)‖², without its γ: R1 at real pictures, R2 at generated ones (Mescheder 2018,
    equations 9 and 10).
    """
    return 0.5 * tf.reduce_mean(_squared_slope(score, pictures))


def gradient_penalty(score: Score, real: Tensor, fake: Tensor, seed: Tensor) -> Tensor:
    """E(‖∇D(x̂)‖ − 1)² on lines between real and generated pictures (Gulrajani 2017, equation 3)."""
    mix = tf.random.stateless_uniform([real.shape[0], 1, 1, 1], seed)
    slope = tf.sqrt(_squared_slope(score, real + mix * (fake - real)) + 1e-12)
    return tf.reduce_mean(tf.square(slope - 1.0))


def _squared_slope(score: Score, pictures: Tensor) -> Tensor:
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        total = tf.reduce_sum(score(pictures))
    return tf.reduce_sum(tf.square(tape.gradient(total, pictures)), axis=[1, 2, 3])


@dataclass(frozen=True)
class Verdict:
    """The discriminators' loss (a scalar) and the logits that it comes from."""

    loss: Tensor
    real_logits: Tensor
    fake_logits: Tensor


class AdversarialLoss:
    """The recipe's loss, with all that it asks for to keep a discriminator smooth.

    An objective calls ``judge`` once for each of its discriminators. Raises PocketganError for
    names of a loss or of an augmentation that do not exist.
    """

    def __init__(self, settings: TrainSettings) -> None:
        check_names(settings.augment)
        self._settings = settings
        self._loss = find_loss(settings.loss)

    @property
    def saturates(self) -> bool:
        """Whether a discriminator that is always right has nothing left to learn: no critic has."""
        return not self._loss.lipschitz

    def accuracy(self, verdict: Verdict) -> Tensor:
        """Share of pictures on the right side of the loss's boundary, scalar float32; where it has
        none, of pairs in which the real one has the higher logit."""
        real, fake, boundary = verdict.real_logits, verdict.fake_logits, self._loss.boundary
        if boundary is None:
            right = real > fake
        else:
            right = tf.concat([real > boundary, fake <= boundary], axis=0)
        return tf.reduce_mean(tf.cast(right, tf.float32))

    def regularizes_at(self, step: int) -> bool:
        """Whether R1 and R2 are computed at this step."""
        settings = self._settings
        return bool(settings.r1 or settings.r2) and step % settings.r1_every == 0

    def judge(
        self,
        real: Tensor,
        fake: Tensor,
        *,
        score_real: Score,
        score_fake: Score,
        seeds: StepSeeds,
        regularize: bool,
    ) -> Verdict:
        """The verdict on a real and a generated batch, float32 [N, H, W, C] in one range.

        The scores differ where a discriminator also reads a condition (a class, a source picture),
        which belongs to the real or to the generated batch. ``regularize`` adds R1
        and R2.
        """
        settings = self._settings
        real = augment(real, settings.augment, seeds(Purpose.AUGMENT_REAL))
        fake = augment(fake, settings.augment, seeds(Purpose.AUGMENT_FAKE))
        real_logits, fake_logits = score_real(real), score_fake(fake)
        loss = self._loss.discriminator(real_logits, fake_logits, settings.label_smoothing)
        if regularize and settings.r1:
            loss += settings.r1 * settings.r1_every * slope_penalty(score_real, real)
        if regularize and settings.r2:
            slope = slope_penalty(score_fake, tf.stop_gradient(fake))
            loss += settings.r2 * settings.r1_every * slope
        if self._loss.lipschitz == "penalty":
            seed = seeds(Purpose.INTERPOLATE)
            slope = gradient_penalty(score_real, real, tf.stop_gradient(fake), seed)
            loss += settings.gradient_penalty * slope
        return Verdict(loss, real_logits, fake_logits)

    def generator(self, verdict: Verdict) -> Tensor:
        """The generator's loss: how far the discriminator is from taking its pictures for real."""
        return self._loss.generator(verdict.real_logits, verdict.fake_logits)

    def clip(self, variables: Sequence[Any]) -> None:
        """Keep a critic's weights within ± ``settings.clip``, where the loss asks for that."""
        if self._loss.lipschitz == "clip":
            for variable in variables:
                limit = self._settings.clip
                variable.assign(tf.clip_by_value(variable, -limit, limit))
