from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import tensorflow as tf
import tf_keras

from pipeline.importers.teacher import Teacher, load_teacher
from pipeline.recipe.sections import BudgetSettings
from pipeline.search import work
from pipeline.search.builder import StudentBuilder
from pipeline.search.work import affordable_macs, affordable_pictures, affordable_steps, known_macs
from pipeline.tflite.convert import to_float32

USUAL = BudgetSettings(minutes=work.USUAL_MINUTES)


@pytest.mark.parametrize(
    ("minutes", "macs", "steps"),
    [
        (None, 10**12, 1000),
        (work.USUAL_MINUTES, 1, 1000),
        (3.0, 1, 1000),
        (2 * work.USUAL_MINUTES, 1, 2000),
        (work.USUAL_MINUTES, 10**12, work.FEWEST_STEPS),
    ],
)
def test_steps_follow_from_the_time_and_the_work(
    minutes: float | None, macs: int, steps: int
) -> None:
    budget = BudgetSettings(minutes=minutes)
    assert affordable_steps(1000, budget, macs=macs, batch=8, share=0.5) == steps


@pytest.mark.parametrize("minutes", [None, 1.0, 5.0, work.USUAL_MINUTES, 40.0])
@pytest.mark.parametrize("macs", [1, 10**9])
def test_options_that_double_a_training_double_it(minutes: float | None, macs: int) -> None:
    steps_of = partial(affordable_steps, macs=macs, batch=8, share=0.5)
    budget = BudgetSettings(minutes=minutes)
    steps = steps_of(10_000, budget)
    words = work.doubling("a.b", 10_000, budget, steps_of).split()
    options = dict(zip(words[::2], words[1::2], strict=True))
    longer = BudgetSettings(minutes=float(options.get("--minutes", 0)) or None)
    assert steps_of(int(options.get("--a.b", 10_000)), longer) in range(2 * steps - 1, 3 * steps)


def test_twice_the_work_leaves_about_half_of_the_steps() -> None:
    one, two = (
        affordable_steps(10**8, USUAL, macs=macs, batch=8, share=0.5) for macs in (10**9, 2 * 10**9)
    )
    assert one == pytest.approx(2 * two, rel=0.05)


def test_few_steps_that_are_wanted_are_few() -> None:
    assert affordable_steps(5, USUAL, macs=10**12, batch=8, share=0.5) == 5


def test_work_that_is_affordable_takes_just_the_time() -> None:
    macs = affordable_macs(4000, work.USUAL_MINUTES, batch=8, share=0.5)
    steps = affordable_steps(10**6, USUAL, macs=macs, batch=8, share=0.5)
    assert steps == pytest.approx(4000, rel=0.01)


@pytest.mark.parametrize("minutes", [0.01, 1.0, 2.0])
def test_little_time_still_affords_some_work(minutes: float) -> None:
    macs = affordable_macs(4000, minutes, batch=8, share=work.DISTILL)
    assert macs * 8 / work.SPEED == pytest.approx(work.OVERHEAD)


def test_slow_teacher_draws_fewer_pictures(builder: StudentBuilder) -> None:
    macs = known_macs(builder.teacher)
    assert macs > 0
    assert affordable_pictures(100, USUAL, macs) == 100
    hurried = BudgetSettings(minutes=1e-9 * macs)
    few = affordable_pictures(10**9, hurried, macs)
    assert 0 < few < 10**9
    assert affordable_pictures(10**9, BudgetSettings(), macs) == 10**9


def test_teacher_of_unknown_work_draws_all_pictures() -> None:
    assert affordable_pictures(100, BudgetSettings(minutes=1e-9), 0) == 100


def saved(function: Callable[[tf.Tensor], tf.Tensor], folder: Path) -> Teacher:
    """A SavedModel that computes ``function`` of pictures, as it is loaded."""
    module = tf.Module()
    spec = tf.TensorSpec([None, 8, 8, 3], name="photo")
    module.draw = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder), signatures=module.draw)
    return load_teacher(folder, input_pixels=(-1, 1), pixels=(-1, 1))


def test_work_of_what_is_only_known_by_its_drawing_is_counted_in_its_file(tmp_path: Path) -> None:
    kernel = tf.random.stateless_normal([3, 3, 3, 3], [1, 2])
    opaque = saved(lambda x: tf.tanh(tf.nn.conv2d(x, kernel, 1, "SAME")), tmp_path / "saved")
    assert opaque.is_opaque
    assert known_macs(opaque) == 8 * 8 * 3 * 3 * 3 * 3


def test_work_of_a_file_that_its_own_runtime_draws_is_counted_in_it(tmp_path: Path) -> None:
    photo = tf_keras.Input((8, 8, 3))
    model = tf_keras.Model(photo, tf_keras.layers.Conv2D(3, 3, padding="same")(photo))
    (tmp_path / "theirs.tflite").write_bytes(to_float32(model, signed=False))
    theirs = load_teacher(tmp_path / "theirs.tflite", input_pixels=(-1, 1), pixels=(-1, 1))
    assert theirs.is_opaque
    assert known_macs(theirs) == 8 * 8 * 3 * 3 * 3 * 3


def test_work_of_layers_without_an_int8_form_is_counted_in_their_file() -> None:
    layers = tf_keras.layers
    photo = tf_keras.Input((8, 8, 3))
    x = layers.PReLU(shared_axes=[1, 2])(layers.Conv2D(4, 3, padding="same")(photo))
    x = layers.Activation("tanh")(layers.Conv2D(3, 1, activation="swish")(x))
    teacher = Teacher(
        model=tf_keras.Model(photo, x),
        latent=0,
        classes=0,
        pixels=(-1.0, 1.0),
        input_pixels=(-1.0, 1.0),
        origin="a test",
    )
    assert known_macs(teacher) == 8 * 8 * (4 * 27 + 3 * 4)


def test_work_of_what_has_no_file_is_not_known(tmp_path: Path) -> None:
    assert known_macs(saved(tf.math.bessel_i0e, tmp_path / "saved")) == 0
