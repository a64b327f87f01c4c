"""Layers of our own."""

from typing import Any

import tensorflow as tf
import tf_keras


@tf_keras.utils.register_keras_serializable("pocketgan")
class DepthToSpace(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, H, W, C·b²] → [N, H·b, W·b, C]: channels become pixels (Shi 2016, section 3.2)."""

    def __init__(self, block: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.block = block

    def call(self, inputs: Any) -> Any:
        """Move the numbers."""
        return tf.nn.depth_to_space(inputs, self.block)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "block": self.block}


@tf_keras.utils.register_keras_serializable("pocketgan")
class SpectralNormalization(tf_keras.layers.SpectralNormalization):  # type: ignore[misc]
    """A layer whose kernel is held at spectral norm 1 (Miyato 2018, algorithm 1).

    It is tf_keras's own layer, which tf_keras saves but cannot read: it takes the inner layer for
    one in the older file format, whose activations come back as strings.
    """

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """The layer that ``get_config`` described."""
        inner = tf_keras.saving.deserialize_keras_object(config["layer"])
        return cls(**{**config, "layer": inner})
