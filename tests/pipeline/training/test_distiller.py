from collections.abc import Callable

import numpy as np
import pytest
import tf_keras

from pipeline.compression.spec import CompressionSpec
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller

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
    first = distiller.train(1)
    assert distiller.train(60) < first / 3
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


def test_recalibration_changes_the_statistics_only(
    make_distiller: Callable[..., Distiller],
) -> None:
    distiller = make_distiller()
    distiller.train(5)
    trained = [variable.numpy() for variable in distiller.student.trainable_variables]
    statistics = [v.numpy() for v in distiller.student.non_trainable_variables]
    distiller.recalibrate()
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
