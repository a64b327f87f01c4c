"""Layers that take a generator's own inputs out of the one input of a teacher."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

_HALF = 0.5


@tf_keras.utils.register_keras_serializable("pocketgan")
class Part(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, …, L] → of the last axis the ``size`` entries from ``start`` on, [N, …, size]."""

    def __init__(self, start: int, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start, self.size = start, size

    def call(self, inputs: Any) -> Any:
        return inputs[..., self.start : self.start + self.size]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "start": self.start, "size": self.size}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Label(tf_keras.layers.Layer):  # type: ignore[misc]
    """One-hot classes [N, K] → their numbers, [N] or [N, 1] by ``rank``, of dtype ``number``."""

    def __init__(self, rank: int, number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rank, self.number = rank, number

    def call(self, inputs: Any) -> Any:
        label = tf.cast(tf.argmax(inputs, -1, tf.int32), self.number)
        return label[:, None] if self.rank == 2 else label

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rank": self.rank, "number": self.number}


@tf_keras.utils.register_keras_serializable("pocketgan")
class SameForAll(tf_keras.layers.Layer):  # type: ignore[misc]
    """Any [N, …] → ``value`` everywhere in [N, *shape], or in [*shape] without ``has_batch``."""

    def __init__(
        self, value: float, shape: Sequence[int], *, number: str, has_batch: bool, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.value, self.shape = value, tuple(shape)
        self.number, self.has_batch = number, has_batch

    def call(self, inputs: Any) -> Any:
        value = tf.cast(self.value, self.number)
        if not self.has_batch:
            return tf.fill(self.shape, value)
        rows = inputs.shape[0] or tf.shape(inputs)[0]
        return tf.ensure_shape(tf.fill([rows, *self.shape], value), [inputs.shape[0], *self.shape])

    def get_config(self) -> dict[str, Any]:
        own = {"value": self.value, "shape": self.shape, "number": self.number}
        return {**super().get_config(), **own, "has_batch": self.has_batch}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Rounded(tf_keras.layers.Layer):  # type: ignore[misc]
    """Floats → the nearest numbers of the type ``number``; of bool whether they are above 0.5."""

    def __init__(self, number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def call(self, inputs: Any) -> Any:
        return inputs > _HALF if self.number == "bool" else tf.cast(tf.round(inputs), self.number)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "number": self.number}
