from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.compression.spec import CompressionSpec
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller
from tests.grids import pairs

L = tf_keras.layers


@pytest.fixture
def make_distiller() -> Callable[..., Distiller]:
    """A function that makes a distiller of a small student from a linear teacher."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(256, 4)).astype(np.float32)
    outputs = np.tanh(inputs @ random.normal(size=(4, 16))).reshape(-1, 4, 4, 1)
    pictures = np.rint((outputs + 1) * 127.5).astype(np.uint8)

    def make(**changes: object) -> Distiller:
        tf_keras.utils.set_random_seed(1)
        student = tf_keras.Sequential(
            [
                *(L.Input([4]), L.Dense(16), L.BatchNormalization()),
                *(L.Reshape([4, 4, 1]), L.Activation("tanh")),
            ]
        )
        settings = {"steps": 60, "rate": 0.02, "batch": 32, "seed": 1} | changes
        return Distiller(student, DistillationSet(inputs, pictures), pixels=(-1.0, 1.0), **settings)  # type: ignore[arg-type]

    return make


def test_student_comes_near_its_teacher(make_distiller: Callable[..., Distiller]) -> None:
    distiller = make_distiller()
    assert np.isnan(distiller.error)
    distiller.train(1)
    first = distiller.error
    distiller.train(60)
    assert distiller.error < first / 3
    assert distiller.step == 60


def test_training_in_parts_is_the_training_in_one_go(
    make_distiller: Callable[..., Distiller],
) -> None:
    whole, parts = make_distiller(steps=12), make_distiller(steps=12)
    whole.train(12)
    parts.train(5)
    parts.train(12)
    for one, other in zip(whole.student.get_weights(), parts.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class KilledError(Exception):
    """As a kill: no time to clean up."""


@pytest.mark.parametrize(
    ("ending", "moment"),
    pairs([(KilledError, 0), (KeyboardInterrupt, 999)], [(4, 0.0), (6, 0.9), (9, 0.9)]),
)
def test_training_that_was_ended_midway_goes_on_and_ends_in_the_same_bytes(
    ending: tuple[type[BaseException], float],
    moment: tuple[int, float],
    make_distiller: Callable[..., Distiller],
    tmp_path: Path,
) -> None:
    """It is judged after step 6, which changes its statistics, and once only."""
    (end, seconds), (at, average) = ending, moment
    judged = []

    def train(distiller: Distiller, on_step: Callable[[], None] = lambda: None) -> Distiller:
        for until in (6, 12):
            distiller.train(until, on_step)
            if until not in distiller.scores:
                distiller.settle()
                distiller.scores[until] = float(until)
                judged.append(until)
        return distiller

    def dying() -> None:
        if broken.step == at:
            raise end

    whole = train(make_distiller(steps=12, average=average))
    broken = make_distiller(steps=12, average=average)
    broken.resume(tmp_path / "c.npz", seconds)
    with pytest.raises(end):
        train(broken, dying)
    resumed = make_distiller(steps=12, average=average)
    resumed.resume(tmp_path / "c.npz", seconds)
    assert resumed.step == at - (end is KilledError)
    train(resumed)
    assert resumed.error == whole.error
    assert resumed.scores == whole.scores
    assert judged == [6, 12] * 2
    for one, other in zip(whole.student.get_weights(), resumed.student.get_weights(), strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("content", [b"", b"no archive", None])
def test_checkpoint_that_does_not_fit_is_no_beginning(
    content: bytes | None, make_distiller: Callable[..., Distiller], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "c.npz"
    if content is None:
        np.savez(checkpoint, np.ones(3), np.ones([1, 2]))
    else:
        checkpoint.write_bytes(content)
    distiller = make_distiller(steps=3)
    before = distiller.student.get_weights()
    distiller.resume(checkpoint, 0)
    assert (distiller.step, distiller.scores) == (0, {})
    for one, other in zip(before, distiller.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    distiller.train(2)
    again = make_distiller(steps=3)
    again.resume(checkpoint, 0)
    assert again.step == 2


def test_training_ends_at_its_steps_and_reports_each(
    make_distiller: Callable[..., Distiller],
) -> None:
    distiller, reports = make_distiller(steps=3), []
    distiller.train(9, lambda: reports.append(1))
    assert (distiller.step, len(reports)) == (3, 3)
    before = distiller.student.get_weights()
    distiller.train(9)
    for one, other in zip(before, distiller.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_student_is_judged_by_the_average_of_its_weights(
    make_distiller: Callable[..., Distiller],
) -> None:
    distiller = make_distiller(average=0.999)
    passed = []
    distiller.train(20, lambda: passed.append(distiller.student.trainable_variables[0].numpy()))
    distiller.settle()
    averaged = distiller.student.trainable_variables[0].numpy()
    between = np.abs([averaged - weights for weights in passed]).mean(axis=(1, 2))
    assert between.argmin() not in (0, 19)
    distiller.train(21)
    assert distiller.step == 21


def test_settling_without_an_average_changes_the_statistics_only(
    make_distiller: Callable[..., Distiller],
) -> None:
    distiller = make_distiller()
    distiller.train(5)
    trained = [variable.numpy() for variable in distiller.student.trainable_variables]
    statistics = [v.numpy() for v in distiller.student.non_trainable_variables]
    distiller.settle()
    for before, variable in zip(trained, distiller.student.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, variable.numpy())
    after = [v.numpy() for v in distiller.student.non_trainable_variables]
    assert any(not np.array_equal(a, b) for a, b in zip(statistics, after, strict=True))


def test_student_with_a_spec_is_evaluated_compressed(
    make_distiller: Callable[..., Distiller],
) -> None:
    distiller = make_distiller(spec=CompressionSpec(2))
    distiller.train(10)
    (kernel,) = (v for v in distiller.student.trainable_variables if "kernel" in v.name)
    with distiller.compressed():
        assert len(np.unique(kernel.numpy())) <= 3
    assert len(np.unique(kernel.numpy())) > 3
