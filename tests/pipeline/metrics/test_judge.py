from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from deploy.errors import PocketganError
from pipeline.data import digits
from pipeline.data.dataset import Dataset
from pipeline.metrics.judge import Judge, _turned, chance, train_judge


def quick(dataset: Dataset, seed: int = 1) -> Judge:
    return train_judge(dataset, steps=3, batch=8, seed=seed)


@pytest.fixture(scope="module")
def quick_judge(dataset: Dataset) -> Judge:
    return quick(dataset)


def test_judge_learns_the_classes(judge: Judge, dataset: Dataset) -> None:
    predicted = judge.predict(dataset.test)
    assert predicted is not None
    assert predicted.dtype == np.int64
    assert np.mean(predicted == dataset.test_labels) == judge.accuracy > 0.9
    assert judge.classes == dataset.classes


def test_judge_learns_rotations_where_there_are_no_classes(
    rotation_judge: Judge, unlabelled: Dataset
) -> None:
    assert rotation_judge.accuracy > 0.9
    assert rotation_judge.predict(unlabelled.test) is None
    assert rotation_judge.classes == ()


def test_features_are_64_normalized_float64_a_image(judge: Judge, dataset: Dataset) -> None:
    features = judge.features(dataset.train)
    assert features.shape == (200, 64)
    assert features.dtype == np.float64
    assert np.abs(features.mean(axis=0)).mean() < 0.5
    assert features.var(axis=0).mean() == pytest.approx(1, abs=0.3)


def test_features_of_an_image_do_not_depend_on_its_batch(judge: Judge, dataset: Dataset) -> None:
    together, alone = judge.features(dataset.test), judge.features(dataset.test[:1])
    assert alone[0] == pytest.approx(together[0], abs=1e-5)


def test_equal_seeds_give_equal_bytes_whatever_the_global_random_state(
    quick_judge: Judge, dataset: Dataset, tmp_path: Path
) -> None:
    quick_judge.save(tmp_path / "a")
    tf.random.set_seed(99)
    np.random.seed(99)
    quick(dataset).save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_another_seed_gives_another_judge(quick_judge: Judge, dataset: Dataset) -> None:
    assert quick(dataset, seed=2).sha256 != quick_judge.sha256


def test_test_images_do_not_reach_the_weights(quick_judge: Judge, dataset: Dataset) -> None:
    assert quick(replace(dataset, test=255 - dataset.test)).sha256 == quick_judge.sha256


def test_saved_judge_comes_back_the_same(judge: Judge, dataset: Dataset, tmp_path: Path) -> None:
    judge.save(tmp_path / "judge.npz")
    again = Judge.load(tmp_path / "judge.npz")
    assert (again.sha256, again.accuracy, again.classes) == (
        judge.sha256,
        judge.accuracy,
        judge.classes,
    )
    np.testing.assert_array_equal(again.features(dataset.test), judge.features(dataset.test))


def test_saved_rotation_judge_still_knows_no_classes(
    rotation_judge: Judge, unlabelled: Dataset, tmp_path: Path
) -> None:
    rotation_judge.save(tmp_path / "judge.npz")
    assert Judge.load(tmp_path / "judge.npz").predict(unlabelled.test) is None


def test_save_into_a_missing_folder_is_refused(judge: Judge, tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="cannot be written"):
        judge.save(tmp_path / "missing" / "judge.npz")


def test_save_that_fails_at_the_end_leaves_no_partial_file(judge: Judge, tmp_path: Path) -> None:
    (tmp_path / "judge.npz").mkdir()
    with pytest.raises(PocketganError, match="cannot be written"):
        judge.save(tmp_path / "judge.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["judge.npz"]


def test_load_of_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match=r"none\.npz holds no readable judge"):
        Judge.load(tmp_path / "none.npz")


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_load_of_a_truncated_file_is_refused(judge: Judge, tmp_path: Path, share: float) -> None:
    path = tmp_path / "judge.npz"
    judge.save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(PocketganError, match="holds no readable judge"):
        Judge.load(path)


