"""What others train a student of pictures for, as their papers say it, in the one training loop.

- ``FeatureDistillation``: GAN Compression (Li 2020, arXiv:2003.08936);
- ``OnlineDistillation`` and ``OnlineTrainer``: OMGD (Ren 2021, arXiv:2108.06908).

Weights of the terms are those of the authors' code for pix2pix.
"""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import Tensor
from pipeline.training.losses import Verdict
from pipeline.training.objectives.translation import PairedTranslation, TranslationBatch
from pipeline.training.trainer import GANTrainer

FEATURES = 1.0
"""λ_distill of GAN Compression."""
STRUCTURE, PIXELS, VARIATION = 10.0, 10.0, 1e-5
"""λ_SSIM, λ_feature and λ_TV of OMGD: what its code has as a default."""

_ACTIVATIONS = (tf_keras.layers.ReLU, tf_keras.layers.LeakyReLU)


class FeatureMatching:
    """Maps of a student that shall be like its teacher's, through a learnable convolution each.

    Li 2020, section 3.1, "Intermediate feature distillation": Σₜ ‖fₜ(Gₜ(x)) − G'ₜ(x)‖², where fₜ,
    a convolution 1×1, gives the student's map as many channels as the teacher's has. ``student``
    and ``teacher`` read the same; the same layers of the student are looked at after it is folded
    and rounded. Raises PocketganError where a network has no activation to look at.
    """

    def __init__(self, student: tf_keras.Model, teacher: tf_keras.Model) -> None:
        mine, theirs = maps(student), maps(teacher)
        heights = [[one.shape[1] for one in each] for each in (mine, theirs)]
        self._places = matching_places(*heights)
        self._teacher = tf_keras.Model(teacher.inputs, [theirs[other] for _, other in self._places])
        self.adapters = tuple(
            tf_keras.Sequential(
                [
                    tf_keras.Input([None, None, mine[one].shape[-1]]),
                    tf_keras.layers.Conv2D(theirs[other].shape[-1], 1),
                ]
            )
            for one, other in self._places
        )
        """The fₜ, trained together with the student."""

    def of(self, student: tf_keras.Model) -> tf_keras.Model:
        """The student as a model that gives its map [N, h, w, c] of each place."""
        outputs = maps(student)
        return tf_keras.Model(student.inputs, [outputs[one] for one, _ in self._places])

    def loss(self, features: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Mean squared differences, summed over the places; ``features``: ``of`` ``inputs``.

        Where sizes differ, the larger map is averaged down to the smaller one.
        """
        wanted = tf.nest.flatten(self._teacher(inputs, training=False))
        total = tf.zeros([])
        for adapter, one, other in zip(self.adapters, features, wanted, strict=True):
            height = min(one.shape[1], other.shape[1])
            total += tf.reduce_mean(
                tf.square(adapter(_averaged(one, height)) - _averaged(other, height))
            )
        return total


def maps(network: tf_keras.Model) -> list[Any]:
    """What the activations within a network give, [N, h, w, c] each, in their order.

    Of a quantization-aware one as of the one that it was made from.
    """
    outputs = [
        layer.output
        for layer in network.layers
        if isinstance(getattr(layer, "layer", layer), _ACTIVATIONS)
    ]
    if not outputs:
        raise PocketganError(
            f"{network.name} has no ReLU behind which its features could be compared.",
            "Take a generator whose activations are layers.",
        )
    return outputs


def matching_places(student: Sequence[int], teacher: Sequence[int]) -> list[tuple[int, int]]:
    """Heights of both networks' maps → (number of the student's, of the teacher's) at each place.

    The first and the last map of each height that both have: on the way down and on the way up.
    Where they share none, those of the two heights that are nearest to each other.
    """
    shared = sorted(set(student) & set(teacher), reverse=True)
    nearest = min(
        product(sorted(set(student)), sorted(set(teacher))),
        key=lambda pair: abs(math.log(pair[0] / pair[1])),
    )
    places = list[tuple[int, int]]()
    for mine, theirs in [(height, height) for height in shared] or [nearest]:
        places += zip(_ends(student, mine), _ends(teacher, theirs), strict=True)
    return list(dict.fromkeys(places))


def _ends(heights: Sequence[int], height: int) -> tuple[int, int]:
    numbers = [number for number, one in enumerate(heights) if one == height]
    return numbers[0], numbers[-1]


def _averaged(values: Tensor, height: int) -> Tensor:
    """[N, h, w, c] at a height that divides its own."""
    factor = values.shape[1] // height
    return values if factor == 1 else tf.nn.avg_pool2d(values, factor, factor, "VALID")


class FeatureDistillation(PairedTranslation):
    """GAN Compression's objective for pairs (Li 2020, section 3.1).

    pix2pix's against the truth, to which the discriminator belongs that was trained with the
    teacher ("Inheriting the teacher discriminator"), plus λ_distill times the difference of the
    features. Its search for widths in a once-for-all network is no part of this: the student is
    the one that is compared.
    """

    def __init__(
        self,
        generator: tf_keras.Model,
        discriminator: tf_keras.Model,
        *,
        matching: FeatureMatching,
        **paired: Any,
    ) -> None:
        super().__init__(generator, discriminator, **paired)
        self.generators = (generator, *matching.adapters)
        self._matching, self._features = matching, matching.of(generator)

    def generator_loss(self, batch: TranslationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """pix2pix's loss, and that of the features."""
        features = tf.nest.flatten(self._features(batch.inputs, training=True))
        loss = super().generator_loss(batch, fakes, verdict)
        return loss + FEATURES * self._matching.loss(features, batch.inputs)


class OnlineDistillation(PairedTranslation):
    """OMGD's objective for the student (Ren 2021, section 3.1): no discriminator and no truth.

    Its target is what ``online`` draws of the same inputs with the weights that it has at that
    step. Structure (SSIM) and total variation are the paper's. Its perceptual losses, of features
    and of style, look at VGG's; the one published network that is at hand here is the judge, and a
    student that learns from its judge is not judged any more. The pixels' mean absolute difference
    has their place and the weight of the first.
    """

    def __init__(self, generator: tf_keras.Model, *, online: tf_keras.Model, **paired: Any) -> None:
        super().__init__(generator, None, **paired)
        self._online = online

    def generator_loss(self, batch: TranslationBatch, fakes: Tensor, verdict: Verdict) -> Tensor:
        """λ_SSIM·(1 − SSIM) + λ_feature·L1 + λ_TV·TV, of pictures in −1..1."""
        target = self._online(batch.inputs, training=False)
        structure = tf.reduce_mean(tf.image.ssim(fakes / 2 + 0.5, target / 2 + 0.5, 1.0))
        loss = STRUCTURE * (1 - structure)
        loss += PIXELS * tf.reduce_mean(tf.abs(fakes - target))
        return loss + VARIATION * tf.reduce_sum(tf.image.total_variation(fakes))


class OnlineTrainer(GANTrainer):
    """A student's training before each step of which its teacher takes one (Ren 2021, section 3.1).

    Both see the same pairs at the same step where seeds and batches are the same.
    """

    def __init__(self, objective: OnlineDistillation, seed: int, *, teacher: GANTrainer) -> None:
        super().__init__(objective, seed)
        self._teacher = teacher

    def step(self, *, regularize: bool, phase: int = 0) -> Tensor:
        """One step of the teacher, then one of the student; gives the student's metrics."""
        penalized = self._teacher.objective.regularizes_at(int(self._step))
        self._teacher.step(regularize=penalized)
        return super().step(regularize=regularize, phase=phase)
