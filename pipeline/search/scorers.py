"""How near a student is to its teacher: by the distance of what both draw, or pixel by pixel."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
import tf_keras

from pipeline.arrays import Images
from pipeline.metrics.distances import Features, frechet_distance
from pipeline.networks.pixels import PixelRange, to_uint8
from pipeline.training.distillation_set import DistillationSet

DRAWN_AT_ONCE = 250

Scorer = Callable[[tf_keras.Model, PixelRange], float]
"""A student, and black and white in its pictures → its distance to the teacher."""


class PictureFeatures(Protocol):
    """Of a judge what a score needs."""

    def features(self, images: Images) -> Features:
        """Features [N, D] of uint8 [N, H, W, C]."""


def frechet_scorer(judge: PictureFeatures, reference: Images, inputs: np.ndarray) -> Scorer:
    """Scores a student by the Fréchet distance of its pictures for ``inputs`` to ``reference``.

    ``reference``: the teacher's pictures, uint8 [M, H, W, C]. Real pictures play no part, so that
    nothing is chosen by those that the result is judged by. Infinite where a picture is not finite.
    """
    features = judge.features(reference)

    def score(student: tf_keras.Model, pixels: PixelRange) -> float:
        pictures = draw_pictures(student, inputs)
        if not np.isfinite(pictures).all():
            return float("inf")
        return frechet_distance(judge.features(to_uint8(pictures, pixels)), features)

    return score


def pixel_scorer(reference: DistillationSet) -> Scorer:
    """Scores a student by the mean squared difference to the reference's pictures, in 8-bit steps.

    Infinite where a picture is not finite.
    """
    inputs = reference.readable()

    def score(student: tf_keras.Model, pixels: PixelRange) -> float:
        pictures = draw_pictures(student, inputs)
        if not np.isfinite(pictures).all():
            return float("inf")
        difference = to_uint8(pictures, pixels).astype(np.float32) - reference.pictures
        return float(np.mean(np.square(difference), dtype=np.float64))

    return score


def draw_pictures(model: tf_keras.Model, inputs: np.ndarray) -> np.ndarray:
    """The model's pictures, float32 [N, H, W, C], computed a batch at a time.

    Without a graph: that of ``predict`` takes longer to make than a small model to draw.
    """
    starts = range(0, len(inputs), DRAWN_AT_ONCE)
    batches = (inputs[start : start + DRAWN_AT_ONCE] for start in starts)
    return np.concatenate([np.asarray(model(batch, training=False)) for batch in batches])
