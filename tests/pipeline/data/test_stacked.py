from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.data import sources, stacked
from pipeline.data.dataset import Dataset
from pipeline.data.reading import Request


@pytest.fixture
def digits() -> Dataset:
    """Ten flat pictures of each part, the pixels of which are their label, or that and 100."""
    labels = np.arange(10)
    pictures = np.tile(labels[:, None, None, None], (1, 4, 4, 1)).astype(np.uint8)
    return Dataset(
        name="flat",
        train=pictures,
        test=pictures + 100,
        train_labels=labels,
        test_labels=labels,
        classes=tuple("0123456789"),
    )


def test_the_label_spells_the_channels(digits: Dataset) -> None:
    data = stacked.stack(digits, seed=1)
    assert data.train.shape == (stacked.TRAIN, 4, 4, 3)
    assert data.train_labels is not None
    assert data.train_labels.min() == 0
    assert data.train_labels.max() == 999
    number = data.train[:, 0, 0].astype(int) @ [100, 10, 1]
    assert (number == data.train_labels).all()
    assert data.classes[7] == "007"


def test_those_to_judge_by_hold_test_digits_only(digits: Dataset) -> None:
    data = stacked.stack(digits, seed=1)
    assert data.test.min() >= 100
    assert data.train.max() < 100


def test_the_seed_decides(digits: Dataset) -> None:
    first, again, other = (stacked.stack(digits, seed=seed).sha256 for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_grey_is_refused_with_the_remedy(tmp_path: Path) -> None:
    request = Request(
        image_size=28, channels=1, folder=None, cache=tmp_path, test_fraction=0.2, seed=1
    )
    with pytest.raises(PocketganError) as error:
        sources.load("stacked-digits", request, minimum=1)
    assert error.value.remedy == "Set data.channels to 3."
