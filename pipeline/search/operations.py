"""The operations that a generator's int8 file will hold, derived from the model alone."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.graph import followers, nodes, sources
from pipeline.compression.int8_layers import FULL_BITS, KERNEL_LAYERS, KernelConfig, config_for
from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    Part,
    PixelSum,
    ReflectionPadding2D,
)
from pipeline.tflite.count import Shape, macs

L = tf_keras.layers

_NAMES: dict[type, str] = {
    L.Dense: "FULLY_CONNECTED",
    L.Conv2D: "CONV_2D",
    L.DepthwiseConv2D: "DEPTHWISE_CONV_2D",
    L.Conv2DTranspose: "TRANSPOSE_CONV",
    L.Reshape: "RESHAPE",
    L.Flatten: "RESHAPE",
    L.UpSampling2D: "RESIZE_NEAREST_NEIGHBOR",
    L.ZeroPadding2D: "PAD",
    L.Cropping2D: "STRIDED_SLICE",
    Part: "STRIDED_SLICE",
    ReflectionPadding2D: "MIRROR_PAD",
    DepthToSpace: "DEPTH_TO_SPACE",
    L.LeakyReLU: "LEAKY_RELU",
    L.ReLU: "RELU",
    L.Add: "ADD",
    PixelSum: "ADD",
    L.Multiply: "MUL",
    LearnedMap: "MUL",
    InverseRoot: "RSQRT",
    L.Concatenate: "CONCATENATION",
}
_FUNCTIONS = {"relu": "RELU", "tanh": "TANH", "sigmoid": "LOGISTIC"}


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation; shapes are those of the file, with a batch of 1."""

    op: str
    """TFLite's name of it."""
    layer: str
    inputs: tuple[Shape, ...]
    """Of what the network computes; kernels and other constants are not among them."""
    output: Shape
    kernel: Shape = ()
    """Empty where there is none."""
    biases: int = 0
    ranges: int = 0
    """Scales of the kernel: one, or one for each output channel."""
    weights: np.ndarray | None = field(default=None, repr=False, compare=False)
    """The kernel's float values, batch norm folded into them."""

    @property
    def moved(self) -> int:
        """Values read and written, weights not among them."""
        return sum(math.prod(shape) for shape in (*self.inputs, self.output))

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run (see ``pipeline.tflite.count.macs``)."""
        if not self.kernel:
            return 0
        inputs = [self.inputs[0], self.kernel]
        if self.op == "TRANSPOSE_CONV":
            inputs = [self.output, self.kernel, self.inputs[0]]
        return macs(self.op, inputs, [self.output])


def operations(
    model: tf_keras.Model, bits: Mapping[str, int] = MappingProxyType({})
) -> list[Operation]:
    """The operations of the fake-quantized model's file, in order; batch norm is folded.

    ``bits`` of the kernels of single layers decide on their ranges; 8 where none are given.
    The converter may swap neighbours that commute, such as tanh and depth to space. Raises
    PocketganError where a layer has no int8 form (see pipeline/compression/int8_layers.py).
    """
    return list(_operations(fold_batch_norm(model), bits))


def _operations(folded: tf_keras.Model, bits: Mapping[str, int]) -> Iterator[Operation]:
    configs = {
        layer.name: config_for(folded, layer, bits.get(layer.name, FULL_BITS))
        for layer in folded.layers
        if not isinstance(layer, L.InputLayer)
    }
    for node in nodes(folded):
        layer = node.layer
        before = [configs.get(source.name) for source in sources(folded, layer)]
        fused = any(config is not None and config.fused for config in before)
        # The operation before it computes the layer, or the one behind it reads it as it is.
        if node.is_input or fused or _only_lies_on_maps(folded, layer):
            continue
        config, kernel = configs[layer.name], _kernel(layer)
        shape = () if kernel is None else kernel.shape
        per_channel = isinstance(config, KernelConfig) and config.per_axis
        yield Operation(
            op=_name(layer),
            layer=layer.name,
            inputs=tuple(_shape(tensor) for tensor in node.keras_inputs),
            output=_shape(node.outputs),
            kernel=shape,
            biases=layer.bias.shape[0] if kernel is not None and layer.use_bias else 0,
            ranges=shape[0] if per_channel else min(len(shape), 1),
            weights=kernel,
        )


def _only_lies_on_maps(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> bool:
    """Whether it makes vectors [1, C] factors or summands of maps: for one picture TFLite needs
    no operation for that.
    """
    on_map = isinstance(layer, L.Reshape) and tuple(layer.output_shape[1:-1]) == (1, 1)
    return on_map and all(isinstance(one, (L.Multiply, L.Add)) for one in followers(model, layer))


def _name(layer: tf_keras.layers.Layer) -> str:
    if isinstance(layer, L.Activation):
        return _FUNCTIONS[layer.activation.__name__]
    return _NAMES[type(layer)]


def _kernel(layer: tf_keras.layers.Layer) -> np.ndarray | None:
    """The kernel as TFLite stores it: output channels first, a depthwise one [1, H, W, C]."""
    if not isinstance(layer, KERNEL_LAYERS):
        return None
    kernel: np.ndarray = layer.get_weights()[0]
    if isinstance(layer, L.DepthwiseConv2D):
        return kernel.reshape(1, *kernel.shape[:2], -1)
    return np.moveaxis(kernel, 2 if isinstance(layer, L.Conv2DTranspose) else -1, 0)


def _shape(tensor: Any) -> Shape:
    return (1, *tensor.shape[1:])
