import numpy as np
import pytest
import tf_keras

from pipeline.search import scorers
from pipeline.search.scorers import draw_pictures

L = tf_keras.layers


@pytest.mark.parametrize("count", [1, 4, 9])
def test_pictures_are_those_of_a_graph_bit_by_bit_in_batches_of_any_size(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scorers, "DRAWN_AT_ONCE", 4)
    layers = [L.Dense(48), L.BatchNormalization(), L.Reshape((4, 4, 3)), L.Conv2D(3, 3)]
    model = tf_keras.Sequential([L.Input((5,)), *layers, L.Activation("tanh")])
    inputs = np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    pictures = draw_pictures(model, inputs)
    assert pictures.dtype == np.float32
    assert (pictures == model.predict(inputs, batch_size=4, verbose=0)).all()