def test_load_of_weights_that_were_exchanged_is_refused(judge: Judge, tmp_path: Path) -> None:
    path = tmp_path / "judge.npz"
    judge.save(path)
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["arr_0"] = arrays["arr_0"] + 1
    np.savez(path, **arrays)
    with pytest.raises(PocketganError, match="do not match their hash"):
        Judge.load(path)


def test_load_of_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    for path, write in ((tmp_path / "a.npy", np.save), (tmp_path / "a.npz", np.savez)):
        write(path, np.zeros(3))
        with pytest.raises(PocketganError, match="holds no readable judge"):
            Judge.load(path)


@pytest.mark.parametrize("shape", [(2, 14, 12, 1), (2, 12, 12, 3), (0, 12, 12, 1)])
def test_images_that_the_judge_was_not_trained_on_are_refused(
    judge: Judge, shape: tuple[int, ...]
) -> None:
    with pytest.raises(PocketganError, match=r"trained on uint8 images \[12, 12, 1\]"):
        judge.features(np.zeros(shape, np.uint8))


def test_images_as_floats_are_refused(judge: Judge) -> None:
    with pytest.raises(PocketganError, match="shown float32"):
        judge.predict(np.zeros((2, 12, 12, 1), np.float32))


def test_colour_images_of_odd_sizes_are_judged_too() -> None:
    images = np.random.default_rng(1).integers(0, 256, (10, 19, 33, 3), dtype=np.uint8)
    labels = np.arange(10) % 2
    judge = quick(
        Dataset(
            name="odd",
            train=images,
            test=images,
            train_labels=labels,
            test_labels=labels,
            classes=("even", "odd"),
        )
    )
    assert judge.features(images).shape == (10, 64)


def test_labels_outside_the_classes_are_refused(dataset: Dataset) -> None:
    assert dataset.test_labels is not None
    with pytest.raises(PocketganError, match="the test labels do not fit its 3 classes"):
        quick(replace(dataset, test_labels=dataset.test_labels + 1))


def test_classes_without_labels_are_refused(dataset: Dataset) -> None:
    with pytest.raises(PocketganError, match="the train labels do not fit its 3 classes"):
        quick(replace(dataset, train_labels=None))


def test_labels_without_classes_are_refused(dataset: Dataset) -> None:
    with pytest.raises(PocketganError, match="the train labels do not fit its 0 classes"):
        quick(replace(dataset, classes=()))


def test_of_unlabelled_images_that_are_not_square_mirrorings_are_told(unlabelled: Dataset) -> None:
    narrow = replace(unlabelled, train=unlabelled.train[:, :10], test=unlabelled.test[:, :10])
    judge = quick(narrow)
    assert judge.task == "tell the four mirrorings"
    assert judge.features(narrow.test).shape == (len(narrow.test), 64)


def test_four_mirrorings_are_four_different_pictures() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(1, 2, 3, 1)
    turned = _turned(np.repeat(image, 4, axis=0), np.arange(4))
    rows = [picture.ravel().tolist() for picture in turned]
    assert rows == [[0, 1, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2], [2, 1, 0, 5, 4, 3], [5, 4, 3, 2, 1, 0]]


def test_an_empty_part_is_refused(dataset: Dataset) -> None:
    with pytest.raises(PocketganError, match="200 training and 0 test images"):
        quick(replace(dataset, test=dataset.test[:0]))


@pytest.mark.parametrize(("steps", "batch"), [(0, 8), (3, 0)])
def test_no_steps_or_an_empty_batch_are_refused(dataset: Dataset, steps: int, batch: int) -> None:
    with pytest.raises(PocketganError, match=f"{steps} steps of {batch} images"):
        train_judge(dataset, steps=steps, batch=batch, seed=1)


def test_chance_is_the_commonest_class_or_one_of_four_rotations(
    dataset: Dataset, unlabelled: Dataset
) -> None:
    assert chance(dataset) == pytest.approx(1 / 3)
    mostly_2 = replace(dataset, test_labels=np.array([2, 2, 2, 0]))
    assert chance(mostly_2) == 0.75
    assert chance(unlabelled) == 0.25


@pytest.mark.slow
def test_judge_reads_digits_at_its_default_settings() -> None:
    assert train_judge(digits.load(test_fraction=0.2, seed=1), seed=1).accuracy >= 0.975
