"""Fake quantization of a generator: a TF-MOT scheme that covers every layer this project uses.

The stock scheme lacks three things that generators need: Conv2DTranspose kernels that keep their
pruned zeros, outputs of tanh and sigmoid in the ranges that TFLite demands, and ReLU that stays
fused to the layer before it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import (
    QuantizeLayer,
)

from deploy.errors import PocketganError
from pipeline.compression.graph import clone_layer, followers, rebuild, sources, uses
from pipeline.networks.layers import DepthToSpace

_quantizers = tfmot.quantization.keras.quantizers
_PREFIX = "quant_"

FULL_BITS = 8
"""Bits of a weight that may have every level of the file's int8."""
_INT8_LEVELS = 127  # On either side of zero: the range is symmetric.

KERNEL_LAYERS = (
    tf_keras.layers.Dense,
    tf_keras.layers.Conv2D,
    tf_keras.layers.Conv2DTranspose,
    tf_keras.layers.DepthwiseConv2D,
)
# All but the last only move numbers: TFLite wants their output quantized as their input is.
INPUT_RANGE_LAYERS = (
    tf_keras.layers.Reshape,
    tf_keras.layers.Flatten,
    tf_keras.layers.UpSampling2D,
    tf_keras.layers.ZeroPadding2D,
    DepthToSpace,
    tf_keras.layers.LeakyReLU,
)
_OUTPUT_LAYERS = (tf_keras.layers.Activation, tf_keras.layers.ReLU, tf_keras.layers.Add)
_FUNCTIONS = ("relu", "tanh", "sigmoid")
_SUPPORTED = (
    "Use Dense, Conv2D, DepthwiseConv2D, Conv2DTranspose, batch norm right behind one of these, "
    "ReLU, LeakyReLU, tanh, sigmoid, Add, Reshape, Flatten, UpSampling2D, ZeroPadding2D or "
    "DepthToSpace."
)
# Output ranges that TFLite's int8 kernels demand: scale 1/128 and 1/256.
_FIXED_RANGES = {"tanh": (-1.0, 127 / 128), "sigmoid": (0.0, 255 / 256)}
# Beyond these inputs the outputs above round to their last level, so a wider range of the input
# would only make its steps coarser. The last level starts at atanh(1 - 1/256) = 3.12.
_SATURATION = {"tanh": 3.3, "sigmoid": 6.6}
# XNNPACK multiplies the negative side of a leaky ReLU by a whole number of 256ths
# (src/params-init.c, xnn_init_qs8_lrelu_*_params). Such slopes are exact in every runtime.
_SLOPE_STEPS = 256
# The least range of a channel, as a share of its layer's widest. What such a channel adds is less
# than a step of the layer's output.
_SMALLEST_CHANNEL = 1e-4


def levels(bits: float) -> int:
    """Levels on either side of zero of a weight with ``bits`` (2 to 8) bits: 7 for 4, 10 for 4.46.

    With bits that are no whole number there are as many levels as one likes: 2ᵇ − 1 altogether.
    """
    return round(2 ** (bits - 1)) - 1


