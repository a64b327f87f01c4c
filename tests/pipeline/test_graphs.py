from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.graphs import as_it_stands, tf_graph


class Branching(tf_keras.layers.Layer):  # type: ignore[misc]
    """A layer that only a rewritten function can hold: it branches by a tensor."""

    def call(self, inputs: Any) -> Any:
        if tf.reduce_sum(inputs) > 0:
            return inputs
        return -inputs


def test_graph_gives_what_the_function_gives_and_is_made_once_for_equal_shapes() -> None:
    made = []

    @tf_graph
    def doubled(x: Any) -> Any:
        made.append(x)
        return 2 * x

    assert [float(doubled(tf.constant(value))) for value in (1.0, 2.0)] == [2.0, 4.0]
    assert len(made) == 1


@pytest.mark.parametrize("make", [tf_graph, lambda call: tf.function(as_it_stands(call))])
def test_neither_a_function_nor_a_layer_that_it_calls_is_rewritten(
    make: Callable[[Any], Any],
) -> None:
    layer, ones = Branching(), tf.ones([1, 2])
    assert float(tf.function(lambda x: layer(x))(ones)[0, 0]) == 1.0
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        make(lambda x: layer(x))(ones)
    with pytest.raises(tf.errors.OperatorNotAllowedInGraphError):
        make(lambda x: x if x > 0 else -x)(tf.constant(1.0))


def test_graph_with_a_signature_is_made_once_for_all_shapes() -> None:
    made = []

    def doubled(x: Any) -> Any:
        made.append(x)
        return 2 * x

    graph: Any = tf_graph(doubled, [tf.TensorSpec([None], tf.float32)])
    assert [len(graph(np.ones(count, np.float32))) for count in (1, 2)] == [1, 2]
    assert len(made) == 1
