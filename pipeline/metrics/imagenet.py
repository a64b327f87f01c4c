"""A judge of colour pictures that is the same everywhere: EfficientNet-Lite0, as it was published.

A network trained on the pictures at hand sees in them only what tells their classes or
rotations apart; this one learned to tell a thousand kinds of things by texture, shape and colour.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.arrays import Images, Tensor
from pipeline.graphs import tf_graph
from pipeline.metrics.distances import Features
from pipeline.networks.efficientnet import (
    REMEDY,
    SHA256,
    build_network,
    looks_at,
    published_weights,
)
from pipeline.networks.settings import IMAGENET_SIDE
from pipeline.progress import track

NOT_INSTALLED = (
    "ImageNet's judge of colour pictures is not installed, so one was trained on these pictures. "
    f"{REMEDY}, and evaluate.judge=imagenet asks for it."
)

SIDE = 224  # pixels, as it was trained
MEAN, DEVIATION = 127.0, 128.0  # of pixel values, as in the published training
BATCH = 100


class ImageNetJudge:
    """The published network as a judge. ``sha256`` is that of the file of its weights."""

    name = f"EfficientNet-Lite0 as published, on pictures resized to {SIDE}x{SIDE}"
    task = "tell ImageNet's thousand classes"
    enough = 500  # pictures by which two generators are told apart
    accuracy = None  # of ImageNet's classes it would say nothing of the pictures at hand
    sha256 = SHA256
    classes: tuple[str, ...] = ()

    def __init__(self) -> None:
        """Raises PocketganError where the weights are not installed or not those published."""
        network = build_network(published_weights())
        self._look: Any = tf_graph(
            lambda images: network(normalized(images)),
            [tf.TensorSpec([None, None, None, None], tf.uint8)],
        )

    def features(self, images: Images) -> Features:
        """The last layer but one, float64 [N, 1280], 0 to 6, of uint8 [N, H, W, 1 or 3].

        Raises PocketganError for other arrays, and for pictures under 32 pixels a side.
        """
        check_pictures(images.shape[1:])
        starts = track(range(0, len(images), BATCH), f"pictures are judged, {BATCH} at a time")
        batches = [self._look(images[start : start + BATCH]).numpy() for start in starts]
        return np.concatenate(batches).astype(np.float64)

    def predict(self, images: Images) -> None:
        """None: ImageNet's classes are not those of the pictures at hand."""


def check_pictures(shape: tuple[int, ...]) -> None:
    """PocketganError where the judge cannot look at pictures of ``shape``."""
    if not looks_at(shape):
        raise PocketganError(
            f"ImageNet's judge looks at grey or colour pictures of {IMAGENET_SIDE} pixels a side "
            f"at least, not at {list(shape)}.",
            "Set evaluate.judge to trained.",
        )


def normalized(images: Tensor) -> Tensor:
    """uint8 [N, H, W, 1 or 3] -> float32 [N, 224, 224, 3], about -1 to 1, as it was trained."""
    colour = tf.repeat(images, 3 // tf.shape(images)[-1], axis=-1)
    resized = tf.image.resize(colour, [SIDE, SIDE], antialias=True)
    return (tf.ensure_shape(resized, [None, SIDE, SIDE, 3]) - MEAN) / DEVIATION
