"""What every source becomes: images to train on, images to judge by, and their classes if any."""

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from deploy.errors import PocketganError
from pipeline.arrays import Images, Labels

Indices = npt.NDArray[np.int64]
ENOUGH = 100
"""Pictures from which on a GAN learns more than those by heart, if they are augmented (Zhao 2020,
section 4.3), and figures say something."""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images [N, H, W, C], uint8, C 1 or 3, in two parts that share no image.

    A translator reads a picture [h, w, c], uint8, for each of them: another size or number of
    channels is possible, such as a fourth channel with a mask. Where they are not ``aligned``, its
    inputs are of another number, and no picture belongs to any of them.
    """

    name: str
    train: Images
    test: Images  # never trained on
    train_labels: Labels | None  # [N]; None where the source has no classes
    test_labels: Labels | None
    classes: tuple[str, ...]  # label -> name; empty where unlabelled
    train_inputs: Images | None = None  # None for generators that read latents
    test_inputs: Images | None = None
    aligned: bool = True  # whether input i belongs to picture i; False for two domains
    even_classes: bool = False  # whether unequal numbers of a class are chance alone
    channels: "Dataset | None" = None  # where each channel is a picture of its own: of which
    notes: tuple[str, ...] = ()  # what a person should know, such as files that were skipped

    @property
    def class_weights(self) -> tuple[int, ...]:
        """How often each class occurs beside the others; empty where there are none.

        Both parts count: that classes of equal size cannot always be divided alike is no matter.
        """
        labels = [part for part in (self.train_labels, self.test_labels) if part is not None]
        if self.even_classes or not labels:
            return (1,) * len(self.classes)
        counts = np.bincount(np.concatenate(labels), minlength=len(self.classes))
        return tuple(counts.tolist())

    @property
    def summary(self) -> str:
        """In a line: whose pictures these are, how many, their size, colours and classes."""
        height, width, channels = self.train.shape[1:]
        colours = "grey" if channels == 1 else "colour"
        classes = f"{len(self.classes)} classes" if self.classes else "no classes"
        return (
            f"{self.name}: {len(self.train):,} pictures to train on, {len(self.test):,} to judge "
            f"by, {width}×{height}, {colours}, {classes}"
        )

    @property
    def sha256(self) -> str:
        """Hash of the pixels and labels with their shapes: equal data, equal hash."""
        digest = hashlib.sha256()
        pictures, labels = (self.train, self.test), (self.train_labels, self.test_labels)
        for array in (*pictures, *labels, self.train_inputs, self.test_inputs):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def split(
    images: Images, labels: Labels | None, test_fraction: float, seed: int
) -> tuple[Images, Images, Labels | None, Labels | None]:
    """Divide into (train, test, train_labels, test_labels), each in a seeded random order.

    As ``divide``, every image being a source of its own.
    """
    train, test = divide(
        np.ones(len(images), np.int64), labels, test_fraction=test_fraction, seed=seed
    )
    if labels is None:
        return images[train], images[test], None, None
    return images[train], images[test], labels[train], labels[test]


def divide(
    counts: Indices,
    labels: Labels | None,
    *,
    test_fraction: float,
    seed: int,
    originals: Indices | None = None,
) -> tuple[Indices, Indices]:
    """Numbers of the images to train on and of those to test by, each in a seeded random order.

    ``counts`` tells for each source, such as a photo, how many images in a row came out of it: all
    of them go to one side. The test part gets ``round(test_fraction * sources)``, at least one and
    at most all but one. With labels, one a source, it is stratified: every class gives its share,
    to within one source, and keeps one to train on. ``originals`` are equal where sources are
    copies of each other: then each is tested by once, and its copies are left out of the training.
    Raises PocketganError for a fraction outside 0..1 and for fewer than two sources.
    """
    total = len(counts)
    if not 0 < test_fraction < 1:
        raise PocketganError(
            f"test_fraction is {test_fraction}.", "Give a fraction between 0 and 1, such as 0.2."
        )
    if total < 2:
        raise PocketganError(
            f"{total} image cannot be divided into a training and a test part.",
            "Give at least two images; a GAN needs some hundreds to learn from.",
        )
    random = np.random.default_rng(seed)
    order = random.permutation(total)
    in_test = np.zeros(total, dtype=bool)
    in_test[_spread(order, labels, test_fraction)] = True
    if labels is not None:
        _leave_one_of_each(in_test, labels)
    to_train = ~in_test
    if originals is not None:
        tested, first = np.unique(originals[in_test], return_index=True)
        to_train &= ~np.isin(originals, tested)
        in_test = np.isin(np.arange(total), np.flatnonzero(in_test)[first])
    images = order
    if (counts != 1).any():
        images = random.permutation(int(counts.sum()))
        to_train, in_test = np.repeat(to_train, counts), np.repeat(in_test, counts)
    return images[to_train[images]], images[in_test[images]]


def _leave_one_of_each(in_test: npt.NDArray[np.bool_], labels: Labels) -> None:
    """Nobody draws a class of which all was kept for the test; in place, and a test part stays."""
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if in_test[members].all() and in_test.sum() > 1:
            in_test[members[0]] = False


def _spread(order: Indices, labels: Labels | None, fraction: float) -> Indices:
    """Pick from ``order`` at equal distances, after it was sorted by class: a systematic sample."""
    total = len(order)
    count = min(max(round(total * fraction), 1), total - 1)
    by_class = order if labels is None else order[np.argsort(labels[order], kind="stable")]
    steps = np.arange(total + 1) * count // total  # whole numbers, so the count is exact
    chosen: Indices = by_class[np.diff(steps) == 1]
    return chosen
