"""What a rewriting of a network is held to."""

from collections.abc import Callable

import numpy as np
import tf_keras

Rewrite = Callable[[tf_keras.Model], tf_keras.Model]


def kinds(model: tf_keras.Model) -> list[str]:
    """Names of its layers' types, in their order."""
    return [type(layer).__name__ for layer in model.layers]


def same_after(rewrite: Rewrite, model: tf_keras.Model, inputs: np.ndarray) -> tf_keras.Model:
    """The rewritten model, which draws what ``model`` draws with weights drawn at random."""
    rng = np.random.default_rng(1)
    model.set_weights([rng.uniform(0.1, 1, w.shape) for w in model.get_weights()])
    result = rewrite(model)
    np.testing.assert_allclose(
        result(inputs, training=False), model(inputs, training=False), rtol=1e-5, atol=1e-5
    )
    return result
