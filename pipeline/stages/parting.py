"""Where a file first draws otherwise than the fake-quantized model that it was made from."""

from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.fake_quantization import wrappers
from pipeline.compression.graph import followers
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import prefixes
from pipeline.tflite.runtime import draw_all

ENOUGH_WITHIN = 0.99
"""Share of a layer's values that must be within one of its steps."""


def first_difference(aware: tf_keras.Model, content: bytes, inputs: np.ndarray) -> str:
    """The first layer whose outputs differ by more than a step here and there; empty for none.

    ``inputs`` float32 [N, …] are values that the file's input can hold. Each operation is compared
    with the layer of its name, or with the ReLU that it has taken in.
    """
    layers = {wrapper.layer.name: _last_of(aware, wrapper) for wrapper in wrappers(aware)}
    for prefix in prefixes(content):
        graph = read_model(prefix.content).subgraphs[0]
        (output,) = graph.ops[-1].outputs
        layer = layers.get(prefix.layer)
        if layer is None or output not in graph.outputs or not output.scales:
            continue
        expected = tf_keras.Model(aware.inputs, layer.output)(inputs, training=False).numpy()
        values = draw_all(prefix.content, inputs)[graph.outputs.index(output)]
        if values.shape != expected.shape:
            continue
        apart = np.abs(values - expected) / output.scales[0]
        if np.mean(apart < 1.5) < ENOUGH_WITHIN:
            return prefix.layer
    return ""


def _last_of(aware: tf_keras.Model, wrapper: Any) -> Any:
    """The layer whose output an operation of this name gives."""
    if wrapper.quantize_config.fused:
        (reader,) = followers(aware, wrapper)
        return reader
    return wrapper
