import numpy as np
import pytest

from pipeline.data import digits
from pipeline.data.dataset import Dataset


@pytest.fixture(scope="module")
def data() -> Dataset:
    return digits.load(0.2, seed=1)


def test_digits_are_4000_and_1000_images_with_every_class_alike(data: Dataset) -> None:
    assert data.train.shape == (4000, 28, 28, 1)
    assert data.test.shape == (1000, 28, 28, 1)
    assert data.train.dtype == np.uint8
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert data.train_labels.dtype == np.int64
    assert np.bincount(data.train_labels).tolist() == [400] * 10
    assert np.bincount(data.test_labels).tolist() == [100] * 10
    assert data.classes == tuple("0123456789")


def test_digits_are_bright_strokes_on_black(data: Dataset) -> None:
    assert data.train[:, [0, -1], [0, -1]].max() == 0  # two corners
    assert data.train.max() == 255
    ones, zeros = (data.train[data.train_labels == label].mean() for label in (1, 0))
    assert ones < zeros / 2  # a one has far less ink than a zero


def test_digits_share_no_image_between_train_and_test(data: Dataset) -> None:
    train = {image.tobytes() for image in data.train}
    assert len(train) == 4000
    assert train.isdisjoint(image.tobytes() for image in data.test)


def test_digits_are_the_same_for_the_same_seed_only(data: Dataset) -> None:
    assert digits.load(0.2, seed=1).sha256 == data.sha256
    assert digits.load(0.2, seed=2).sha256 != data.sha256
