from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.int8_layers import refusals
from pipeline.compression.slimming import importance_by_norm, slim
from pipeline.importers.lone_norms import without_lone_norms
from tests.pipeline.importers.rewritten import same_after

L = tf_keras.layers


def rewritten(*layers: Any) -> tf_keras.Model:
    """A model of latents of six, with random statistics, and held against what it was."""
    model = tf_keras.Sequential([L.Input((6,)), *layers])
    inputs = np.random.default_rng(2).normal(size=(3, 6)).astype(np.float32)
    return same_after(without_lone_norms, model, inputs)


def norms(model: tf_keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, L.BatchNormalization)]


BEHIND_ACTIVATIONS = [
    *(L.Dense(8), L.LeakyReLU(0.2), L.BatchNormalization(name="of_vector")),
    *(L.Dense(4 * 4 * 8), L.Reshape((4, 4, 8))),
    *(L.Conv2DTranspose(8, 4, 2, padding="same"), L.ReLU(), L.BatchNormalization(name="of_map")),
    *(L.Conv2D(3, 3, padding="same"), L.Activation("tanh")),
]


def test_batch_norms_behind_activations_get_an_int8_form_and_can_be_cut() -> None:
    model = rewritten(*map(L.deserialize, map(L.serialize, BEHIND_ACTIVATIONS)))
    assert norms(model) == []
    assert type(model.get_layer("of_map")) is L.DepthwiseConv2D
    assert refusals(fold_batch_norm(model)) == {}
    groups = importance_by_norm(model)
    smaller = slim(model, dict.fromkeys(groups, 3), groups)
    assert smaller.get_layer("of_map").output_shape[-1] == 3


def test_batch_norm_of_one_channel_is_no_depthwise_convolution() -> None:
    """Which would abort a training."""
    lone = L.BatchNormalization(name="of_map")
    model = rewritten(L.Dense(9), L.Reshape((3, 3, 1)), L.ReLU(), lone, L.Conv2D(3, 3))
    assert type(model.get_layer("of_map")) is L.Conv2D


def test_batch_norm_that_folds_stays_one() -> None:
    model = rewritten(L.Dense(8), L.BatchNormalization(name="folds"), L.ReLU())
    assert norms(model) == ["folds"]


@pytest.mark.parametrize("shape", [(8, 2), (2, 2, 4)])
def test_batch_norm_over_another_axis_or_of_sequences_stays(shape: tuple[int, ...]) -> None:
    norm = L.BatchNormalization(axis=1, name="odd")
    model = rewritten(L.Dense(16), L.ReLU(), L.Reshape(shape), norm)
    assert norms(model) == ["odd"]
