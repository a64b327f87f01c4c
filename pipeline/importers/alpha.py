"""Generators that draw colour with alpha: they are laid on white, as pictures of folders are.

Students, judges and bundles know grey and colour only.
"""

from typing import Any

import tensorflow as tf
import tf_keras

from pipeline.importers.missing import MissingFact
from pipeline.networks.pixels import PixelRange

CHANNELS = 4
"""Colour with alpha."""
NOTE = "what it draws has alpha: its pictures are laid on white"
ON_WHITE = MissingFact(
    problem="it draws colour with alpha, and a student draws colour only: what lies behind is not "
    "known",
    option="--on-white",
    guess={"on_white": True},
)


@tf_keras.utils.register_keras_serializable("pocketgan")
class OnWhite(tf_keras.layers.Layer):  # type: ignore[misc]
    """Colour with alpha [N, H, W, 4] → colour on white [N, H, W, 3], all within ``low``..``high``.

    ``low`` is black, and transparent in the last channel; ``high`` is white, and opaque there.
    """

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def call(self, inputs: Any) -> Any:
        colours, alpha = inputs[..., :-1], inputs[..., -1:]
        opacity = tf.clip_by_value((alpha - self.low) / (self.high - self.low), 0.0, 1.0)
        return self.high + (colours - self.high) * opacity

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "low": self.low, "high": self.high}


def on_white(model: tf_keras.Model, pixels: PixelRange) -> tf_keras.Model:
    """A model that draws colour with alpha in that range → the same, in colour on white."""
    pictures = OnWhite(*pixels, name="on_white")(model.output)
    return tf_keras.Model(model.input, pictures, name=model.name)
