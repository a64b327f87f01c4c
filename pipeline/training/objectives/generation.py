"""Generation: a generator turns latents, and perhaps classes, into pictures (Goodfellow 2014).

Dense training, pruning and quantization-aware training have this objective; with a teacher it is
distillation as well.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor
from pipeline.graphs import tf_graph
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.feature_loss import (
    discriminator_maps,
    feature_difference,
    mean_feature_difference,
)
from pipeline.training.losses import Verdict
from pipeline.training.objective import Objective
from pipeline.training.randomness import Prior, Purpose, StepSeeds, draw_latents, seed_pair
from pipeline.training.settings import TrainSettings

FIXED_PICTURES = 64


@dataclass(frozen=True, kw_only=True)
class GenerationBatch:
    """Real pictures float32 [N, H, W, C] with one-hot classes [N, classes]; inputs likewise."""

    real: Tensor
    real_classes: Tensor
    inputs: Tensor
    input_classes: Tensor
    targets: Tensor | None
    """The teacher's pictures of the inputs, where they are stored."""


class Generation(Objective):
    """Latents in, pictures out.

    ``pictures``: uint8 [N, H, W, C]; ``labels``: class numbers int [N], unused where the ``prior``
    draws no classes.
    ``teacher``: a frozen generator, or stored pairs of one, whose picture of the same input is a
    second target: ``distill`` times the mean squared difference is added to the generator's loss,
    and ``matching`` times the mean absolute difference of the discriminator's maps: what both
    pictures are to a network that learns what tells them apart (Larsen 2016, section 2.1; Wang
    2018, pix2pixHD, equation 4). Stored pairs also are where the generator's inputs come from.
    """

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model,
        *,
        pictures: np.ndarray,
        labels: np.ndarray | None,
        prior: Prior,
        pixels: PixelRange,
        settings: TrainSettings,
        seed: int,
        teacher: tf_keras.Model | DistillationSet | None = None,
        distill: float = 0.0,
        matching: float = 0.0,
        adversarial: float = 1.0,
    ) -> None:
        super().__init__([generator], [discriminator], settings)
        self.generator, self.discriminator = generator, discriminator
        self._prior, self._pixels = prior, pixels
        self._seed = seed
        self._distill, self._matching = distill, matching
        self._adversarial = adversarial
        self._real_pictures = pictures
        self._pictures = tf.constant(pictures)
        # What a discriminator reads says whether it is told the class: a code looks like one.
        self._judges_classes = len(discriminator.inputs) > 1
        self._labels = tf.constant(
            labels if self._judges_classes else np.zeros(len(pictures)), tf.int32
        )
        self._features: Any = None
        if settings.feature_matching or matching:
            self._features = discriminator_maps(discriminator)
        stored = teacher if isinstance(teacher, DistillationSet) else None
        self._stored_pairs = None if stored is None else stored.on_device(pixels)
        self._teacher: Any = teacher if stored is None else None
        self._fixed_inputs, _, _ = self._inputs(FIXED_PICTURES, seed_pair(seed, Purpose.FIXED, 0))

    @property
    def real_pictures(self) -> np.ndarray:
        """The pictures to train on."""
        return self._real_pictures

    def batch(self, seeds: StepSeeds) -> GenerationBatch:
        """Real pictures drawn with replacement, and latents of the prior or stored inputs."""
        count = self.settings.batch
        chosen = tf.random.stateless_uniform(
            [count], seeds(Purpose.BATCH), maxval=self._pictures.shape[0], dtype=tf.int32
        )
        low, high = self._pixels
        pictures = tf.cast(tf.gather(self._pictures, chosen), tf.float32)
        inputs, input_classes, targets = self._inputs(count, seeds(Purpose.LATENT))
        return GenerationBatch(
            real=pictures * ((high - low) / 255) + low,
            real_classes=tf.one_hot(tf.gather(self._labels, chosen), self._prior.classes),
            inputs=inputs,
            input_classes=input_classes,
            targets=targets,
        )

    def generate(self, batch: GenerationBatch) -> Tensor:
        """float32 [N, H, W, C] in the generator's range."""
        return self.generator(batch.inputs, training=True)

    def judge(
        self, batch: GenerationBatch, fakes: Tensor, seeds: StepSeeds, *, regularize: bool
    ) -> Verdict:
        """Each picture is judged with its class, where there are any."""
        return self.adversarial_loss.judge(
            batch.real,
            fakes,
            score_real=lambda pictures: self._score(pictures, batch.real_classes),
            score_fake=lambda pictures: self._score(pictures, batch.input_classes),
            seeds=seeds,
            regularize=regularize,
        )

    def generator_loss(self, batch: GenerationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """The adversarial loss, feature matching, and the distance to the teacher's pictures."""
        loss = self._adversarial * self.adversarial_loss.generator(verdict)
        targets = batch.targets
        if self._teacher is not None:
            targets = self._teacher(batch.inputs, training=False)
        if self.settings.feature_matching:
            loss += self.settings.feature_matching * mean_feature_difference(
                self._features,
                self._judged(fakes, batch.input_classes),
                self._judged(batch.real, batch.real_classes),
            )
        if targets is not None:
            loss += self._distill * tf.reduce_mean(tf.square(fakes - targets))
            if self._matching:
                loss += self._matching * feature_difference(
                    self._features,
                    self._judged(fakes, batch.input_classes),
                    self._judged(targets, batch.input_classes),
                )
        return loss

    def recalibrate(self, number: Tensor) -> None:
        """A batch of inputs that no update saw."""
        seed = seed_pair(self._seed, Purpose.RECALIBRATE, number)
        inputs, _, _ = self._inputs(self.settings.batch, seed)
        self.generator(inputs, training=True)

    def fixed_pictures(self) -> np.ndarray:
        """uint8 [64, H, W, C]."""
        pictures = self._infer(self._fixed_inputs)
        return to_uint8(np.nan_to_num(pictures.numpy()), self._pixels)

    @tf_graph
    def _infer(self, inputs: Tensor) -> Tensor:
        return self.generator(inputs, training=False)

    def _score(self, pictures: Tensor, classes: Tensor) -> Tensor:
        return self.discriminator(self._judged(pictures, classes), training=True)

    def _judged(self, pictures: Tensor, classes: Tensor) -> Any:
        """What the discriminator reads."""
        return [pictures, classes] if self._judges_classes else pictures

    def _inputs(self, count: int, seed: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        """What the generator reads, its one-hot classes, and the stored pictures of a teacher."""
        if self._stored_pairs is not None:
            return self._stored_pairs.sample(seed, count)
        return *draw_latents(seed, count, self._prior), None
