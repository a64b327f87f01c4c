"""Layers of our own, and what discriminators of every family share."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf
import tf_keras

from pipeline.networks.map_sizes import doublings, first_map
from pipeline.networks.settings import DiscriminatorSettings, ImageShape, PictureShape

LEAKY_SLOPE = 0.2
BATCH_NORM_MOMENTUM = 0.9  # the usual 0.99 lags behind a generator that moves at every step
TRUNCATION_MOMENTUM = 0.95


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
class ReflectionPadding2D(tf_keras.layers.Layer):  # type: ignore[misc]
    """Maps with borders that mirror what is inside, the outermost pixels not repeated.

    ``padding``: before and behind the rows, before and behind the columns.
    """

    def __init__(self, padding: Sequence[Sequence[int]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.padding = [list(side) for side in padding]

    def call(self, inputs: Any) -> Any:
        """Mirror."""
        return tf.pad(inputs, [[0, 0], *self.padding, [0, 0]], "REFLECT")

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "padding": self.padding}


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


@tf_keras.utils.register_keras_serializable("pocketgan")
class MinibatchDeviation(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, F] → [N, F + 1]: behind each row the mean deviation of the features over the batch."""

    def call(self, inputs: Any) -> Any:
        """One number for the whole batch (Karras 2018, section 3)."""
        deviations = tf.sqrt(tf.math.reduce_variance(inputs, axis=0) + 1e-8)
        mean = tf.fill([tf.shape(inputs)[0], 1], tf.reduce_mean(deviations))
        return tf.concat([inputs, mean], axis=1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """One feature more."""
        return (*input_shape[:-1], input_shape[-1] + 1)


def surplus_cropped(image: PictureShape, name: str = "crop") -> list[tf_keras.layers.Layer]:
    """What cuts the doubled first map to the picture, as much off both sides; empty if it fits."""
    sides = zip(first_map(image), image[:2], strict=True)
    surplus = [first * 2 ** doublings(image) - side for first, side in sides]
    if not any(surplus):
        return []
    cropping = [(pixels // 2, pixels - pixels // 2) for pixels in surplus]
    return [tf_keras.layers.Cropping2D(cropping, name=name)]


def sub_pixels(x: Any, image: ImageShape) -> Any:
    """The last map → pictures [N, height, width, channels] in -1..1, twice as large, then cropped.

    Bounded before channels become pixels: right behind the kernel its int8 range is known.
    """
    layers = tf_keras.layers
    x = layers.Conv2D(4 * image.channels, 3, padding="same", name="pixels")(x)
    x = layers.Activation("tanh", name="bound")(x)
    x = DepthToSpace(2, name="image")(x)
    for crop in surplus_cropped(image.shape):
        x = crop(x)
    return x


def normalized(layer: tf_keras.layers.Layer, *, spectral_norm: bool) -> tf_keras.layers.Layer:
    """The layer, held at spectral norm 1 if ``spectral_norm``."""
    if not spectral_norm:
        return layer
    return SpectralNormalization(layer, name=f"{layer.name}_spectral")


def normalized_relu(x: Any, name: str, *, relu: bool = True) -> Any:
    """Batch norm, and ReLU unless told otherwise."""
    layers = tf_keras.layers
    x = layers.BatchNormalization(momentum=BATCH_NORM_MOMENTUM, name=f"{name}_norm")(x)
    return layers.ReLU(name=f"{name}_act")(x) if relu else x


def discriminator_model(
    name: str,
    features: Callable[[Any], Any],
    settings: DiscriminatorSettings,
    image: ImageShape,
) -> tf_keras.Model:
    """Put a logit on top of ``features``: [N, height, width, channels] → [N, 1].

    With classes the model takes [pictures, one-hot classes], and the inner product of the features
    with a learned vector for the class is added to the logit (Miyato & Koyama 2018, equation 3).
    """
    layers = tf_keras.layers
    pictures = layers.Input(image.shape, name="pictures")
    described = features(pictures)
    if settings.minibatch_deviation:
        described = MinibatchDeviation(name="minibatch_deviation")(described)
    logit = normalized(layers.Dense(1, name="logit"), spectral_norm=settings.spectral_norm)(
        described
    )
    if not image.classes:
        return tf_keras.Model(pictures, logit, name=name)
    classes = layers.Input([image.classes], name="classes")
    match = class_match(described, classes, spectral_norm=settings.spectral_norm)
    conditional = layers.Add(name="conditional_logit")([logit, match])
    return tf_keras.Model([pictures, classes], conditional, name=name)


def class_match(described: Any, classes: Any, *, spectral_norm: bool) -> Any:
    """Features [N, F] and one-hot classes [N, K] → [N, 1]: how well they go together."""
    layers = tf_keras.layers
    embedding = layers.Dense(described.shape[-1], use_bias=False, name="class_embedding")
    embedded = normalized(embedding, spectral_norm=spectral_norm)(classes)
    return layers.Dot(axes=1, name="class_match")([described, embedded])


@tf_keras.utils.register_keras_serializable("pocketgan")
class PixelScale(tf_keras.layers.Layer):  # type: ignore[misc]
    """x → factor·x: between the pixels' own range, as 0..255, and numbers that train well.

    Next to a convolution it is folded into that one's kernel (``compression.fold``).
    """

    def __init__(self, factor: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs: Any) -> Any:
        """Multiply."""
        return inputs * self.factor

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "factor": self.factor}


@tf_keras.utils.register_keras_serializable("pocketgan")
class PixelSum(tf_keras.layers.Add):  # type: ignore[misc]
    """The sum of two maps that is the picture, with black at ``low`` and white at ``high``.

    Its int8 form has just these as its range, whatever values training met: a step of the file is
    then a step of an 8-bit picture.
    """

    def __init__(self, low: float, high: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.low, self.high = low, high

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "low": self.low, "high": self.high}


@tf_keras.utils.register_keras_serializable("pocketgan")
class LearnedMap(tf_keras.layers.Layer):  # type: ignore[misc]
    """Factors [N, 1, 1, C] → a learned map [height, width, C] times them: [N, height, width, C].

    What a style-based generator begins with (Karras 2019, section 2).
    """

    use_bias, bias = False, None

    def __init__(self, height: int, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.height, self.width = height, width

    def build(self, input_shape: Any) -> None:
        """One value a channel and place."""
        shape = [self.height, self.width, input_shape[-1]]
        start = tf_keras.initializers.RandomNormal(stddev=1.0)
        self.kernel = self.add_weight("kernel", shape, initializer=start)
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Multiply."""
        return self.kernel * inputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The map's."""
        return (input_shape[0], self.height, self.width, input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "height": self.height, "width": self.width}


@tf_keras.utils.register_keras_serializable("pocketgan")
class InverseRoot(tf_keras.layers.Layer):  # type: ignore[misc]
    """x → 1/√max(x, least).

    ``bare``, of the int8 form: no maximum at inference. What is less then gives the end of the
    output's range, 0 too, as TFLite's kernel does.
    """

    def __init__(self, least: float, *, bare: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.least, self.bare = least, bare

    def call(self, inputs: Any, training: Any = None) -> Any:
        """The root's inverse."""
        if training or not self.bare:
            inputs = tf.maximum(inputs, self.least)
        return tf.math.rsqrt(inputs)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "least": self.least, "bare": self.bare}


@tf_keras.utils.register_keras_serializable("pocketgan")
class Truncation(tf_keras.layers.Layer):  # type: ignore[misc]
    """[N, C] → mean + share·(x − mean) at inference, the mean followed while training, when x stays
    as it is (Karras 2019, appendix B): less variety, fewer failures.

    Behind a Dense layer it is folded into that one's kernel (``compression.fold``).
    """

    def __init__(self, share: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.share = share

    def build(self, input_shape: Any) -> None:
        """The mean of each channel."""
        self.mean = self.add_weight("mean", [input_shape[-1]], initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Follow the mean, or draw nearer to it."""
        if not training:
            return self.mean + self.share * (inputs - self.mean)
        moved = (1 - TRUNCATION_MOMENTUM) * (tf.reduce_mean(inputs, axis=0) - self.mean)
        self.mean.assign_add(moved)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "share": self.share}


def on_map(factors: Any, name: str) -> Any:
    """[N, C] → [N, 1, 1, C], to multiply the channels of a map, or to be added to them."""
    return tf_keras.layers.Reshape([1, 1, factors.shape[-1]], name=f"{name}_map")(factors)
