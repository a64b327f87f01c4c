"""pix2pix (Isola 2017): a U-Net that translates, and a discriminator that looks at patches.

As in the paper's appendix, with what int8 likes better: ReLU on the way down too (it is fused into
the convolution before it), and no dropout.
"""

import tf_keras

from pipeline.networks.layers import LEAKY_SLOPE, normalized, normalized_relu
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings
from pipeline.networks.translators import TranslatorShape, refuse_undivided

LEVELS = 5
WIDEST = 8
"""Channels of the deepest maps, in widths."""
_SMALLEST_MAP = 2


def generator(settings: GeneratorSettings, shape: TranslatorShape) -> tf_keras.Model:
    """pix2pix's U-Net (Isola 2017).

    Pictures [N, h, w, c] in −1..1 → [N, H, W, C] in −1..1.
    16.6 million weights at 64 pixels and a width of 64. Down by convolutions 4×4 of stride 2 to
    maps of 2 pixels, but no more than five times, up by transposed ones; what was a map on the way
    down is concatenated on the way up.
    """
    layers = tf_keras.layers
    levels = _levels(shape)
    x = inputs = layers.Input(shape.source, name="picture")
    skips = []
    for level in range(levels):
        width = settings.width * min(2**level, WIDEST)
        x = layers.Conv2D(width, 4, 2, "same", use_bias=False, name=f"down_{level}")(x)
        x = normalized_relu(x, f"down_{level}")
        skips.append(x)
    for level in reversed(range(levels - 1)):
        width = settings.width * min(2**level, WIDEST)
        x = layers.Conv2DTranspose(width, 4, 2, "same", use_bias=False, name=f"up_{level}")(x)
        x = normalized_relu(x, f"up_{level}")
        x = layers.Concatenate(name=f"up_{level}_skip")([x, skips[level]])
    doublings = shape.scale.bit_length() - 1
    for number in range(doublings):
        x = layers.Conv2DTranspose(
            settings.width, 4, 2, "same", use_bias=False, name=f"enlarge_{number}"
        )(x)
        x = normalized_relu(x, f"enlarge_{number}")
    x = layers.Conv2DTranspose(shape.image[2], 4, 2, "same", name="pixels")(x)
    return tf_keras.Model(inputs, layers.Activation("tanh", name="image")(x), name="unet")


def discriminator(settings: DiscriminatorSettings, shape: TranslatorShape) -> tf_keras.Model:
    """A picture in −1..1 behind its input, [N, H, W, c + C] → a logit a patch [N, H/8, W/8, 1].

    Of a shape that reads no channels the picture alone, as unpaired translation has it.
    No batch norm: it ties the logits of a batch together, which R1 and WGAN-GP forbid.
    """
    layers = tf_keras.layers
    height, width, channels = shape.image
    inputs = layers.Input([height, width, channels + shape.source[2]], name="pictures")
    x = inputs
    for level in range(3):
        conv = layers.Conv2D(settings.width * 2**level, 4, 2, "same", name=f"conv_{level}")
        x = normalized(conv, spectral_norm=settings.spectral_norm)(x)
        x = layers.LeakyReLU(LEAKY_SLOPE, name=f"conv_{level}_act")(x)
    logit = layers.Conv2D(1, 4, padding="same", name="logit")
    logits = normalized(logit, spectral_norm=settings.spectral_norm)(x)
    return tf_keras.Model(inputs, logits, name="patch_discriminator")


def _levels(shape: TranslatorShape) -> int:
    levels = 1
    while levels < LEVELS and min(shape.source[:2]) >> (levels + 1) >= _SMALLEST_MAP:
        levels += 1
    refuse_undivided(shape, 2**levels)
    return levels
