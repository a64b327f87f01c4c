"""How near a student is to its teacher: looked at early and often, so it must be quick."""

from collections.abc import Callable

import numpy as np
import tf_keras

from pipeline.data.dataset import Images
from pipeline.metrics.frechet import frechet_distance
from pipeline.metrics.quality import FeatureNetwork
from pipeline.networks.pixels import PixelRange, to_uint8

BATCH = 250

Scorer = Callable[[tf_keras.Model, PixelRange], float]
"""A student, and black and white in what it draws → its distance."""


def looking(judge: FeatureNetwork, reference: Images, inputs: np.ndarray) -> Scorer:
    """A function: student → Fréchet distance of what it draws from ``inputs`` to ``reference``.

    ``reference``: the teacher's pictures, uint8 [M, H, W, C]. The real pictures are not asked, so
    that nothing is chosen by those that the result is judged by.
    """
    features = judge.features(reference)

    def look(student: tf_keras.Model, pixels: PixelRange) -> float:
        made = drawn(student, inputs)
        if not np.isfinite(made).all():
            return float("inf")
        return frechet_distance(judge.features(to_uint8(made, pixels)), features)

    return look


def drawn(model: tf_keras.Model, inputs: np.ndarray) -> np.ndarray:
    """What a model draws, float32 [N, H, W, C], a batch at a time."""
    return np.asarray(model.predict(inputs, batch_size=BATCH, verbose=0))
