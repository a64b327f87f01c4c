"""Unpaired translation: two domains, and a generator each way (Zhu 2017, CycleGAN)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor
from pipeline.graphs import tf_graph
from pipeline.networks.pixels import TRANSLATED, to_uint8
from pipeline.training.augment import augment, mirrored
from pipeline.training.distillation_set import from_uint8, pictures_like
from pipeline.training.losses import Verdict
from pipeline.training.objective import Objective
from pipeline.training.randomness import Purpose, StepSeeds, seed_pair, split_seed
from pipeline.training.settings import TrainSettings, TranslationWeights

FIXED_PICTURES = 16
POOLED = 50
"""Pictures of each generator that are shown to its discriminator again (Zhu 2017, section 4)."""


@dataclass(frozen=True, kw_only=True)
class DomainBatch:
    """Pictures of both domains in −1..1, float32 [N, H, W, C], that have nothing to do."""

    inputs: Tensor
    pictures: Tensor


@dataclass(frozen=True, kw_only=True)
class DomainFakes:
    """What the generators make of a batch; ``again`` is there and back."""

    pictures: Tensor
    inputs: Tensor
    inputs_again: Tensor
    pictures_again: Tensor
    same_pictures: Tensor
    """Pictures of the domain to draw, drawn: they should stay as they are."""


class UnpairedTranslation(Objective):
    """A generator from inputs to pictures, its inverse, and a discriminator for each domain.

    ``inputs`` and ``pictures``: the domains to train on, uint8 [N, H, W, C]. ``fixed``: inputs
    whose pictures show how far it is. All networks work in −1..1. ``teacher``: a frozen generator
    whose picture is a further target, ``distill`` times the mean squared difference.
    """

    caption = "input, picture, back again"

    def __init__(
        self,
        generators: Sequence[tf_keras.Model],
        discriminators: Sequence[tf_keras.Model],
        *,
        inputs: np.ndarray,
        pictures: np.ndarray,
        fixed: np.ndarray,
        weights: TranslationWeights,
        settings: TrainSettings,
        seed: int,
        teacher: tf_keras.Model | None = None,
        distill: float = 0.0,
    ) -> None:
        super().__init__(generators, discriminators, settings)
        self.generator, self.inverse = generators
        self._judge_pictures, self._judge_inputs = discriminators
        self._weights, self._seed = weights, seed
        self._teacher, self._distill = teacher, distill
        # One picture has no variety.
        enough = fixed if len(fixed) > 1 else np.concatenate([fixed, inputs[:1]])
        self._real_pictures, self._fixed = pictures, enough[:FIXED_PICTURES]
        self._inputs, self._pictures = tf.constant(inputs), tf.constant(pictures)
        self._pools = [_Pool(domain.shape[1:]) for domain in (pictures, inputs)]
        self.state = [variable for pool in self._pools for variable in pool.variables]

    @property
    def real_pictures(self) -> np.ndarray:
        """The domain to draw."""
        return self._real_pictures

    def batch(self, seeds: StepSeeds) -> DomainBatch:
        """Pictures of each domain, drawn with replacement, half of them mirrored."""
        count = self.settings.batch
        return DomainBatch(
            inputs=self._sample(self._inputs, seeds(Purpose.LATENT), count),
            pictures=self._sample(self._pictures, seeds(Purpose.BATCH), count),
        )

    def generate(self, batch: DomainBatch) -> DomainFakes:
        """There, back, and there again."""
        pictures = self.generator(batch.inputs, training=True)
        inputs = self.inverse(batch.pictures, training=True)
        return DomainFakes(
            pictures=pictures,
            inputs=inputs,
            inputs_again=self.inverse(pictures, training=True),
            pictures_again=self.generator(inputs, training=True),
            same_pictures=self.generator(batch.pictures, training=True),
        )

    def judge(
        self, batch: DomainBatch, fakes: DomainFakes, seeds: StepSeeds, *, regularize: bool
    ) -> Verdict:
        """Both discriminators; their losses see earlier fakes too, the logits are of these."""
        verdicts = []
        domains = (
            (self._judge_pictures, batch.pictures, fakes.pictures),
            (self._judge_inputs, batch.inputs, fakes.inputs),
        )
        for number, (discriminator, real, fake) in enumerate(domains):

            def score(pictures: Tensor, discriminator: Any = discriminator) -> Tensor:
                return discriminator(pictures, training=True)

            pooled = self._pools[number].exchanged(
                tf.stop_gradient(fake), split_seed(seeds(Purpose.INTERPOLATE), number)
            )
            verdict = self.adversarial_loss.judge(
                real,
                pooled,
                score_real=score,
                score_fake=score,
                seeds=seeds,
                regularize=regularize,
            )
            augmented = augment(fake, self.settings.augment, seeds(Purpose.AUGMENT_FAKE))
            verdicts.append(Verdict(verdict.loss, verdict.real_logits, score(augmented)))
        return Verdict(
            tf.add_n([verdict.loss for verdict in verdicts]),
            tf.concat([verdict.real_logits for verdict in verdicts], axis=0),
            tf.concat([verdict.fake_logits for verdict in verdicts], axis=0),
        )

    def generator_loss(self, batch: DomainBatch, fakes: DomainFakes, verdict: Verdict) -> Tensor:
        """Adversarial, cycle and identity loss (Zhu 2017, equations 1 and 2, section 5.2), the last
        of the generator that is kept alone: theirs is of the inverse, too."""
        weights = self._weights
        loss = 2 * weights.adversarial * self.adversarial_loss.generator(verdict)
        for again, original in (
            (fakes.inputs_again, batch.inputs),
            (fakes.pictures_again, batch.pictures),
        ):
            loss += weights.cycle * tf.reduce_mean(tf.abs(again - original))
        loss += weights.identity * tf.reduce_mean(tf.abs(fakes.same_pictures - batch.pictures))
        if self._teacher is not None and self._distill:
            target = self._teacher(batch.inputs, training=False)
            loss += self._distill * tf.reduce_mean(tf.square(fakes.pictures - target))
        return loss

    def recalibrate(self, number: Tensor) -> None:
        """A batch drawn anew, through the generator only."""
        seed = seed_pair(self._seed, Purpose.RECALIBRATE, number)
        self.generator(self._sample(self._inputs, seed, self.settings.batch), training=True)

    def fixed_pictures(self) -> np.ndarray:
        """uint8 [2 to 16, H, W, C]."""
        pictures = self._infer(from_uint8(tf.constant(self._fixed), TRANSLATED))
        return to_uint8(np.nan_to_num(pictures.numpy()), TRANSLATED)

    def frame(self, pictures: np.ndarray) -> np.ndarray:
        """Input, picture and the way back side by side: uint8 [16, H, 3·W, C]."""
        back = self._infer_back(from_uint8(tf.constant(pictures), TRANSLATED))
        inputs = pictures_like(self._fixed, pictures)
        returned = pictures_like(to_uint8(np.nan_to_num(back.numpy()), TRANSLATED), pictures)
        return np.concatenate([inputs, pictures, returned], axis=2)

    @tf_graph
    def _infer(self, inputs: Tensor) -> Tensor:
        return self.generator(inputs, training=False)

    @tf_graph
    def _infer_back(self, pictures: Tensor) -> Tensor:
        return self.inverse(pictures, training=False)

    def _sample(self, domain: Tensor, seed: Tensor, count: int) -> Tensor:
        chosen = tf.random.stateless_uniform(
            [count], split_seed(seed, 0), maxval=domain.shape[0], dtype=tf.int32
        )
        pictures = from_uint8(tf.gather(domain, chosen), TRANSLATED)
        return mirrored([pictures], split_seed(seed, 1))[0] if self._weights.mirror else pictures


class _Pool:
    """Earlier pictures of a generator, so that its discriminator does not forget them."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._pictures = tf.Variable(tf.zeros([POOLED, *shape]), trainable=False)
        self._filled = tf.Variable(0, dtype=tf.int32, trainable=False)
        self.variables = [self._pictures, self._filled]

    def exchanged(self, fakes: Tensor, seed: Tensor) -> Tensor:
        """For half of the fakes an earlier one, whose place they take; all, until it is full."""
        count = fakes.shape[0]
        start = tf.random.stateless_uniform([], split_seed(seed, 0), maxval=POOLED, dtype=tf.int32)
        full = self._filled >= POOLED
        places = (tf.where(full, start, self._filled) + tf.range(count)) % POOLED
        earlier = tf.gather(self._pictures, places)
        coin = tf.random.stateless_uniform([count, 1, 1, 1], split_seed(seed, 1)) < 0.5
        swapped = tf.logical_and(full, coin)
        stored = tf.where(tf.logical_or(swapped, ~full), fakes, earlier)
        self._pictures.scatter_update(tf.IndexedSlices(stored, places))
        self._filled.assign(tf.minimum(self._filled + count, POOLED))
        return tf.where(swapped, earlier, fakes)
