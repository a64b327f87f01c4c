"""Batch norms that stand behind no kernel, computed by a kernel of their own.

Behind an activation, a sum, or before a convolution a batch norm folds into nothing, and has no
int8 form; a depthwise convolution of one pixel computes the same, and has one.
"""

from dataclasses import replace
from typing import Any

import tf_keras

from pipeline.compression.fold import foldable_norms, statistics_of
from pipeline.compression.graph import MAP_RANK, Call, clone_layer, rebuild, uses
from pipeline.importers.layer_mapping import SourceLayer

L = tf_keras.layers
NOTE = "computed as a depthwise convolution of one pixel, as it stands behind no kernel"


def without_lone_norms(model: tf_keras.Model) -> tf_keras.Model:
    """The same generator; such a convolution has the name of its batch norm."""
    folded = {norm.name for norm in foldable_norms(model).values()}
    lone = {
        layer.name: layer
        for layer in model.layers
        if isinstance(layer, L.BatchNormalization)
        and layer.name not in folded
        and _acts_on_channels_of_maps(model, layer)
    }
    if not lone:
        return model
    without = rebuild(
        model, lambda layer: _scaled(layer) if layer.name in lone else clone_layer(layer)
    )
    for layer in model.layers:
        weights = layer.get_weights()
        if layer.name in lone:
            mean, scale, beta = statistics_of(layer)
            weights = [scale.reshape(1, 1, -1, 1), beta - mean * scale]
        without.get_layer(layer.name).set_weights(weights)
    return without


def noted(source: SourceLayer, model: tf_keras.Model) -> SourceLayer:
    """A layer of the file, with a word where ``model`` computes a batch norm, or a factor, so."""
    became = [each for each in model.layers if each.name in source.became]
    by_kernel = any(isinstance(each, L.DepthwiseConv2D) for each in became)
    is_kernel = "Conv" in source.type
    return replace(source, note=NOTE) if by_kernel and not is_kernel else source


def _acts_on_channels_of_maps(model: tf_keras.Model, norm: Any) -> bool:
    """Of a vector too, which is a map of one pixel."""
    rank = len(norm.input_shape)
    return rank in (2, MAP_RANK) and list(norm.axis) == [rank - 1] and uses(model, norm) == 1


def _scaled(norm: Any) -> Call:
    size = norm.input_shape[-1]
    # A depthwise one of one channel, between others, aborts TensorFlow's training (oneDNN).
    scaled: Call = (
        L.Conv2D(1, 1, name=norm.name) if size == 1 else L.DepthwiseConv2D(1, name=norm.name)
    )
    if len(norm.input_shape) == MAP_RANK:
        return scaled
    pixel = L.Reshape((1, 1, size), name=f"{norm.name}_pixel")
    vector = L.Reshape((size,), name=f"{norm.name}_vector")
    return lambda tensor: vector(scaled(pixel(tensor)))
