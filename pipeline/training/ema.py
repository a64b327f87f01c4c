"""A moving average of weights, since a generator circles around its best."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf


class MovingAverage:
    """Exponential moving average of variables (Yazıcı 2019).

    The decay grows from 0.1 to its setting, ``min(decay, (1 + t) / (10 + t))``, so that the random
    start is forgotten.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self.variables = list(variables)
        self.shadows = [tf.Variable(variable, trainable=False) for variable in self.variables]
        self._decay = decay

    def update(self, step: Any) -> None:
        """Move the shadows towards the variables; ``step`` counts from 0."""
        now = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self._decay, (1.0 + now) / (10.0 + now))
        for shadow, variable in zip(self.shadows, self.variables, strict=True):
            shadow.assign_sub(rate * (shadow - variable))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The variables hold their averages inside, and their own values again afterwards."""
        own = [variable.numpy() for variable in self.variables]
        self.adopt()
        try:
            yield
        finally:
            for variable, value in zip(self.variables, own, strict=True):
                variable.assign(value)

    def adopt(self) -> None:
        """Give the variables their averages for good."""
        for shadow, variable in zip(self.shadows, self.variables, strict=True):
            variable.assign(shadow)
