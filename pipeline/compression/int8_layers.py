"""Which layers can be int8, and how each is rounded while it is trained: a table with its configs.

TF-MOT's stock table lacks three things that generators need: Conv2DTranspose kernels that keep
their pruned zeros, outputs of tanh and sigmoid in the ranges that TFLite demands, and ReLU that
stays fused to the layer before it.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.graph import followers, uses
from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    Part,
    PixelSum,
    ReflectionPadding2D,
)

L = tf_keras.layers
_quantizers = tfmot.quantization.keras.quantizers

FULL_BITS = 8
"""Bits of a weight that may have every level of the file's int8."""
INT8_LEVELS = 127
"""Levels of an int8 weight on either side of zero: the range is symmetric."""
# The least range of a channel, as a share of its layer's widest. What such a channel adds is less
# than a step of the layer's output.
_SMALLEST_CHANNEL = 1e-4

# Output ranges that TFLite's int8 kernels demand: scale 1/128 and 1/256.
_FIXED_RANGES = {"tanh": (-1.0, 127 / 128), "sigmoid": (0.0, 255 / 256)}
# Beyond these inputs the outputs above round to their last level, so a wider range of the input
# would only make its steps coarser. The last level starts at atanh(1 - 1/256) = 3.12.
_SATURATION = {"tanh": 3.3, "sigmoid": 6.6}
_UNUSUAL = 16
"""So many times larger or smaller than usual is a kernel that is trained in a unit of its own."""
_FUNCTIONS = ("relu", *_FIXED_RANGES)


def levels(bits: float) -> int:
    """Levels on either side of zero of a weight with ``bits`` (2 to 8) bits: 7 for 4, 10 for 4.46.

    With bits that are no whole number there are as many levels as one likes: 2ᵇ − 1 altogether.
    """
    return round(2 ** (bits - 1)) - 1


