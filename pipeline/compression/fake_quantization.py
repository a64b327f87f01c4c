"""Fake quantization: a folded generator is trained on with weights and activations rounded as int8.

TF-MOT does it, by the configurations of ``int8_layers``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_layer import (
    QuantizeLayer,
)

from pipeline.compression.graph import clone_layer, rebuild, sources
from pipeline.compression.int8_layers import (
    FULL_BITS,
    INT8_LEVELS,
    FixedOutputConfig,
    InputRangeConfig,
    KernelConfig,
    MaskedWeights,
    MergeConfig,
    OutputConfig,
    config_for,
    levels,
)
from pipeline.graphs import as_it_stands
from pipeline.networks.layers import InverseRoot

_quantizers = tfmot.quantization.keras.quantizers
_Wrapper = tfmot.quantization.keras.QuantizeWrapperV2
_PREFIX = "quant_"

# XNNPACK multiplies the negative side of a leaky ReLU by a whole number of 256ths
# (src/params-init.c, xnn_init_qs8_lrelu_*_params). Such slopes are exact in every runtime.
_SLOPE_STEPS = 256


class _Scheme(tfmot.quantization.keras.QuantizeScheme):  # type: ignore[misc]
    """Every layer brings its configuration along: a layout that stays, a registry of no layer."""

    def get_layout_transformer(self) -> Any:
        return self

    def apply(self, model: Any, layer_quantize_map: Any) -> Any:
        return model, layer_quantize_map

    def get_quantize_registry(self) -> Any:
        return self

    def supports(self, layer: Any) -> bool:
        return False


def quantize_scope() -> Any:
    """A context in which Keras can read models with this scheme's parts."""
    configs = (InputRangeConfig, OutputConfig, FixedOutputConfig, MergeConfig, KernelConfig)
    parts = (MaskedWeights, *configs)
    return tfmot.quantization.keras.quantize_scope({part.__name__: part for part in parts})


@as_it_stands
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
    input_quantizer = _quantizers.AllValuesQuantizer(
        8, per_axis=False, symmetric=False, narrow_range=False
    )
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
        aware = tfmot.quantization.keras.quantize_apply(annotated, _Scheme(), _PREFIX)
    for wrapper in wrappers(aware):
        for kernel, quantizer, variables in wrapper._weight_vars:
            quantizer.start(kernel, variables)
    _round_leaky_outputs(aware)
    _share_joined_ranges(aware)
    _set_first_ranges(aware, model, latents)
    return aware


def _clone(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    if isinstance(layer, tf_keras.layers.LeakyReLU):
        return clone_layer(layer, alpha=round(float(layer.alpha) * _SLOPE_STEPS) / _SLOPE_STEPS)
    if isinstance(layer, InverseRoot):
        return clone_layer(layer, bare=True)
    return clone_layer(layer)


def _round_leaky_outputs(aware: tf_keras.Model) -> None:
    """Put rounding behind each leaky ReLU, in the range of its input: it does more than move."""
    for wrapper in wrappers(aware):
        if isinstance(wrapper.layer, tf_keras.layers.LeakyReLU):
            wrapper._output_quantizers = [_Rounding(output_range(aware, wrapper))]
            wrapper._output_quantizer_vars = None


def _share_joined_ranges(aware: tf_keras.Model) -> None:
    """Give all that a Concatenate joins the range of what it gives: the converter does so.

    Where one is joined into another, the range of the last counts for both.
    """
    for wrapper in reversed(wrappers(aware)):
        if isinstance(wrapper.layer, tf_keras.layers.Concatenate):
            for source in sources(aware, wrapper):
                owner = _range_owner(aware, source)
                if isinstance(owner, _Wrapper) and _follows(owner):
                    owner._output_quantizer_vars = wrapper._output_quantizer_vars
                    owner._output_quantizers = [_Rounding(wrapper._output_quantizer_vars)]


def _range_owner(aware: tf_keras.Model, layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    """The layer that sets the range of a layer's output: itself, or one before it."""
    while isinstance(layer, _Wrapper) and not layer.quantize_config.get_output_quantizers(
        layer.layer
    ):
        (layer,) = sources(aware, layer)
    return layer


def _follows(wrapper: Any) -> bool:
    """Whether the range of its output is followed while training, and its own."""
    (quantizer,) = wrapper._output_quantizers
    return isinstance(quantizer, _quantizers.MovingAverageQuantizer)


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
        for wrapper in wrappers(aware)
        if wrapper._output_quantizers and wrapper._output_quantizer_vars and _follows(wrapper)
    }
    taps = tf_keras.Model(model.inputs, {name: model.get_layer(name).output for name in followed})
    for name, values in taps(latents, training=False).items():
        _set_range(followed[name], values)


def _set_range(variables: dict[str, Any], values: Any) -> None:
    low, high = tf.minimum(tf.reduce_min(values), 0.0), tf.maximum(tf.reduce_max(values), 0.0)
    variables["min_var"].assign(low)
    variables["max_var"].assign(tf.where(high > low, high, 1.0))  # No runtime takes a scale of 0.


def wrappers(aware: tf_keras.Model) -> list[Any]:
    return [layer for layer in aware.layers if isinstance(layer, _Wrapper)]


def round_biases(aware: tf_keras.Model) -> None:
    """Move each bias to the nearest value that the file can hold, as int32 times both scales.

    The converter rounds biases so; a model that is ahead of it draws what its file draws. Where the
    weights have fewer than 8 bits a bias has as many as they: a level is then a whole number of
    these steps.
    """
    for wrapper in wrappers(aware):
        if not wrapper._weight_vars or wrapper.layer.bias is None:
            continue
        (_, _, kernel), *_ = wrapper._weight_vars
        (source,) = sources(aware, wrapper)
        read = output_range(aware, source)
        step = (read["max_var"] - read["min_var"]) / 255 * kernel["max_var"] / INT8_LEVELS
        bias = wrapper.layer.bias
        bits = wrapper.quantize_config.bits
        if bits < FULL_BITS:
            needed = tf.math.ceil(tf.reduce_max(tf.abs(bias)) / step / levels(bits))
            step *= tf.maximum(needed, 1.0)  # 0 where all biases are
        bias.assign(tf.round(bias / step) * step)


def unrounded(aware: tf_keras.Model, folded: tf_keras.Model) -> tf_keras.Model:
    """A copy of the folded model with the trained weights before their rounding.

    Kernels lie within their ranges, and what was pruned is 0.
    """
    plain = rebuild(folded, clone_layer)
    for wrapper in wrappers(aware):
        if not wrapper._weight_vars:
            continue
        (kernel, quantizer, variables), *_ = wrapper._weight_vars
        layer = plain.get_layer(wrapper.layer.name)
        bias = [] if wrapper.layer.bias is None else [wrapper.layer.bias.numpy()]
        layer.set_weights([quantizer.within(kernel, variables).numpy(), *bias])
    return plain


def output_range(aware: tf_keras.Model, layer: tf_keras.layers.Layer) -> dict[str, Any]:
    """The range of a layer's output: its own, or where it has none that of its input."""
    owner = _range_owner(aware, layer)
    if isinstance(owner, QuantizeLayer):
        return dict(owner.quantizer_vars)
    (quantizer,) = owner._output_quantizers
    if isinstance(quantizer, _quantizers.FixedQuantizer):
        return {"min_var": quantizer.init_min, "max_var": quantizer.init_max}
    return dict(owner._output_quantizer_vars)
