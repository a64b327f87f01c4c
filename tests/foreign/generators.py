"""Five generators as other people write them: with Keras 3, and knowing nothing of this project.

The first two are those of Keras's own code examples on DCGAN and on conditional GANs, in a width of
choice; the others are the common shapes beside them. The file is what a user would give to
``--custom`` too: it registers the layers that are not Keras's.
"""

from typing import Any

import keras
from keras import layers, ops


def dcgan(width: int = 128, latent: int = 128) -> keras.Model:
    """Latents → 64×64 colour pictures in 0..1 (Keras's example has width 128)."""
    model = keras.Sequential(name="generator")
    model.add(keras.Input((latent,)))
    model.add(layers.Dense(8 * 8 * width))
    model.add(layers.Reshape((8, 8, width)))
    for factor in (1, 2, 4):
        model.add(layers.Conv2DTranspose(factor * width, 4, strides=2, padding="same"))
        model.add(layers.LeakyReLU(negative_slope=0.2))
    model.add(layers.Conv2D(3, 5, padding="same", activation="sigmoid"))
    return model


def conditional(width: int = 128, latent: int = 128, classes: int = 10) -> keras.Model:
    """Latents with a one-hot class at the end → 28×28 grey pictures in 0..1."""
    channels = latent + classes
    return keras.Sequential(
        [
            keras.Input((channels,)),
            layers.Dense(7 * 7 * channels),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Reshape((7, 7, channels)),
            layers.Conv2DTranspose(width, (4, 4), strides=(2, 2), padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(width, (4, 4), strides=(2, 2), padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(1, (7, 7), padding="same", activation="sigmoid"),
        ],
        name="generator",
    )


def labelled(width: int = 16, latent: int = 32, classes: int = 10) -> keras.Model:
    """Latents, and the number of a class that an embedding looks up → 28×28 grey, in −1..1."""
    label = keras.Input((1,), name="label")
    embedded = layers.Embedding(classes, 50)(label)
    embedded = layers.Reshape((7, 7, 1))(layers.Dense(7 * 7)(embedded))
    noise = keras.Input((latent,), name="noise")
    seed = layers.Reshape((7, 7, width))(layers.Dense(7 * 7 * width, activation="relu")(noise))
    x = layers.Concatenate()([seed, embedded])
    for _ in range(2):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
        x = layers.LeakyReLU(negative_slope=0.2)(x)
    picture = layers.Conv2D(1, 7, padding="same", activation="tanh")(x)
    return keras.Model([noise, label], picture)


def resize_conv(width: int = 64, latent: int = 100) -> keras.Model:
    """Latents → 32×32 colour pictures in −1..1, by nearest neighbour and convolutions."""
    noise = keras.Input((latent,))
    x = layers.Dense(8 * 8 * 2 * width, use_bias=False)(noise)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Reshape((8, 8, 2 * width))(x)
    for channels in (2 * width, width):
        x = layers.UpSampling2D()(x)
        x = layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.Activation("relu")(x)
        x = layers.Dropout(0.1)(x)
    return keras.Model(noise, layers.Conv2D(3, 3, padding="same", activation="tanh")(x))


def unet(width: int = 32, side: int = 64) -> keras.Model:
    """Colour pictures in −1..1 → colour pictures in −1..1 (after Isola 2017, instance-normed)."""

    def normed(x: Any) -> Any:
        return layers.GroupNormalization(groups=-1)(x)

    picture = keras.Input((side, side, 3))
    x, skips = picture, []
    for factor in (1, 2, 4):
        x = layers.Conv2D(factor * width, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.LeakyReLU(negative_slope=0.2)(normed(x))
        skips.append(x)
    for factor, skip in zip((2, 1), skips[-2::-1], strict=True):
        x = layers.Conv2DTranspose(factor * width, 4, strides=2, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.Dropout(0.5)(normed(x)))
        x = layers.Concatenate()([x, skip])
    x = layers.Conv2DTranspose(3, 4, strides=2, padding="same", activation="tanh")(x)
    return keras.Model(picture, x)


@keras.saving.register_keras_serializable("foreign")
class PixelNorm(layers.Layer):
    """Each pixel's features divided by their length (Karras 2018, section 4.2)."""

    def call(self, inputs: Any) -> Any:
        return inputs * ops.rsqrt(ops.mean(ops.square(inputs), axis=-1, keepdims=True) + 1e-8)


@keras.saving.register_keras_serializable("foreign")
class Noise(layers.Layer):
    """Adds new noise each time, at inference too (as Karras 2019 does)."""

    def call(self, inputs: Any) -> Any:
        return inputs + keras.random.normal(ops.shape(inputs))


def custom_layer(width: int = 16, latent: int = 64, noisy: bool = False) -> keras.Model:
    """Latents → 16×16 grey pictures in −1..1, through a layer of one's own."""
    noise = keras.Input((latent,))
    x = layers.Reshape((4, 4, width))(layers.Dense(4 * 4 * width)(PixelNorm(name="norm")(noise)))
    for _ in range(2):
        x = layers.Conv2DTranspose(width, 4, strides=2, padding="same")(x)
        x = PixelNorm()(layers.LeakyReLU(negative_slope=0.2)(x))
        x = Noise()(x) if noisy else x
    return keras.Model(noise, layers.Conv2D(1, 1, activation="tanh")(x))


@keras.saving.register_keras_serializable("foreign")
class Painter(keras.Model):
    """A subclassed model: its ``call`` is code, and no graph of layers."""

    def __init__(self, width: int = 16, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.project = layers.Dense(7 * 7 * width, activation="relu")
        self.fold = layers.Reshape((7, 7, width))
        self.up = [layers.Conv2DTranspose(width, 4, 2, "same", activation="relu") for _ in "12"]
        self.paint = layers.Conv2D(1, 3, padding="same")

    def call(self, latents: Any, training: bool = False) -> Any:
        x = self.fold(self.project(latents))
        for layer in self.up:
            x = layer(x)
        return ops.tanh(self.paint(x))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


def subclassed(width: int = 16, latent: int = 64) -> keras.Model:
    """Latents → 28×28 grey pictures in −1..1; called once, as everybody does before saving."""
    model = Painter(width)
    model(ops.zeros((1, latent)))
    return model
