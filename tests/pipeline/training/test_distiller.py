from collections.abc import Callable

import numpy as np
import pytest
import tf_keras

from pipeline.compression.spec import CompressionSpec
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller

L = tf_keras.layers


@pytest.fixture
def imitation() -> Callable[..., Distiller]:
    """A function that sets a small student to imitate a linear teacher."""
    random = np.random.default_rng(1)
    inputs = random.normal(size=(256, 4)).astype(np.float32)
    drawn = np.tanh(inputs @ random.normal(size=(4, 16))).reshape(-1, 4, 4, 1)
    pictures = np.rint((drawn + 1) * 127.5).astype(np.uint8)

    def make(**changes: object) -> Distiller:
        tf_keras.utils.set_random_seed(1)
        student = tf_keras.Sequential(
            [
                *(L.Input([4]), L.Dense(16), L.BatchNormalization()),
                *(L.Reshape([4, 4, 1]), L.Activation("tanh")),
            ]
        )
        rules = {"steps": 60, "rate": 0.02, "batch": 32, "seed": 1} | changes
        return Distiller(student, DistillationSet(inputs, pictures), (-1.0, 1.0), **rules)  # type: ignore[arg-type]

    return make


def test_student_comes_near_its_teacher(imitation: Callable[..., Distiller]) -> None:
    lesson = imitation()
    first = lesson.go_on(1)
    assert lesson.go_on(60) < first / 3
    assert lesson.done == 60


def test_training_in_parts_is_the_training_in_one_go(imitation: Callable[..., Distiller]) -> None:
    whole, parts = imitation(steps=12), imitation(steps=12)
    whole.go_on(12)
    parts.go_on(5)
    parts.go_on(12)
    for one, other in zip(whole.student.get_weights(), parts.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_ends_at_its_steps_and_tells_each(imitation: Callable[..., Distiller]) -> None:
    lesson, told = imitation(steps=3), []
    lesson.go_on(9, lambda: told.append(1))
    assert (lesson.done, len(told)) == (3, 3)
    before = lesson.student.get_weights()
    lesson.go_on(9)
    for one, other in zip(before, lesson.student.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_settling_changes_the_statistics_only(imitation: Callable[..., Distiller]) -> None:
    lesson = imitation()
    lesson.go_on(5)
    trained = [variable.numpy() for variable in lesson.student.trainable_variables]
    statistics = [v.numpy() for v in lesson.student.non_trainable_variables]
    lesson.settle()
    for before, variable in zip(trained, lesson.student.trainable_variables, strict=True):
        np.testing.assert_array_equal(before, variable.numpy())
    after = [v.numpy() for v in lesson.student.non_trainable_variables]
    assert any(not np.array_equal(a, b) for a, b in zip(statistics, after, strict=True))


def test_coarse_student_is_looked_at_as_it_will_be(imitation: Callable[..., Distiller]) -> None:
    lesson = imitation(spec=CompressionSpec(2))
    lesson.go_on(10)
    (kernel,) = (v for v in lesson.student.trainable_variables if "kernel" in v.name)
    with lesson.as_drawn():
        assert len(np.unique(kernel.numpy())) <= 3
    assert len(np.unique(kernel.numpy())) > 3
