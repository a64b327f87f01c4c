"""Layers that take a generator's own inputs out of the one input of a teacher."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tf_keras

_HALF = 0.5


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
    """Any [N, …] → the same [*shape] for each of N, or once without ``has_batch``.

    ``value``: one number, everywhere in it, or one for each of its entries.
    """

    def __init__(
        self,
        value: float | Sequence[float],
        shape: Sequence[int],
        *,
        number: str,
        has_batch: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.values = tuple(value) if isinstance(value, Sequence) else (value,)
        self.shape = tuple(shape)
        self.number, self.has_batch = number, has_batch

    def call(self, inputs: Any) -> Any:
        values = tf.reshape(
            tf.cast(self.values, self.number), self.shape if len(self.values) > 1 else []
        )
        if not self.has_batch:
            return tf.broadcast_to(values, self.shape)
        rows = inputs.shape[0] or tf.shape(inputs)[0]
        every = tf.broadcast_to(values, [rows, *self.shape])
        return tf.ensure_shape(every, [inputs.shape[0], *self.shape])

    def get_config(self) -> dict[str, Any]:
        own = {"value": self.values, "shape": self.shape, "number": self.number}
        return {**super().get_config(), **own, "has_batch": self.has_batch}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Rounded(tf_keras.layers.Layer):  # type: ignore[misc]
    """Float32 → the nearest numbers of the type ``number``; of bool whether they are above 0.5."""

    def __init__(self, number: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number = number

    def call(self, inputs: Any) -> Any:
        if self.number == "bool":
            return inputs > _HALF
        whole = not tf.as_dtype(self.number).is_floating
        return tf.cast(tf.round(inputs) if whole else inputs, self.number)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "number": self.number}
