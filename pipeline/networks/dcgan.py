"""DCGAN (Radford 2016): transposed convolutions double a small map until it is the picture."""

from typing import Any

import tf_keras

from pipeline.networks.layers import (
    BATCH_NORM_MOMENTUM,
    LEAKY_SLOPE,
    discriminator_model,
    normalized,
    surplus_cropped,
)
from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import DiscriminatorSettings, GeneratorSettings, ImageShape


def generator(settings: GeneratorSettings, image: ImageShape) -> tf_keras.Model:
    """Transposed convolutions (Radford 2016).

    Latents [N, latent + classes] → pictures [N, height, width, channels] in -1..1.
    The map is doubled as often as the size asks for, each time with half of the channels.
    """
    layers = tf_keras.layers
    return tf_keras.Sequential(
        [
            *hidden_layers(settings, image),
            layers.Conv2DTranspose(image.channels, 4, 2, padding="same", name="pixels"),
            layers.Activation("tanh", name="image"),
            *surplus_cropped(image.shape),
        ],
        name="dcgan_generator",
    )


def hidden_layers(settings: GeneratorSettings, image: ImageShape) -> list[Any]:
    """All layers but those that make the picture: the input, then one behind another."""
    layers, (height, width) = tf_keras.layers, first_map(image.shape)
    hidden = doublings(image.shape) - 1
    wide = settings.width * 2**hidden

    def batch_norm(name: str) -> tf_keras.layers.Layer:
        return layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=name)

    def doubled(channels: int, name: str) -> list[tf_keras.layers.Layer]:
        transposed = layers.Conv2DTranspose(
            channels, 4, 2, padding="same", use_bias=False, name=name
        )
        return [transposed, batch_norm(f"{name}_norm"), layers.ReLU(name=f"{name}_act")]

    names = ["upsample", *(f"upsample_{number}" for number in range(2, hidden + 1))]
    return [
        layers.Input([settings.latent + image.classes], name="latent"),
        layers.Dense(height * width * wide, use_bias=False, name="project"),
        batch_norm("project_norm"),
        layers.ReLU(name="project_act"),
        layers.Reshape([height, width, wide], name="seed_map"),
        *(
            layer
            for number, name in enumerate(names, start=1)
            for layer in doubled(wide // 2**number, name)
        ),
    ]


def discriminator(settings: DiscriminatorSettings, image: ImageShape) -> tf_keras.Model:
    """Convolutions of stride 2, without batch norm (Radford 2016).

    Pictures [N, height, width, channels], one-hot classes if any → logits [N, 1], real is high.
    They are halved as often as the generator doubles its first map, the width doubled each time.
    No batch norm: it ties the logits of a batch together, which R1 and WGAN-GP forbid
    (Gulrajani 2017, section 4).
    """
    layers = tf_keras.layers

    def features(pictures: Any) -> Any:
        x = pictures
        for number in range(1, doublings(image.shape) + 1):
            width = settings.width * 2 ** (number - 1)
            conv = layers.Conv2D(width, 4, 2, padding="same", name=f"conv_{number}")
            x = normalized(conv, spectral_norm=settings.spectral_norm)(x)
            x = layers.LeakyReLU(LEAKY_SLOPE, name=f"conv_{number}_act")(x)
        return layers.Flatten(name="flatten")(x)

    return discriminator_model("dcgan_discriminator", features, settings, image)
