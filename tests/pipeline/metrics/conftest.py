"""Tiny pictures with classes that a judge learns within seconds."""

import numpy as np
import pytest

from pipeline.arrays import Images, Labels
from pipeline.data.dataset import Dataset
from pipeline.metrics.judge import Judge, train_judge

CLASSES = ("top", "middle", "bottom")


def bars(count: int, seed: int) -> tuple[Images, Labels]:
    """``count`` noisy 12x12 pictures of a bright bar at one of three heights, classes in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    images = rng.integers(0, 60, (count, 12, 12, 1))
    for image, label in zip(images, labels, strict=True):
        image[4 * label : 4 * label + 3] += rng.integers(120, 190)
    return images.astype(np.uint8), labels.astype(np.int64)


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    train, train_labels = bars(200, seed=1)
    test, test_labels = bars(60, seed=2)
    return Dataset(
        name="bars",
        train=train,
        test=test,
        train_labels=train_labels,
        test_labels=test_labels,
        classes=CLASSES,
    )


@pytest.fixture(scope="session")
def unlabelled(dataset: Dataset) -> Dataset:
    """Bars at the top only: which way they were turned can be seen."""
    train, test = dataset.train[::3], dataset.test[::3]
    return Dataset(
        name="top bars", train=train, test=test, train_labels=None, test_labels=None, classes=()
    )


@pytest.fixture(scope="session")
def judge(dataset: Dataset) -> Judge:
    return train_judge(dataset, steps=40, batch=32, seed=1)


@pytest.fixture(scope="session")
def rotation_judge(unlabelled: Dataset) -> Judge:
    return train_judge(unlabelled, steps=40, batch=32, seed=1)
