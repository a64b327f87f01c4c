"""The same seed, the same bytes."""

import tensorflow as tf
import tf_keras


def prepare(seed: int) -> None:
    """Call before a stage builds a network: it then depends on nothing that ran before it.

    TensorFlow's graph optimizer is switched off: its rewriting of the same graph differs now and
    then, and with it the last bits of every weight (docs/decisions.md).
    """
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
