import dataclasses

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.importers.opaque import FrozenGraph, OpaqueGenerator
from pipeline.importers.teacher import Teacher
from pipeline.networks.settings import StudentSettings
from pipeline.search.builder import StudentBuilder

OPAQUE = OpaqueGenerator(graph=FrozenGraph(b"", (), ()), shape=(8,))
SUB_PIXEL = StudentSettings("sub_pixel", 4, (4, 2), 0)


def test_purpose_built_student_reads_and_draws_what_its_teacher_does(
    builder: StudentBuilder,
) -> None:
    student = builder.build(SUB_PIXEL)
    assert student.input_shape == builder.teacher.model.input_shape
    assert student.output_shape == builder.teacher.model.output_shape
    assert builder.pixels(SUB_PIXEL) == (-1.0, 1.0)


def test_slim_student_that_keeps_all_draws_as_its_teacher(builder: StudentBuilder) -> None:
    whole = StudentSettings("slim", 0, (100,) * len(builder.groups), 0)
    inputs = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    pictures, teachers = (
        model(inputs).numpy() for model in (builder.build(whole), builder.teacher.model)
    )
    np.testing.assert_allclose(pictures, teachers, atol=1e-4)


def test_slim_student_has_its_share_of_the_channels_and_of_the_rank(
    builder: StudentBuilder,
) -> None:
    count = len(builder.groups)
    whole, half, low = (
        builder.build(StudentSettings("slim", rank, (share,) * count, 0)).count_params()
        for share, rank in ((100, 0), (50, 0), (50, 2))
    )
    assert 0.2 < half / whole < 0.6
    assert low < half


def test_slim_student_needs_a_number_for_each_group(builder: StudentBuilder) -> None:
    count = len(builder.groups)
    with pytest.raises(PocketganError, match="groups of channels") as error:
        builder.build(StudentSettings("slim", 0, (50,) * (count + 1), 0))
    proposed = ",".join(["50"] * count)
    assert f'--search.student.channels "[{proposed}]"' in error.value.remedy


@pytest.mark.parametrize(("count", "text"), [(1, "[16]"), (2, "[16,8]"), (4, "[16,8,8,8]")])
def test_channels_that_are_proposed_are_as_many_as_are_wanted(count: int, text: str) -> None:
    assert StudentSettings().channels_for(count) == text


def test_opaque_teacher_is_not_slimmed(teacher: Teacher) -> None:
    other = StudentBuilder(dataclasses.replace(teacher, opaque=OPAQUE), 1)
    assert other.groups == {}
    with pytest.raises(PocketganError, match="it is no graph of layers"):
        other.build(StudentSettings("slim", 0, (50,), 0))


def test_teacher_that_reads_pictures_is_slimmed_concatenations_included() -> None:
    layers = tf_keras.layers
    pictures = layers.Input([8, 8, 3])
    down = layers.ReLU()(layers.Conv2D(8, 3, 2, padding="same", name="down")(pictures))
    up = layers.ReLU()(layers.Conv2DTranspose(8, 4, 2, padding="same", name="up")(down))
    beside = layers.Concatenate()([up, pictures])
    image = layers.Activation("tanh")(layers.Conv2D(3, 3, padding="same", name="last")(beside))
    teacher = Teacher(
        model=tf_keras.Model(pictures, image),
        latent=0,
        classes=0,
        pixels=(-1.0, 1.0),
        input_pixels=(-1.0, 1.0),
        origin="a test",
    )
    builder = StudentBuilder(teacher, 1)
    assert sorted(builder.groups.values()) == [8, 8]
    student = builder.build(StudentSettings("slim", 0, (50, 50), 0))
    assert student.get_layer("last").kernel.shape == (3, 3, 4 + 3, 3)
    assert student.output_shape == (None, 8, 8, 3)
    assert builder.pixels(StudentSettings("slim")) == (-1.0, 1.0)


def test_student_draws_in_the_range_of_its_last_layer(teacher: Teacher) -> None:
    eight_bits, bright = (
        StudentBuilder(dataclasses.replace(teacher, pixels=pixels), 1)
        for pixels in ((0.0, 255.0), (0.0, 1.0))
    )
    assert eight_bits.pixels(SUB_PIXEL) == (-1.0, 1.0)
    assert eight_bits.pixels(StudentSettings("slim")) == (0.0, 255.0)
    assert bright.pixels(SUB_PIXEL) == (0.0, 1.0)
    assert bright.build(SUB_PIXEL).layers[-1].activation.__name__ == "sigmoid"


def test_student_is_cut_from_before_what_only_rescales_its_teachers_pictures(
    builder: StudentBuilder,
) -> None:
    layers, teacher = tf_keras.layers, builder.teacher
    rescaled = layers.Rescaling(127.5, 127.5)(teacher.model.output)
    clipped = layers.ReLU(255.0)(rescaled)
    model = tf_keras.Model(teacher.model.input, clipped)
    other = StudentBuilder(dataclasses.replace(teacher, model=model, pixels=(0.0, 255.0)), 1)
    whole = StudentSettings("slim", 0, (100,) * len(other.groups), 0)
    assert other.why_not_slim == ""
    assert other.pixels(whole) == (-1.0, 1.0)
    inputs = np.random.default_rng(1).normal(size=(4, 8)).astype(np.float32)
    pictures = (other.build(whole)(inputs).numpy() + 1) * 127.5
    np.testing.assert_allclose(pictures, model(inputs), atol=0.02)


def test_teacher_with_a_range_that_its_user_states_is_cut_with_its_end(
    builder: StudentBuilder,
) -> None:
    model = tf_keras.Model(
        builder.teacher.model.input,
        tf_keras.layers.Rescaling(150.0, 127.5)(builder.teacher.model.output),
    )
    other = StudentBuilder(
        dataclasses.replace(builder.teacher, model=model, pixels=(0.0, 255.0)), 1
    )
    assert "Rescaling" in other.why_not_slim


def test_depthwise_convolutions_keep_two_channels(teacher: Teacher) -> None:
    layers = tf_keras.layers
    x = layers.Reshape((2, 2, 8))(layers.Dense(32)(port := tf_keras.Input((8,))))
    x = layers.DepthwiseConv2D(1)(layers.ReLU()(x))
    pictures = layers.Activation("tanh")(layers.Conv2DTranspose(3, 4, 2, padding="same")(x))
    model = tf_keras.Model(port, pictures)
    other = StudentBuilder(dataclasses.replace(teacher, model=model), 1, by_norm=True)
    student = other.build(StudentSettings("slim", 0, (1,) * len(other.groups), 0))
    assert student.layers[-3].output_shape == (None, 2, 2, 2)
