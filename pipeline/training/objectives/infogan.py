"""InfoGAN: part of the latent must be readable off the picture (Chen 2016).

Nobody says what the codes mean: they come to mean what pictures differ in most.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.arrays import Tensor
from pipeline.networks.codes import codes_in
from pipeline.networks.settings import Codes
from pipeline.training.losses import Verdict
from pipeline.training.objectives.generation import Generation, GenerationBatch
from pipeline.training.randomness import Purpose, StepSeeds, seed_pair

MEASURED = 2048
"""Pictures whose codes are read for ``figures``."""


@dataclass(frozen=True)
class CodedVerdict(Verdict):
    """With the loss of reading the codes, which both sides make small."""

    code_loss: Tensor


class InfoGAN(Generation):
    """Latents with codes in, pictures out; ``discriminator`` has the second head of ``codes``.

    ``information``: weight of the mutual information between codes and pictures.
    """

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model,
        *,
        codes: Codes,
        information: float,
        **generation: Any,
    ) -> None:
        super().__init__(generator, discriminator, **generation)
        self._codes, self._information = codes, information

    def judge(
        self, batch: GenerationBatch, fakes: Tensor, seeds: StepSeeds, *, regularize: bool
    ) -> CodedVerdict:
        """As ever, and the codes are read off the generated pictures as they are."""
        verdict = super().judge(batch, fakes, seeds, regularize=regularize)
        _, read = self._outputs(fakes, batch.input_classes)
        missed = self._information * code_loss(
            self._codes, codes_in(batch.inputs, self._codes), read
        )
        return CodedVerdict(verdict.loss + missed, verdict.real_logits, verdict.fake_logits, missed)

    def generator_loss(self, batch: GenerationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """As ever, less the information."""
        assert isinstance(verdict, CodedVerdict)
        return super().generator_loss(batch, fakes, verdict) + verdict.code_loss

    def figures(self) -> dict[str, float]:
        """How well the codes are read off pictures of latents that no update saw."""
        seed = seed_pair(self._seed, Purpose.EVALUATION, 0)
        inputs, classes, _ = self._inputs(MEASURED, seed)
        # A batch at a time: so many pictures may need more memory than the training did.
        parts = [
            slice(start, start + self.settings.batch)
            for start in range(0, MEASURED, self.settings.batch)
        ]
        read = [
            self._outputs(self._infer(inputs[part]), classes[part], training=False)[1].numpy()
            for part in parts
        ]
        return recovered(self._codes, codes_in(inputs, self._codes).numpy(), np.concatenate(read))

    def _score(self, pictures: Tensor, classes: Tensor) -> Tensor:
        logits, _ = self._outputs(pictures, classes)
        return logits

    def _outputs(self, pictures: Tensor, classes: Tensor, *, training: bool = True) -> Any:
        return self.discriminator(self._judged(pictures, classes), training=training)


def code_loss(codes: Codes, true: Tensor, read: Tensor) -> Tensor:
    """−E log Q(c|x), but for a constant: the codes' entropy less the lower bound of the information
    (Chen 2016, equation 4). Q of a continuous code is a normal of deviation 1.

    ``true``, ``read``: float32 [N, continuous + discrete].
    """
    split = codes.continuous
    loss = 0.5 * tf.reduce_mean(tf.reduce_sum(tf.square(true - read)[:, :split], axis=1))
    if codes.discrete:
        loss += tf.reduce_mean(
            tf.nn.softmax_cross_entropy_with_logits(true[:, split:], read[:, split:])
        )
    return loss


def recovered(codes: Codes, true: np.ndarray, read: np.ndarray) -> dict[str, float]:
    """Of a discrete code the share of pictures that it is read off rightly; of each continuous one
    its correlation with what is read, 0 where that is always the same.
    """
    split = codes.continuous
    figures = {}
    if codes.discrete:
        right = true[:, split:].argmax(axis=1) == read[:, split:].argmax(axis=1)
        figures["discrete_code"] = round(float(right.mean()), 4)
    for number in range(split):
        pair = true[:, number], read[:, number]
        varies = all(values.std() > 0 for values in pair)
        correlation = float(np.corrcoef(*pair)[0, 1]) if varies else 0.0
        figures[f"continuous_code_{number + 1}"] = round(correlation, 4)
    return figures
