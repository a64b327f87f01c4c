"""A discriminator that looks at a picture and at each of its colours alone.

Where colours are things of their own, as the three digits of a stacked picture, one network that
sees them all at once need not read any: it is fooled by three blots that go well together.
"""

from typing import Any

import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.networks import r3gan
from pipeline.networks.layers import discriminator_model
from pipeline.networks.settings import BY_COLOUR, DiscriminatorSettings, ImageShape


@tf_keras.utils.register_keras_serializable("pocketgan")
class EachColour(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, H, W, C] → [C·N, H, W, 1]: first all of the first colour, and so on."""

    def call(self, inputs: Any) -> Any:
        """Part the channels."""
        return tf.concat(tf.split(inputs, inputs.shape[-1], axis=-1), axis=0)


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """r3gan's, of the whole picture and of each of its colours alone.

    Pictures [N, height, width, C] → logits [(1 + C)·N, 1]: of the wholes, then of each colour.
    A first layer reads the whole, another any colour; all further ones are shared (r3gan's). Raises
    PocketganError for grey pictures, and for classes.
    """
    if image.channels == 1 or image.classes:
        raise PocketganError(
            f"discriminator.name: '{BY_COLOUR}' looks at each colour of pictures without a class.",
            "Choose another, such as r3gan.",
        )

    def features(pictures: Any) -> Any:
        whole = r3gan.first_layer("whole", settings)(pictures)
        alone = r3gan.first_layer("colour", settings)(EachColour(name="colours")(pictures))
        views = tf_keras.layers.Concatenate(axis=0, name="all_views")([whole, alone])
        return r3gan.described(views, settings, image)

    return discriminator_model("colours_discriminator", features, settings, image)