class MaskedWeights(_quantizers.LastValueQuantizer):  # type: ignore[misc, name-defined]
    """Symmetric weights of 2ᵇ − 1 levels in which a zero of the pruned kernel stays a zero.

    The mask is part of the model: a masked weight gets no gradient, and a symmetric range maps 0
    to 0, so that the zeros can be counted again in the file.

    The file stores int8 whatever ``bits`` (2 to 8) says: level n is the number n, so that a kernel
    of 4 bits holds −7..7. The range says so to the converter: it is ±127 steps, of which the
    outer levels stay unused.
    """

    def __init__(self, per_axis: bool, bits: float = FULL_BITS) -> None:
        super().__init__(num_bits=8, per_axis=per_axis, symmetric=True, narrow_range=True)
        self.bits = bits

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
        masked = kernel * weights["mask"]
        if self.bits == FULL_BITS:
            return masked
        outermost = weights["max_var"] * (levels(self.bits) / _INT8_LEVELS)
        return tf.clip_by_value(masked, -outermost, outermost)

    def start(self, kernel: Any, weights: dict[str, Any]) -> None:
        """Set the mask and the first range from a kernel as it is."""
        weights["mask"].assign(tf.cast(kernel != 0, tf.float32))
        self._follow(kernel, weights)

    def _follow(self, kernel: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
        limit = self._limit(kernel) * (_INT8_LEVELS / levels(self.bits))
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
        return {"per_axis": self.per_axis, "bits": self.bits}


def _activations_quantizer() -> Any:
    return _quantizers.MovingAverageQuantizer(
        8, per_axis=False, symmetric=False, narrow_range=False
    )


class _Config(tfmot.quantization.keras.QuantizeConfig):  # type: ignore[misc]
    """Base of the configurations below: nothing is quantized."""

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
        return {}


class InputRangeConfig(_Config):
    """For layers whose output is quantized as their input is: those that only move numbers.

    Leaky ReLU too: with one scale on both sides its positive half is exact, where XNNPACK would
    round the ratio of two scales to 8 bits and be a step off in every twentieth value.
    """


class OutputConfig(_Config):
    """For activations: the output is quantized in a range that is followed while training."""

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [_activations_quantizer()]


class FixedOutputConfig(_Config):
    """For tanh and sigmoid: the output has the one range that TFLite accepts."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        return [_quantizers.FixedQuantizer(8, self.low, self.high, narrow_range=False)]

    def get_config(self) -> dict[str, Any]:
        return {"low": self.low, "high": self.high}


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
        fused: bool,
        attribute: str,
        per_axis: bool,
        saturation: float | None,
        bits: float = FULL_BITS,
    ) -> None:
        self.fused, self.attribute, self.per_axis = fused, attribute, per_axis
        self.saturation, self.bits = saturation, bits

    def get_weights_and_quantizers(self, layer: Any) -> list[Any]:
        return [(getattr(layer, self.attribute), MaskedWeights(self.per_axis, self.bits))]

    def set_quantize_weights(self, layer: Any, quantize_weights: Sequence[Any]) -> None:
        setattr(layer, self.attribute, quantize_weights[0])

    def get_output_quantizers(self, layer: Any) -> list[Any]:
        if self.fused:
            return []
        if self.saturation:
            return [_quantizers.FixedQuantizer(8, -self.saturation, self.saturation, False)]
        return [_activations_quantizer()]

    def get_config(self) -> dict[str, Any]:
        return {
            "fused": self.fused,
            "attribute": self.attribute,
            "per_axis": self.per_axis,
            "saturation": self.saturation,
            "bits": self.bits,
        }


class _Unchanged(tfmot.quantization.keras.QuantizeLayoutTransform):  # type: ignore[misc]
    def apply(self, model: Any, layer_quantize_map: Any) -> Any:
        return model, layer_quantize_map


class _Empty(tfmot.quantization.keras.QuantizeRegistry):  # type: ignore[misc]
    def supports(self, layer: Any) -> bool:
        return False

    def get_quantize_config(self, layer: Any) -> None:
        return None


class GeneratorScheme(tfmot.quantization.keras.QuantizeScheme):  # type: ignore[misc]
    """Every layer brings its configuration along, so there is no layout and no registry to ask."""

    def get_layout_transformer(self) -> Any:
        """The model stays as it is."""
        return _Unchanged()

    def get_quantize_registry(self) -> Any:
        """A registry that knows no layer."""
        return _Empty()


def quantize_scope() -> Any:
    """A context in which Keras can read models with this scheme's parts."""
    parts = (MaskedWeights, InputRangeConfig, OutputConfig, FixedOutputConfig, KernelConfig)
    return tfmot.quantization.keras.quantize_scope({part.__name__: part for part in parts})


def config_for(
    model: tf_keras.Model, layer: tf_keras.layers.Layer, bits: float = FULL_BITS
) -> _Config:
    """How the layer of a folded model is quantized; PocketganError where it cannot be.

    ``bits`` are those of its kernel's weights, if it has a kernel.
    """
    _refuse(model, layer)
    if isinstance(layer, KERNEL_LAYERS):
        reader, *others = followers(model, layer) or [layer]
        depthwise = isinstance(layer, tf_keras.layers.DepthwiseConv2D)
        return KernelConfig(
            fused=layer.use_bias and not others and _is_relu(reader),
            attribute="depthwise_kernel" if depthwise else "kernel",
            per_axis=type(layer) is tf_keras.layers.Conv2D and bits == FULL_BITS,
            saturation=None if others else _SATURATION.get(_function(reader)),
            bits=bits,
        )
    if isinstance(layer, INPUT_RANGE_LAYERS):
        return InputRangeConfig()
    fixed = _FIXED_RANGES.get(_function(layer))
    return FixedOutputConfig(*fixed) if fixed else OutputConfig()


def _refuse(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> None:
    supported = (*KERNEL_LAYERS, *INPUT_RANGE_LAYERS, *_OUTPUT_LAYERS)
    named = f"layer '{layer.name}' ({type(layer).__name__})"
    if not isinstance(layer, supported):
        raise PocketganError(f"{named} has no int8 form here.", _SUPPORTED)
    inside = getattr(layer, "activation", None)
    if isinstance(layer, tf_keras.layers.Activation) and _function(layer) not in _FUNCTIONS:
        raise PocketganError(f"{named} computes {_called(inside)}, without int8 form.", _SUPPORTED)
    if isinstance(layer, KERNEL_LAYERS) and _called(inside) not in ("linear", "relu"):
        raise PocketganError(
            f"{named} has the activation {_called(inside)} inside.",
            "Give the activation a layer of its own.",
        )
    if isinstance(layer, tf_keras.layers.ReLU) and not _is_relu(layer):
        raise PocketganError(
            f"{named} has a slope, a threshold or a largest value that TFLite does not know.",
            "Use ReLU without settings, ReLU(6) or LeakyReLU.",
        )
    if getattr(layer, "interpolation", "nearest") != "nearest":
        raise PocketganError(
            f"{named} interpolates, and TFLite rounds that otherwise than training does.",
            "Set interpolation to 'nearest'.",
        )
    if uses(model, layer) > 1:
        raise PocketganError(
            f"{named} is used {uses(model, layer)} times, in ranges that may differ.",
            "Give each use a layer of its own.",
        )


def _called(function: Any) -> str:
    return getattr(function, "__name__", type(function).__name__)


def _function(layer: tf_keras.layers.Layer) -> str:
    """Name of the function, of an Activation layer only."""
    return _called(layer.activation) if isinstance(layer, tf_keras.layers.Activation) else ""


def _is_relu(layer: tf_keras.layers.Layer) -> bool:
    """Whether a layer computes what TFLite can do within the operation before it."""
    if not isinstance(layer, tf_keras.layers.ReLU):
        return _function(layer) == "relu"
    return not layer.negative_slope and not layer.threshold and layer.max_value in (None, 6)


def quantization_aware(
    model: tf_keras.Model, latents: np.ndarray, bits: Mapping[str, float] | None = None
) -> tf_keras.Model:
    """A copy of a folded model that rounds weights and activations as int8 does.

    ``latents`` float32 [N, L] set the first ranges of the activations; the zeros that the kernels
    have now are held from now on. ``bits`` are those of a layer's weights by its name, 2 to 8, and
    8 where it says nothing: 2ᵇ − 1 levels, as many on either side of zero. ``round_biases`` gives
    biases as many; activations keep their 8.
    """
    bits = bits or {}
    clones = {layer.name: _clone(layer) for layer in model.layers}
    input_quantizer = _quantizers.AllValuesQuantizer(8, False, False, False)
    annotated = rebuild(
        model,
        lambda layer: tfmot.quantization.keras.quantize_annotate_layer(
            clones[layer.name], config_for(model, layer, bits.get(layer.name, FULL_BITS))
        ),
        on_input=QuantizeLayer(input_quantizer, name="quantize_latent"),
    )
    for layer in model.layers:
        clones[layer.name].set_weights(layer.get_weights())
    with quantize_scope():
        aware = tfmot.quantization.keras.quantize_apply(annotated, GeneratorScheme(), _PREFIX)
    _start_kernels(aware)
    _round_leaky_outputs(aware)
    _set_first_ranges(aware, model, latents)
    return aware


def _clone(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    if isinstance(layer, tf_keras.layers.LeakyReLU):
        return clone_layer(layer, alpha=round(float(layer.alpha) * _SLOPE_STEPS) / _SLOPE_STEPS)
    return clone_layer(layer)


def _start_kernels(aware: tf_keras.Model) -> None:
    """Set masks and ranges from the kernels as they are."""
    for wrapper in _wrappers(aware):
        for kernel, quantizer, variables in wrapper._weight_vars:
            quantizer.start(kernel, variables)


def _round_leaky_outputs(aware: tf_keras.Model) -> None:
    """Put rounding behind each leaky ReLU, in the range of its input: it does more than move."""
    for wrapper in _wrappers(aware):
        if isinstance(wrapper.layer, tf_keras.layers.LeakyReLU):
            wrapper._output_quantizers = [_Rounding(_ranges(aware, wrapper))]
            wrapper._output_quantizer_vars = None


class _Rounding:
    """A quantizer in a range that belongs, and moves, to another one."""

    def __init__(self, ranges: dict[str, Any]) -> None:
        self._ranges = ranges

    def __call__(self, inputs: Any, training: Any, weights: None) -> Any:
        low, high = self._ranges["min_var"], self._ranges["max_var"]
        return tf.quantization.fake_quant_with_min_max_vars(inputs, low, high)


def _set_first_ranges(aware: tf_keras.Model, model: tf_keras.Model, latents: np.ndarray) -> None:
    """Ranges of the float activations: TF-MOT's own start of ±6 takes thousands of steps to go."""
    _set_range(aware.get_layer("quantize_latent").quantizer_vars, latents)
    followed = {
        wrapper.layer.name: wrapper._output_quantizer_vars
        for wrapper in _wrappers(aware)
        if wrapper._output_quantizers and wrapper._output_quantizer_vars
    }
    taps = tf_keras.Model(model.inputs, {name: model.get_layer(name).output for name in followed})
    for name, values in taps(latents, training=False).items():
        _set_range(followed[name], values)


def _set_range(variables: dict[str, Any], values: Any) -> None:
    low, high = tf.minimum(tf.reduce_min(values), 0.0), tf.maximum(tf.reduce_max(values), 0.0)
    variables["min_var"].assign(low)
    variables["max_var"].assign(tf.where(high > low, high, 1.0))  # No runtime takes a scale of 0.


def _wrappers(aware: tf_keras.Model) -> list[Any]:
    wrapper = tfmot.quantization.keras.QuantizeWrapperV2
    return [layer for layer in aware.layers if isinstance(layer, wrapper)]


def round_biases(aware: tf_keras.Model) -> None:
    """Move each bias to the nearest value that the file can hold, as int32 times both scales.

    The converter rounds biases so; a model that is ahead of it draws what its file draws. Where the
    weights have fewer than 8 bits a bias has as many as they: a level is then a whole number of
    these steps.
    """
    for wrapper in _wrappers(aware):
        if not wrapper._weight_vars or wrapper.layer.bias is None:
            continue
        (_, _, kernel), *_ = wrapper._weight_vars
        (source,) = sources(aware, wrapper)
        read = _ranges(aware, source)
        step = (read["max_var"] - read["min_var"]) / 255 * kernel["max_var"] / _INT8_LEVELS
        bias = wrapper.layer.bias
        bits = wrapper.quantize_config.bits
        if bits < FULL_BITS:
            step *= tf.math.ceil(tf.reduce_max(tf.abs(bias)) / step / levels(bits))
        bias.assign(tf.round(bias / step) * step)


def unrounded(aware: tf_keras.Model, folded: tf_keras.Model) -> tf_keras.Model:
    """A copy of the folded model with the trained weights before their rounding.

    Kernels lie within their ranges, and what was pruned is 0.
    """
    plain = rebuild(folded, clone_layer)
    for wrapper in _wrappers(aware):
        if not wrapper._weight_vars:
            continue
        (kernel, quantizer, variables), *_ = wrapper._weight_vars
        layer = plain.get_layer(wrapper.layer.name)
        bias = [] if wrapper.layer.bias is None else [wrapper.layer.bias.numpy()]
        layer.set_weights([quantizer.within(kernel, variables).numpy(), *bias])
    return plain


def _ranges(aware: tf_keras.Model, layer: tf_keras.layers.Layer) -> dict[str, Any]:
    """The range of a layer's output: its own, or where it has none that of its input."""
    if isinstance(layer, QuantizeLayer):
        return dict(layer.quantizer_vars)
    quantizers = layer.quantize_config.get_output_quantizers(layer.layer)
    if not quantizers:
        (source,) = sources(aware, layer)
        return _ranges(aware, source)
    if isinstance(quantizers[0], _quantizers.FixedQuantizer):
        return {"min_var": quantizers[0].init_min, "max_var": quantizers[0].init_max}
    return dict(layer._output_quantizer_vars)
