"""The network whose features the quality metrics use: a small classifier of the training images.

Where the images have classes it learns those; where they have none it learns to tell by how many
quarter turns an image was rotated (Gidaris et al. 2018, "Unsupervised Representation Learning by
Predicting Image Rotations"), which needs no labels. Images that are not square keep their shape if
they are mirrored: it learns to tell in which of four ways.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
import tf_keras
from numpy.lib.stride_tricks import sliding_window_view

from deploy.errors import PocketganError
from pipeline.arrays import Images, Labels, TrainAndTestImages
from pipeline.atomic import replaced
from pipeline.graphs import tf_graph
from pipeline.metrics.distances import Features
from pipeline.progress import track

Scores = npt.NDArray[np.float32]
Inference = Callable[[Images], tuple[Scores, Scores]]

FEATURES = 64
WIDTH = 16  # channels of the first convolution; doubled at every halving of the image
SMALLEST = 8  # pixels a side at which the halving stops
SHIFT = 2  # pixels by which a training image may be moved, so that 4,000 of them generalise
RATE = 2e-3
TURNS = 4
INFERENCE_BATCH = 500


class Judge:
    """A trained network that turns images into features and, with classes, into labels.

    ``classes`` are the names behind the labels, none where it learned rotations. ``accuracy`` is
    the share, 0 to 1, of test images told right, or of their rotations.
    """

    name = "a small network trained on these pictures"
    enough = 2000  # pictures by which two generators are told apart

    def __init__(self, network: Any, classes: tuple[str, ...], accuracy: float) -> None:
        self.classes = classes
        self.accuracy = accuracy
        self._network = network
        self._infer = _inference(network)

    @property
    def task(self) -> str:
        """What it learned."""
        if self.classes:
            return "tell the classes"
        height, width = self._network.input_shape[1:3]
        return f"tell the four {'rotations' if height == width else 'mirrorings'}"

    @property
    def sha256(self) -> str:
        """Hash of the weights with their shapes: the name under which metrics are comparable."""
        digest = hashlib.sha256()
        for weights in self._network.get_weights():
            digest.update(f"{weights.dtype.str}{weights.shape}".encode())
            digest.update(weights.tobytes())
        return digest.hexdigest()

    def features(self, images: Images) -> Features:
        """The last layer but one, float64 [N, 64], before its ReLU; for uint8 [N, H, W, C].

        Over the training images every feature has a mean near 0 and a variance near 1.

        Raises PocketganError where the images are not of the size that the judge was trained on.
        """
        return self._look(images)[0].astype(np.float64)

    def predict(self, images: Images) -> Labels | None:
        """Class numbers, int64 [N], of uint8 [N, H, W, C]; None where there are no classes.

        Raises PocketganError as ``features`` does.
        """
        return self._look(images)[1].argmax(axis=1) if self.classes else None

    def save(self, path: Path) -> None:
        """Write one .npz file, whole or not at all; equal judges give equal bytes.

        Raises PocketganError where the file cannot be written.
        """
        facts = json.dumps(
            {
                "image": self._network.input_shape[1:],
                "classes": self.classes,
                "accuracy": self.accuracy,
                "sha256": self.sha256,
            }
        )
        try:
            with replaced(path) as partial, partial.open("wb") as file:
                np.savez(file, *self._network.get_weights(), facts=np.array(facts))
        except OSError as error:
            raise PocketganError(
                f"the judge cannot be written to {path}: {error.strerror}.",
                "Check that the folder exists, is writable and has space left.",
            ) from error

    @classmethod
    def load(cls, path: Path) -> "Judge":
        """Read what ``save`` wrote. Raises PocketganError where the file is missing or damaged."""
        try:
            # Opened here, because np.load leaves a damaged file open.
            with path.open("rb") as file, np.load(file) as stored:
                facts = json.loads(str(stored["facts"]))
                weights = [stored[f"arr_{place}"] for place in range(len(stored.files) - 1)]
            classes = tuple(facts["classes"])
            network = _network(tuple(facts["image"]), len(classes) or TURNS, seed=0)
            network.set_weights(weights)
            judge = cls(network, classes, float(facts["accuracy"]))
            if judge.sha256 != facts["sha256"]:
                raise ValueError("the weights do not match their hash")
        # Damage can surface as nearly any error of the archive reader.
        except Exception as error:
            raise PocketganError(
                f"{path} holds no readable judge: {error}.", "Delete it and train the judge again."
            ) from error
        return judge

    def _look(self, images: Images) -> tuple[Scores, Scores]:
        expected = self._network.input_shape[1:]
        if images.dtype != np.uint8 or images.shape[1:] != expected or not len(images):
            raise PocketganError(
                f"the judge was trained on uint8 images {list(expected)}; "
                f"it was shown {images.dtype} {list(images.shape)}.",
                "Show it a filled batch [N, H, W, C] of that size, or train another judge.",
            )
        return self._infer(images)


def train_judge(
    dataset: TrainAndTestImages, *, steps: int = 1500, batch: int = 128, seed: int
) -> Judge:
    """Train a judge on the training images only; the test images give its accuracy.

    ``steps`` batches of ``batch`` images, drawn with replacement and moved by up to 2 pixels; Adam
    with cosine decay. The cost does not depend on the number of images. Equal data, settings and
    seed give equal weights.

    Raises PocketganError where ``steps`` or ``batch`` is not positive, a part of the data is empty,
    or labels do not fit the classes.
    """
    _check(dataset, steps, batch)
    network = _network(dataset.train.shape[1:], len(dataset.classes) or TURNS, seed)
    step = _compiled_step(network, tf_keras.optimizers.schedules.CosineDecay(RATE, steps))
    batches = _batches(dataset, steps, batch, np.random.default_rng(seed))
    for images, labels in track(batches, "Training the judge", total=steps):
        step(images, labels)
    return Judge(network, dataset.classes, _accuracy(_inference(network), dataset))


def chance(dataset: TrainAndTestImages) -> float:
    """Accuracy on the test images of who does not look: the share of the commonest class.

    Where there are no classes, a quarter: of rotations or mirrorings all are equally common.
    """
    labels = dataset.test_labels
    return 1 / TURNS if labels is None else float(np.bincount(labels).max() / len(labels))


def _check(dataset: TrainAndTestImages, steps: int, batch: int) -> None:
    if steps < 1 or batch < 1:
        raise PocketganError(
            f"the judge was to be trained for {steps} steps of {batch} images.",
            "Give positive numbers.",
        )
    if not len(dataset.train) or not len(dataset.test):
        raise PocketganError(
            f"data set {dataset.name}: {len(dataset.train)} training and {len(dataset.test)} test "
            "images are too few for a judge.",
            "Both parts need images.",
        )
    for part, labels in (("train", dataset.train_labels), ("test", dataset.test_labels)):
        if not _labels_fit(labels, len(dataset.classes)):
            raise PocketganError(
                f"data set {dataset.name}: the {part} labels do not fit "
                f"its {len(dataset.classes)} classes.",
                "Number the classes from 0, name each, and label every image or none.",
            )


def _labels_fit(labels: Labels | None, classes: int) -> bool:
    if labels is None:
        return not classes
    return bool(labels.min() >= 0 and labels.max() < classes)


def _network(image: tuple[int, ...], outputs: int, seed: int) -> Any:
    """uint8 [N, H, W, C] -> (features [N, 64], scores [N, outputs])."""
    layers = tf_keras.layers
    # A seed of its own for every layer keeps the start independent of any global random state.
    seeds = iter(np.random.SeedSequence(seed).generate_state(32).tolist())

    def start() -> Any:
        return tf_keras.initializers.HeNormal(seed=next(seeds))

    pixels = layers.Input(image, dtype="uint8")
    hidden = layers.Rescaling(1 / 127.5, offset=-1.0)(pixels)
    channels, size = WIDTH, max(image[:2])
    while size > SMALLEST:
        convolve = layers.Conv2D(
            channels, 3, strides=2, padding="same", activation="relu", kernel_initializer=start()
        )
        hidden = convolve(hidden)
        channels, size = 2 * channels, -(-size // 2)
    hidden = layers.Conv2D(
        channels // 2, 3, padding="same", activation="relu", kernel_initializer=start()
    )(hidden)
    # Normalized, every feature weighs alike and distances keep one scale from judge to judge. Taken
    # before the ReLU, because a Gaussian fits a whole bell better than half a one.
    features = layers.Dense(FEATURES, use_bias=False, kernel_initializer=start())(
        layers.Flatten()(hidden)
    )
    features = layers.BatchNormalization(momentum=0.9, center=False, scale=False)(features)
    scores = layers.Dense(outputs, kernel_initializer=start())(layers.ReLU()(features))
    return tf_keras.Model(pixels, (features, scores))


def _inference(network: Any) -> Inference:
    """What gives features and scores of all images; a batch at a time, to bound the memory.

    The same numbers as ``network.predict``, which takes 0.1 s to begin, whenever it is called.
    """
    look: Any = tf_graph(
        lambda images: network(images, training=False),
        [tf.TensorSpec(network.input_shape, tf.uint8)],
    )

    def infer(images: Images) -> tuple[Scores, Scores]:
        starts = range(0, len(images), INFERENCE_BATCH)
        batches = [look(images[start : start + INFERENCE_BATCH]) for start in starts]
        features, scores = (np.concatenate(part) for part in zip(*batches, strict=True))
        return features, scores

    return infer


def _compiled_step(network: Any, rate: Any) -> Callable[[Images, Labels], None]:
    optimizer = tf_keras.optimizers.Adam(rate)
    loss = tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(images: Any, labels: Any) -> None:
        with tf.GradientTape() as tape:
            _, scores = network(images, training=True)
            error = loss(labels, scores)
        weights = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(error, weights), weights, strict=True))

    signature = [tf.TensorSpec(network.input_shape, tf.uint8), tf.TensorSpec([None], tf.int64)]
    return tf_graph(step, signature)


def _batches(
    dataset: TrainAndTestImages, steps: int, batch: int, rng: np.random.Generator
) -> Iterator[tuple[Images, Labels]]:
    """Random training images, each moved a little, with their classes or their quarter turns."""
    border = ((0, 0), (SHIFT, SHIFT), (SHIFT, SHIFT), (0, 0))
    for _ in range(steps):
        chosen = rng.integers(len(dataset.train), size=batch)
        padded = np.pad(dataset.train[chosen], border, mode="edge")
        down, right = rng.integers(2 * SHIFT + 1, size=(2, batch))
        # [batch, 5, 5, C, H, W]: a view that holds every image at every shift.
        shifted = sliding_window_view(padded, dataset.train.shape[1:3], axis=(1, 2))
        images = np.moveaxis(shifted[np.arange(batch), down, right], 1, -1)
        if dataset.train_labels is not None:
            yield images, dataset.train_labels[chosen]
        else:
            turns = rng.integers(TURNS, size=batch)
            yield _turned(images, turns), turns


def _turned(images: Images, turns: Labels) -> Images:
    """Each turned by that many quarters; mirrored in one of four ways where it is not square."""
    height, width = images.shape[1:3]
    turn = np.rot90 if height == width else _mirrored
    return np.stack([turn(image, number) for image, number in zip(images, turns, strict=True)])


def _mirrored(image: Images, way: int) -> Images:
    """As it is, upside down, left to right, or both."""
    return image[:: -1 if way % 2 else 1, :: -1 if way // 2 else 1]


def _accuracy(infer: Inference, dataset: TrainAndTestImages) -> float:
    """Share told right of the test images, or of their four rotations each."""
    images, labels = dataset.test, dataset.test_labels
    if labels is None:
        labels = np.repeat(np.arange(TURNS), len(images))
        images = _turned(np.tile(images, (TURNS, 1, 1, 1)), labels)
    _, scores = infer(images)
    return float(np.mean(scores.argmax(axis=1) == labels))
