"""How much memory a training needs, before anything of it is built."""

import math
from collections.abc import Iterable

import tensorflow as tf
import tf_keras

BYTES = 4
"""Of a float32."""
WEIGHT_COPIES = 6
"""Of each weight: itself, gradient, Adam's two moments, the average, and the last good state."""
FORWARD_AND_BACK = 2


def weight_bytes(networks: Iterable[tf_keras.Model]) -> int:
    """What the weights of these networks need while they are trained."""
    variables = (variable for network in networks for variable in network.variables)
    count: int = sum(math.prod(variable.shape) for variable in variables)
    return BYTES * WEIGHT_COPIES * count


def picture_bytes(networks: Iterable[tf_keras.Model]) -> int:
    """What all layers' outputs need for one picture of the batch; unknown sizes count as 1."""
    outputs = (
        tensor
        for network in networks
        for layer in network.layers
        for node in layer.inbound_nodes
        for tensor in tf.nest.flatten(node.outputs)
    )
    sizes = (math.prod(side or 1 for side in tensor.shape) for tensor in outputs)
    count: int = sum(sizes)
    return BYTES * FORWARD_AND_BACK * count
