"""Paired translation: a picture becomes another one, whose truth is known (Isola 2017, pix2pix).

Also how a student learns to translate: the truth is then what its teacher drew.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor, visible_channels
from pipeline.graphs import tf_graph
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.training.augment import mirrored, moved_together
from pipeline.training.distillation_set import DistillationSet, pictures_like
from pipeline.training.feature_loss import (
    discriminator_maps,
    feature_difference,
    perceptual_maps,
)
from pipeline.training.losses import Verdict
from pipeline.training.objective import Objective
from pipeline.training.randomness import Purpose, StepSeeds, seed_pair
from pipeline.training.settings import TrainSettings, TranslationWeights

FIXED_PICTURES = 16


@dataclass(frozen=True, kw_only=True)
class TranslationBatch:
    """Pictures that are read, in the generator's range, and what they should become: −1..1."""

    inputs: Tensor
    targets: Tensor
    condition: Tensor
    """What the discriminator sees of the inputs: −1..1, at the size of the targets."""


class PairedTranslation(Objective):
    """Pictures in, pictures out.

    ``pairs``: to train on, with the ``input_pixels`` of what the generator reads; ``fixed``: the
    few whose pictures show how far it is, and of whose inputs so many channels are ``visible``:
    those of one picture if left out. Without a ``discriminator`` only the differences to the
    targets count. ``teacher``: a frozen generator whose picture is a further target, ``distill``
    times the mean squared difference.
    """

    caption = "input, picture, truth"

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model | None,
        *,
        pairs: DistillationSet,
        fixed: DistillationSet,
        pixels: PixelRange,
        weights: TranslationWeights,
        settings: TrainSettings,
        seed: int,
        teacher: tf_keras.Model | None = None,
        distill: float = 0.0,
        visible: int | None = None,
    ) -> None:
        super().__init__([generator], [] if discriminator is None else [discriminator], settings)
        self.generator, self.discriminator = generator, discriminator
        self._pixels, self._weights = pixels, weights
        self._teacher, self._distill = teacher, distill
        self._pairs, self._seed = pairs, seed
        self._fixed = fixed.at_least_two(pairs)  # one picture has no variety
        self._discriminator_maps = self._perceptual_maps = None
        if weights.feature_matching and discriminator is not None:
            self._discriminator_maps = discriminator_maps(discriminator)
        if weights.perceptual:
            self._perceptual_maps = perceptual_maps(pairs.pictures.shape[1:])
        self._tensors = pairs.on_device(pixels)
        self._fixed_inputs = self._fixed.readable(slice(FIXED_PICTURES))
        self._visible = visible_channels(fixed.inputs.shape[-1]) if visible is None else visible

    @property
    def real_pictures(self) -> np.ndarray:
        """The targets to train on."""
        return self._pairs.pictures

    def batch(self, seeds: StepSeeds) -> TranslationBatch:
        """Pairs drawn with replacement, mirrored and moved as the weights say."""
        inputs, _, targets = self._tensors.sample(seeds(Purpose.BATCH), self.settings.batch)
        if self._weights.mirror:
            inputs, targets = mirrored([inputs, targets], seeds(Purpose.LATENT))
        if self._weights.shift:
            seed = seeds(Purpose.AUGMENT_REAL)
            inputs, targets = moved_together(inputs, targets, self._weights.shift, seed)
        assert self._pairs.input_pixels is not None
        condition = _centred(inputs, self._pairs.input_pixels)
        size = targets.shape[1:3]
        if condition.shape[1:3] != size:
            condition = tf.image.resize(condition, size)
        return TranslationBatch(
            inputs=inputs, targets=_centred(targets, self._pixels), condition=condition
        )

    def generate(self, batch: TranslationBatch) -> Tensor:
        """float32 [N, H, W, C], in −1..1 whatever the generator's own range is."""
        return _centred(self.generator(batch.inputs, training=True), self._pixels)

    def judge(
        self, batch: TranslationBatch, fakes: Tensor, seeds: StepSeeds, *, regularize: bool
    ) -> Verdict:
        """Each picture is judged beside its input, patch by patch (Isola 2017, section 3.2.2).

        Both are changed alike by the augmentations, so that they still belong together.
        """
        if self.discriminator is None:
            logits = tf.zeros([1, 1])
            return Verdict(tf.zeros([]), logits, logits)

        discriminator = self.discriminator

        def score(pairs: Tensor) -> Tensor:
            return discriminator(pairs, training=True)

        return self.adversarial_loss.judge(
            tf.concat([batch.condition, batch.targets], -1),
            tf.concat([batch.condition, fakes], -1),
            score_real=score,
            score_fake=score,
            seeds=seeds,
            regularize=regularize,
        )

    def generator_loss(self, batch: TranslationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """Differences to the targets, adversarial loss, and distillation, each by its weight."""
        weights = self._weights
        difference = fakes - batch.targets
        loss = weights.l1 * tf.reduce_mean(tf.abs(difference))
        loss += weights.l2 * tf.reduce_mean(tf.square(difference))
        if self.discriminator is not None:
            loss += weights.adversarial * self.adversarial_loss.generator(verdict)
        if self._discriminator_maps is not None:
            judged, true = (
                tf.concat([batch.condition, pictures], -1) for pictures in (fakes, batch.targets)
            )
            difference = feature_difference(self._discriminator_maps, judged, true)
            loss += weights.feature_matching * difference
        if self._perceptual_maps is not None:
            difference = feature_difference(self._perceptual_maps, fakes, batch.targets)
            loss += weights.perceptual * difference
        if self._teacher is not None and self._distill:
            target = _centred(self._teacher(batch.inputs, training=False), self._pixels)
            loss += self._distill * tf.reduce_mean(tf.square(fakes - target))
        return loss

    def recalibrate(self, number: Tensor) -> None:
        """A batch drawn anew."""
        seed = seed_pair(self._seed, Purpose.RECALIBRATE, number)
        inputs, _, _ = self._tensors.sample(seed, self.settings.batch)
        self.generator(inputs, training=True)

    def fixed_pictures(self) -> np.ndarray:
        """uint8 [2 to 16, H, W, C]."""
        pictures = self._infer(tf.constant(self._fixed_inputs))
        return to_uint8(np.nan_to_num(pictures.numpy()), self._pixels)

    def frame(self, pictures: np.ndarray) -> np.ndarray:
        """Input, picture and truth side by side: uint8 [16, H, 3·W, C]."""
        inputs = self._fixed.inputs[:FIXED_PICTURES, ..., : self._visible]
        truth = self._fixed.pictures[:FIXED_PICTURES]
        return np.concatenate([pictures_like(inputs, pictures), pictures, truth], axis=2)

    @tf_graph
    def _infer(self, inputs: Tensor) -> Tensor:
        return self.generator(inputs, training=False)


def _centred(pictures: Tensor, pixels: PixelRange) -> Tensor:
    """Pictures of a range in −1..1."""
    low, high = pixels
    if pixels == (-1.0, 1.0):
        return pictures
    return (pictures - low) * (2 / (high - low)) - 1
