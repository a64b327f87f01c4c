"""The same seed, the same bytes."""

import tensorflow as tf
import tf_keras


def prepare(seed: int) -> None:
    """Call before a stage builds a network: it then depends on nothing that ran before it."""
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