class MaskedWeights(tfmot.quantization.keras.quantizers.LastValueQuantizer):  # type: ignore[misc]
    """Symmetric weights of 2ᵇ − 1 levels in which a zero of the pruned kernel stays a zero.

    The mask is part of the model: a masked weight gets no gradient, and a symmetric range maps 0
    to 0, so that the zeros can be counted again in the file.

    The file stores int8 whatever ``bits`` (2 to 8) says: level n is the number n, so that a kernel
    of 4 bits holds −7..7. The range says so to the converter: it is ±127 steps, of which the
    outer levels stay unused.
    """

    def __init__(self, *, per_axis: bool, bits: float = FULL_BITS, unit: float = 1.0) -> None:
        super().__init__(num_bits=8, per_axis=per_axis, symmetric=True, narrow_range=True)
        self.bits = bits
        self.unit = unit
        """The kernel is this times its variable: Adam's steps are then as long as elsewhere."""

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Range variables, and the mask float32 [kernel's shape], all ones at first."""
        mask = layer.add_weight(
            f"{name}_mask", shape=tensor_shape, initializer="ones", trainable=False
        )
        return {**super().build(tensor_shape, name, layer), "mask": mask}

    def __call__(self, inputs: Any, training: Any, weights: dict[str, Any], **kwargs: Any) -> Any:
        """The kernel, masked and rounded to its levels. While training, 8 bits follow its range.

        Fewer keep the range they began with, and weights beyond it are cut: were few levels spread
        over a range that grows, one large weight would turn most of the others into zeros.
        """
        kernel = self.within(inputs, weights)
        low, high = weights["min_var"], weights["max_var"]
        if training and self.bits == FULL_BITS:
            low, high = self._follow(kernel, weights)
        per_channel = tf.quantization.fake_quant_with_min_max_vars_per_channel
        per_tensor = tf.quantization.fake_quant_with_min_max_vars
        return (per_channel if self.per_axis else per_tensor)(kernel, low, high, narrow_range=True)

    def within(self, kernel: Any, weights: dict[str, Any]) -> Any:
        """The kernel, masked, and with fewer than 8 bits cut to its range, but not rounded."""
        masked = self._effective(kernel) * weights["mask"]
        if self.bits == FULL_BITS:
            return masked
        outermost = weights["max_var"] * (levels(self.bits) / INT8_LEVELS)
        return tf.clip_by_value(masked, -outermost, outermost)

    def start(self, kernel: Any, weights: dict[str, Any]) -> None:
        """Put the kernel as it is into its unit; set the mask and the first range from it."""
        if self.unit != 1:
            kernel.assign(kernel / self.unit)
        weights["mask"].assign(tf.cast(kernel != 0, tf.float32))
        self._follow(self._effective(kernel), weights)

    def _effective(self, kernel: Any) -> Any:
        return kernel if self.unit == 1 else kernel * self.unit

    def _follow(self, kernel: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
        limit = self._limit(kernel) * (INT8_LEVELS / levels(self.bits))
        return weights["min_var"].assign(-limit), weights["max_var"].assign(limit)

    def _limit(self, kernel: Any) -> Any:
        axes = range(len(kernel.shape) - 1) if self.per_axis else range(len(kernel.shape))
        limit = tf.reduce_max(tf.abs(kernel), list(axes))
        largest = tf.reduce_max(limit)
        # A pruned channel may be all zeros. A bias is counted in steps of the kernel's scale times
        # the input's, so that a scale near 0 would put it beyond int32.
        return tf.maximum(limit, tf.where(largest > 0, largest * _SMALLEST_CHANNEL, 1.0))

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {"per_axis": self.per_axis, "bits": self.bits, "unit": self.unit}


def _followed_range() -> list[Any]:
    return [
        _quantizers.MovingAverageQuantizer(8, per_axis=False, symmetric=False, narrow_range=False)
    ]


def _fixed_range(low: float, high: float) -> list[Any]:
    return [_quantizers.FixedQuantizer(8, low, high, narrow_range=False)]


class _Config(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """Base of the configurations below: nothing is quantized."""

    fused = False
    """Whether a layer is computed at once with the ReLU behind it, whose output is quantized."""

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def get_activations_and_quantizers(self, layer: Any) -> list[Any]:
        return []

    def set_quantize_weights(self, layer: Any, quantize_weights: Sequence[Any]) -> None:
        pass

    def set_quantize_activations(self, layer: Any, quantize_activations: Sequence[Any]) -> None:
        pass

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return []

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))


class InputRangeConfig(_Config):
    """For layers whose output is quantized as their input is: those that only move numbers.

    Leaky ReLU too: with one scale on both sides its positive half is exact, where XNNPACK would
    round the ratio of two scales to 8 bits and be a step off in every twentieth value.
    """


class OutputConfig(_Config):
    """For activations: the output is quantized in a range that is followed while training."""

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return _followed_range()


class FixedOutputConfig(_Config):
    """For tanh and sigmoid the one range that TFLite accepts; for a sum of pixels theirs."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return _fixed_range(self.low, self.high)


class MergeConfig(_Config):
    """For sums and products: the output is quantized in a range that is followed while training.

    Not if ``fused``, where a ReLU follows: the converter computes both at once, whatever lies
    between them, and so the output of the ReLU is what is quantized.
    """

    def __init__(self, *, fused: bool) -> None:
        self.fused = fused

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [] if self.fused else _followed_range()


class KernelConfig(_Config):
    """For layers with a kernel; ``fused`` where a ReLU follows, whose output is quantized instead.

    The converter fuses a ReLU only where there is a bias.

    Conv2D kernels of 8 bits get a range for each output channel. The others get one for the whole
    kernel: for a generator's first Dense layer of 6,272 outputs a range each adds 150 kB to a file
    of 560 kB, and behind Conv2DTranspose the converter does not recognise them. Where fewer bits
    are asked for, bytes count: a range costs a compressed file 13 of them, twenty weights' worth.
    """

    def __init__(
        self,
        *,
        fused: bool,
        attribute: str,
        per_axis: bool,
        saturation: float | None,
        bits: float = FULL_BITS,
        unit: float = 1.0,
    ) -> None:
        self.fused, self.attribute, self.per_axis = fused, attribute, per_axis
        self.saturation, self.bits, self.unit = saturation, bits, unit

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        quantizer = MaskedWeights(per_axis=self.per_axis, bits=self.bits, unit=self.unit)
        return [(getattr(layer, self.attribute), quantizer)]

    def set_quantize_weights(self, layer: Any, quantize_weights: Sequence[Any]) -> None:
        setattr(layer, self.attribute, quantize_weights[0])

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        if self.fused:
            return []
        if self.saturation:
            return _fixed_range(-self.saturation, self.saturation)
        return _followed_range()


INT8_LAYERS: dict[Any, type[_Config]] = {
    L.Dense: KernelConfig,
    L.Conv2D: KernelConfig,
    L.Conv2DTranspose: KernelConfig,
    L.DepthwiseConv2D: KernelConfig,
    LearnedMap: KernelConfig,
    L.Reshape: InputRangeConfig,
    L.Flatten: InputRangeConfig,
    L.UpSampling2D: InputRangeConfig,
    L.ZeroPadding2D: InputRangeConfig,
    L.Cropping2D: InputRangeConfig,
    Part: InputRangeConfig,
    ReflectionPadding2D: InputRangeConfig,
    DepthToSpace: InputRangeConfig,
    L.LeakyReLU: InputRangeConfig,
    L.Activation: OutputConfig,  # of relu; of tanh and sigmoid FixedOutputConfig
    L.ReLU: OutputConfig,
    L.Add: MergeConfig,  # of a PixelSum FixedOutputConfig
    L.Multiply: MergeConfig,  # of two maps, or of a map and a factor for each of its channels
    InverseRoot: OutputConfig,
    L.Concatenate: OutputConfig,
}
"""Every layer that has an int8 form (batch norm is folded before) → how it is rounded."""
KERNEL_LAYERS = tuple(kind for kind, config in INT8_LAYERS.items() if config is KernelConfig)
_SUPPORTED = (
    "Use Dense, Conv2D, DepthwiseConv2D, Conv2DTranspose, batch norm right behind one of these, "
    "ReLU, LeakyReLU, tanh, sigmoid, Add, Multiply, Concatenate, Reshape, Flatten, UpSampling2D, "
    "ZeroPadding2D, Cropping2D or DepthToSpace."
)


def config_for(
    model: tf_keras.Model, layer: tf_keras.layers.Layer, bits: float = FULL_BITS
) -> _Config:
    """How the layer of a folded model is quantized; PocketganError where it cannot be.

    ``bits`` are those of its kernel's weights, if it has a kernel.
    """
    config = next((config for kind, config in INT8_LAYERS.items() if isinstance(layer, kind)), None)
    if config is None:
        raise PocketganError(f"{_described(layer)} has no int8 form here.", _SUPPORTED)
    _refuse_settings(model, layer)
    if config is KernelConfig:
        return _kernel_config(model, layer, bits)
    if isinstance(layer, PixelSum):
        return FixedOutputConfig(layer.low, layer.high)
    if config is MergeConfig:
        return MergeConfig(fused=_relu_only(followers(model, layer)))
    fixed = _FIXED_RANGES.get(_function(layer))
    return FixedOutputConfig(*fixed) if fixed else config()


def refusals(folded: tf_keras.Model) -> dict[str, PocketganError]:
    """Name of each layer of a folded model that cannot be quantized → why."""
    errors = {}
    for layer in folded.layers:
        if isinstance(layer, L.InputLayer):
            continue
        try:
            config_for(folded, layer)
        except PocketganError as error:
            errors[layer.name] = error
    return errors


def _kernel_config(
    model: tf_keras.Model, layer: tf_keras.layers.Layer, bits: float
) -> KernelConfig:
    readers = followers(model, layer)
    depthwise = isinstance(layer, L.DepthwiseConv2D)
    return KernelConfig(
        fused=layer.use_bias and _relu_only(readers),
        attribute="depthwise_kernel" if depthwise else "kernel",
        per_axis=type(layer) is L.Conv2D and bits == FULL_BITS,
        saturation=_SATURATION.get(_function(readers[0])) if len(readers) == 1 else None,
        bits=bits,
        unit=_unit(layer),
    )


def _unit(layer: tf_keras.layers.Layer) -> float:
    """A power of two for kernels far from the size of those that networks begin with, else 1.

    Such are next to pixels in 0..255, where a rate that suits the others would undo all training.
    """
    if not layer.built:
        return 1.0
    kernel = layer.get_weights()[0]
    axes = 2 if isinstance(layer, L.DepthwiseConv2D) else kernel.ndim - 1
    usual = math.sqrt(2 / math.prod(kernel.shape[:axes]))
    ratio = float(np.sqrt(np.mean(np.square(kernel, dtype=np.float64)))) / usual
    return 1.0 if not ratio or 1 / _UNUSUAL < ratio < _UNUSUAL else 2.0 ** round(math.log2(ratio))


def _refuse_settings(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> None:
    """PocketganError for a layer of the table whose settings or uses have no int8 form."""
    described = _described(layer)
    inside = getattr(layer, "activation", tf_keras.activations.linear)
    if isinstance(layer, L.Activation) and _function(layer) not in _FUNCTIONS:
        raise PocketganError(
            f"{described} computes {_called(inside)}, without int8 form.", _SUPPORTED
        )
    if isinstance(layer, KERNEL_LAYERS) and _called(inside) not in ("linear", "relu"):
        raise PocketganError(
            f"{described} has the activation {_called(inside)} inside.",
            "Give the activation a layer of its own.",
        )
    if isinstance(layer, L.ReLU) and not _is_relu(layer):
        raise PocketganError(
            f"{described} has a slope, a threshold or a largest value that TFLite does not know.",
            "Use ReLU without settings, ReLU(6) or LeakyReLU.",
        )
    if isinstance(layer, L.Conv2DTranspose) and set(layer.dilation_rate) != {1}:
        raise PocketganError(
            f"{described} is dilated, and TFLite has no such transposed convolution.",
            "Use a larger kernel, or dilate a Conv2D behind it.",
        )
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise PocketganError(
            f"{described} interpolates, and TFLite rounds that otherwise than training does.",
            "Set interpolation to 'nearest'.",
        )
    if uses(model, layer) > 1:
        raise PocketganError(
            f"{described} is used {uses(model, layer)} times, in ranges that may differ.",
            "Give each use a layer of its own.",
        )


def _described(layer: tf_keras.layers.Layer) -> str:
    return f"layer '{layer.name}' ({type(layer).__name__})"


def _called(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _function(layer: tf_keras.layers.Layer) -> str:
    """Name of the function, of an Activation layer only."""
    return _called(layer.activation) if isinstance(layer, L.Activation) else ""


def _relu_only(readers: Sequence[tf_keras.layers.Layer]) -> bool:
    """Whether one layer reads something, and is a ReLU that TFLite can do with what gives it."""
    return len(readers) == 1 and _is_relu(readers[0])


def _is_relu(layer: tf_keras.layers.Layer) -> bool:
    """Whether a layer computes what TFLite can do within the operation before it."""
    if not isinstance(layer, L.ReLU):
        return _function(layer) == "relu"
    return not layer.negative_slope and not layer.threshold and layer.max_value in (None, 6)
