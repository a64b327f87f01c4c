"""What other methods train a student of pictures for, on a step or two."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.determinism import prepare
from pipeline.networks import pix2pix
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, StudentSettings
from pipeline.networks.translators import TranslatorShape, build_translator_student
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.objectives.translation import PairedTranslation
from pipeline.training.settings import TrainSettings, TranslationWeights
from pipeline.training.trainer import GANTrainer
from tools.experiments.peer_objectives import (
    FeatureDistillation,
    FeatureMatching,
    OnlineDistillation,
    OnlineTrainer,
    maps,
    matching_places,
)

PIXELS = (-1.0, 1.0)
SHAPE = TranslatorShape(source=(16, 16, 3), image=(16, 16, 3), source_pixels=PIXELS, pixels=PIXELS)
NOISE = np.random.default_rng(1).integers(0, 256, (16, 16, 16, 3), dtype=np.uint8)
PAIRED = {
    "pairs": DistillationSet(NOISE, 255 - NOISE, 0, PIXELS),
    "fixed": DistillationSet(NOISE, 255 - NOISE, 0, PIXELS),
    "pixels": PIXELS,
    "weights": TranslationWeights(),
    "settings": TrainSettings(steps=2, batch=4, check_every=1),
    "seed": 1,
}


def make_teacher() -> tf_keras.Model:
    return pix2pix.generator(GeneratorSettings(width=2), SHAPE)


def make_student() -> tf_keras.Model:
    return build_translator_student(StudentSettings("unet", 0, (2, 3), 0), SHAPE)


def make_discriminator() -> tf_keras.Model:
    return pix2pix.discriminator(DiscriminatorSettings(width=2), SHAPE)


@pytest.mark.parametrize(
    ("student", "teacher", "places"),
    [
        ([16, 8, 8, 16], [8, 4, 8], [(1, 0), (2, 2)]),
        ([16, 16], [8, 4], [(0, 0), (1, 0)]),
        ([8], [8], [(0, 0)]),
    ],
)
def test_maps_of_one_height_are_compared_on_the_way_down_and_up(
    student: list[int], teacher: list[int], places: list[tuple[int, int]]
) -> None:
    assert matching_places(student, teacher) == places


def test_features_of_equal_networks_differ_by_nothing_once_the_adapters_pass_them_on() -> None:
    prepare(1)
    network = make_teacher()
    matching = FeatureMatching(network, network)
    for adapter in matching.adapters:
        kernel, bias = adapter.get_weights()
        adapter.set_weights([np.eye(*kernel.shape[2:])[None, None], bias])
    inputs = tf.constant(NOISE / 127.5 - 1, tf.float32)
    features = tf.nest.flatten(matching.of(network)(inputs, training=False))
    assert float(matching.loss(features, inputs)) == pytest.approx(0, abs=1e-9)
    assert float(matching.loss([1 + one for one in features], inputs)) > 0.5


def test_network_without_activations_has_no_features() -> None:
    layers = tf_keras.Sequential([tf_keras.Input([8, 8, 3]), tf_keras.layers.Conv2D(3, 1)])
    with pytest.raises(PocketganError, match="no ReLU"):
        maps(layers)


def test_feature_distillation_trains_its_adapters_with_the_student(tmp_path: Path) -> None:
    prepare(1)
    student = make_student()
    matching = FeatureMatching(student, make_teacher())
    before = matching.adapters[0].get_weights()
    objective = FeatureDistillation(student, make_discriminator(), matching=matching, **PAIRED)
    history = GANTrainer(objective, 1).train(tmp_path / "checkpoint.npz", "test")
    assert all(row.finite for row in history.rows)
    assert not np.array_equal(before[0], matching.adapters[0].get_weights()[0])


def test_online_teacher_takes_a_step_before_each_of_its_student() -> None:
    prepare(1)
    teacher, student = make_teacher(), make_student()
    taught = GANTrainer(PairedTranslation(teacher, make_discriminator(), **PAIRED), 1)
    trainer = OnlineTrainer(
        OnlineDistillation(student, online=teacher, **PAIRED), 1, teacher=taught
    )
    before = [network.get_weights() for network in (teacher, student)]
    trainer.step(regularize=False)
    for weights, network in zip(before, (teacher, student), strict=True):
        assert not all(map(np.array_equal, weights, network.get_weights()))
