from dataclasses import replace

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.arrays import Images, Labels
from pipeline.data.dataset import Dataset, divide, split


def numbered(total: int) -> Images:
    """Images of 2×2 that differ from one another: the first two pixels are the number."""
    images = np.zeros((total, 2, 2, 1), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 1, 0] = np.divmod(np.arange(total), 256)
    return images


def numbers(images: Images) -> list[int]:
    return [int(image[0, 0, 0]) * 256 + int(image[0, 1, 0]) for image in images]


@pytest.mark.parametrize(
    ("total", "fraction", "expected"),
    [(1000, 0.2, 200), (7, 0.5, 4), (10, 0.01, 1), (10, 0.99, 9), (2, 0.2, 1)],
)
def test_split_gives_both_parts_every_image_once(
    total: int, fraction: float, expected: int
) -> None:
    train, test, _, _ = split(numbered(total), None, fraction, seed=3)
    assert len(test) == expected
    assert sorted(numbers(train) + numbers(test)) == list(range(total))


def test_split_gives_each_class_its_share_to_within_one_image() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 41, 7]))
    images = numbered(len(labels))
    train, test, train_labels, test_labels = split(images, labels, 0.2, seed=5)
    assert train_labels is not None
    assert test_labels is not None
    shares = np.bincount(test_labels) - 0.2 * np.bincount(labels)
    assert np.abs(shares).max() < 1
    assert (labels[numbers(train)] == train_labels).all()
    assert (labels[numbers(test)] == test_labels).all()


def test_split_keeps_one_image_of_each_class_to_train_on() -> None:
    labels = np.array([0] * 9 + [1, 2])
    _, _, train_labels, test_labels = split(numbered(11), labels, 0.2, seed=1)
    assert train_labels is not None
    assert test_labels is not None
    assert set(train_labels.tolist()) == {0, 1, 2}
    assert len(test_labels) > 0
    _, test, _, _ = split(numbered(3), np.array([0, 1, 2]), 0.2, seed=1)
    assert len(test) == 1


def test_split_mixes_the_classes_in_both_parts() -> None:
    labels = np.repeat([0, 1], 50)
    _, _, train_labels, test_labels = split(numbered(100), labels, 0.5, seed=1)
    assert train_labels is not None
    assert test_labels is not None
    assert 0 < train_labels[:25].sum() < 25
    assert 0 < test_labels[:25].sum() < 25


@pytest.mark.parametrize("labels", [None, np.arange(50) % 3], ids=["plain", "stratified"])
def test_split_depends_on_the_seed_alone(labels: Labels | None) -> None:
    first, again, other = (split(numbered(50), labels, 0.2, seed)[1] for seed in (1, 1, 2))
    assert numbers(first) == numbers(again)
    assert set(numbers(first)) != set(numbers(other))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_split_refuses_a_fraction_outside_0_to_1(fraction: float) -> None:
    with pytest.raises(PocketganError, match="test_fraction"):
        split(numbered(10), None, fraction, seed=1)


@pytest.mark.parametrize("total", [0, 1])
def test_split_refuses_fewer_than_two_images(total: int) -> None:
    with pytest.raises(PocketganError, match="cannot be divided"):
        split(numbered(total), None, 0.5, seed=1)


def test_divide_keeps_all_of_a_source_on_one_side() -> None:
    counts = np.array([3, 1, 4, 2, 5])
    train, test = divide(counts, None, test_fraction=0.4, seed=1)
    source = np.repeat(np.arange(5), counts)
    assert sorted([*train, *test]) == list(range(15))
    assert not set(source[train]) & set(source[test])
    assert len(set(source[test])) == 2
    assert list(train) != sorted(train)


def test_sha256_sees_pixels_labels_shapes_and_parts_but_not_names() -> None:
    labels = np.zeros(4, np.int64)
    data = Dataset(
        name="a",
        train=numbered(4),
        test=numbered(4)[:2],
        train_labels=labels,
        test_labels=labels[:2],
        classes=("zero",),
    )
    assert replace(data, name="b", notes=("x",), train=data.train.copy()).sha256 == data.sha256
    changed = [
        replace(data, train=data.train[::-1]),
        replace(data, train=data.train.reshape(4, 4, 1, 1)),
        replace(data, train_labels=labels + 1),
        replace(data, train_labels=None),
        replace(data, train=data.test, test=data.train),
        replace(data, train_inputs=data.train, test_inputs=data.test),
        replace(data, train_inputs=data.train[::-1], test_inputs=data.test),
    ]
    assert len({data.sha256, *(other.sha256 for other in changed)}) == 1 + len(changed)


def test_sha256_without_inputs_is_what_it_was_before_there_were_inputs() -> None:
    images = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    data = Dataset(
        name="a",
        train=images,
        test=images[:1],
        train_labels=np.array([0, 1], np.int64),
        test_labels=None,
        classes=(),
    )
    assert data.sha256 == "431aadeb9316659799d0d8aa4aad3633a8b50c4e62efcc53330ee22643be9129"


def test_classes_weigh_what_both_parts_hold_of_them_unless_chance_decided() -> None:
    data = Dataset(
        name="a",
        train=numbered(4),
        test=numbered(2),
        train_labels=np.array([0, 0, 2, 0]),
        test_labels=np.array([2, 0]),
        classes=("a", "b", "c"),
    )
    assert data.class_weights == (4, 0, 2)
    assert replace(data, even_classes=True).class_weights == (1, 1, 1)
    unlabelled = replace(data, train_labels=None, test_labels=None, classes=())
    assert unlabelled.class_weights == ()


@pytest.mark.parametrize(
    ("channels", "classes", "words"),
    [(1, (), "grey, no classes"), (3, ("a", "b"), "colour, 2 classes")],
)
def test_summary_tells_what_is_trained_on(
    channels: int, classes: tuple[str, ...], words: str
) -> None:
    dataset = Dataset(
        name="leaves",
        train=np.zeros((1200, 4, 6, channels), np.uint8),
        test=np.zeros((300, 4, 6, channels), np.uint8),
        train_labels=None,
        test_labels=None,
        classes=classes,
    )
    assert dataset.summary == (f"leaves: 1,200 pictures to train on, 300 to judge by, 6×4, {words}")
