"""Three digits as the colours of one picture: a thousand modes that can be counted.

Stacked MNIST (Metz 2017, "Unrolled Generative Adversarial Networks", section 3.3.1): how many of
the thousand a generator draws, without being asked for any, tells whether it lost some.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from pipeline.arrays import Images, Labels
from pipeline.data.dataset import Dataset

CHANNELS = 3
TRAIN, TEST = 50_000, 25_600
"""Pictures; of those to judge by as many as are drawn (Metz 2017): 26 a mode."""


def stack(digits: Dataset, seed: int) -> Dataset:
    """Pictures [N, H, W, 3] of which each channel is one of ``digits`` [M, H, W, 1], drawn anew.

    Those to train on hold training digits only, those to judge by test digits only. The classes
    are the numbers that the channels spell, red first.
    """
    train, train_labels = _stacked(digits.train, digits.train_labels, TRAIN, (seed, 0))
    test, test_labels = _stacked(digits.test, digits.test_labels, TEST, (seed, 1))
    return replace(
        digits,
        name=f"stacked {digits.name}",
        train=train,
        test=test,
        train_labels=train_labels,
        test_labels=test_labels,
        classes=tuple("".join(names) for names in product(digits.classes, repeat=CHANNELS)),
        even_classes=True,
        channels=digits,
    )


def _stacked(
    digits: Images, labels: Labels | None, count: int, seed: tuple[int, int]
) -> tuple[Images, Labels]:
    assert labels is not None
    chosen = np.random.default_rng(seed).integers(len(digits), size=(count, CHANNELS))
    pictures = np.moveaxis(digits[chosen][..., 0], 1, -1)
    numbers: Labels = labels[chosen] @ 10 ** np.arange(CHANNELS - 1, -1, -1)
    return np.ascontiguousarray(pictures), numbers
