"""What a discriminator says of real and generated pictures, and the losses of both sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.training.augment import augment, check_names
from pipeline.training.losses import find_loss
from pipeline.training.penalties import gradient_penalty, r1_penalty
from pipeline.training.randomness import Purpose, StepSeeds
from pipeline.training.settings import TrainSettings

Tensor = Any
Score = Callable[[Tensor], Tensor]
"""A discriminator as a function: pictures float32 [N, H, W, C] → logits."""


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

    def regularizes_at(self, step: int) -> bool:
        """Whether R1 is computed at this step."""
        return bool(self._settings.r1) and step % self._settings.r1_every == 0

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
        which belongs to the real or to the generated batch. ``regularize`` adds R1.
        """
        settings = self._settings
        real = augment(real, settings.augment, seeds(Purpose.AUGMENT_REAL))
        fake = augment(fake, settings.augment, seeds(Purpose.AUGMENT_FAKE))
        real_logits, fake_logits = score_real(real), score_fake(fake)
        loss = self._loss.discriminator(real_logits, fake_logits, settings.label_smoothing)
        if regularize:
            loss += settings.r1 * settings.r1_every * r1_penalty(score_real, real)
        if self._loss.lipschitz == "penalty":
            seed = seeds(Purpose.INTERPOLATE)
            slope = gradient_penalty(score_real, real, tf.stop_gradient(fake), seed)
            loss += settings.gradient_penalty * slope
        return Verdict(loss, real_logits, fake_logits)

    def generator(self, verdict: Verdict) -> Tensor:
        """The generator's loss: how far the discriminator is from taking its pictures for real."""
        return self._loss.generator(verdict.fake_logits)

    def clip(self, variables: Sequence[Any]) -> None:
        """Keep a critic's weights within ± ``settings.clip``, where the loss asks for that."""
        if self._loss.lipschitz == "clip":
            for variable in variables:
                limit = self._settings.clip
                variable.assign(tf.clip_by_value(variable, -limit, limit))
