"""Layers that bring a generator's own inputs out of the one that a teacher has."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable("pocketgan")
class Part(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, L] → the ``size`` entries from ``start`` on, [N, size]."""

    def __init__(self, start: int, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.size = start, size

    def call(self, inputs: Any) -> Any:
        """Cut it out."""
        return inputs[:, self.start : self.start + self.size]

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "start": self.start, "size": self.size}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Label(tf_keras.layers.Layer):  # type: ignore[misc]
    """One-hot classes [N, K] → their numbers, [N] or [N, 1], of type ``number``."""

    def __init__(self, rank: int, number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank, self.number = rank, number

    def call(self, inputs: Any) -> Any:
        """The place of the largest entry."""
        label = tf.cast(tf.argmax(inputs, -1, tf.int32), self.number)
        return label[:, None] if self.rank == 2 else label

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "rank": self.rank, "number": self.number}
