"""The same seed, the same bytes."""

from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf
import tf_keras
from tensorflow.python.framework import config


def prepare(seed: int) -> None:
    """Call before a stage builds a network: it then depends on nothing that ran before it.

    TensorFlow's graph optimizer is switched off: its rewriting of the same graph differs now and
    then, and with it the last bits of every weight (docs/decisions.md).
    """
    tf_keras.backend.clear_session()
    tf_keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})


@contextmanager
def as_stored() -> Iterator[None]:
    """Let operations run that were stored without a seed: outside of this TensorFlow refuses them.

    For somebody else's graph, which is only looked at here. No training belongs inside.
    """
    determined = config.is_op_determinism_enabled()
    config.disable_op_determinism()
    try:
        yield
    finally:
        if determined:
            tf.config.experimental.enable_op_determinism()
