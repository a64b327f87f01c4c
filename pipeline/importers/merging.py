"""A rebuilt generator with fewer kinds of layers: what the layers beside can compute goes.

Nothing that is drawn changes. A number that is the same for all pictures rescales what it is
multiplied with or added to; cropping behind a transposed convolution is its padding 'same'; a
difference is a sum, as of a denoiser that draws what it read less the noise that it found; the
parts of the one input that our adapter takes apart for a generator of two are rows of the kernels
that read them, or channels that one kernel joins; what rescales maps between layers is a batch
norm, and one behind no kernel is a depthwise convolution.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.fold import takes_factors
from pipeline.compression.graph import MAP_RANK, clone_layer, followers, nodes, rebuild, uses
from pipeline.importers.channel_merging import without_joining
from pipeline.importers.input_layers import SameForAll
from pipeline.importers.lone_norms import without_lone_norms
from pipeline.importers.part_merging import without_parts
from pipeline.importers.pixel_range import rescalings_at_ends
from pipeline.networks.layers import PixelScale

L = tf_keras.layers
_AS_IT_IS = {"scale": 1.0, "offset": 0.0}
_BY_NUMBER: Mapping[type, Callable[[float], dict[str, float]]] = {
    L.Multiply: lambda number: {"scale": number, "offset": 0.0},
    L.Add: lambda number: {"scale": 1.0, "offset": number},
    L.Subtract: lambda number: {"scale": 1.0, "offset": -number},
}
"""What a number beside a tensor comes to."""
_OF_ONE_VALUE = (L.Activation, L.ReLU, L.LeakyReLU, L.BatchNormalization)
"""Layers behind which may be cropped as well as before them."""


def merged(model: tf_keras.Model) -> tf_keras.Model:
    """The same generator, with the same weights in other places."""
    same = _without_cropping(_without_differences(_without_numbers(model)))
    joined = without_joining(without_parts(same))
    return without_lone_norms(_without_inner_rescalings(joined))


def _without_numbers(model: tf_keras.Model) -> tf_keras.Model:
    """What is added to or multiplied by a number that is the same for all is rescaled by it."""
    numbers = _numbers(model)
    rescaled = {
        layer.name: scaling
        for layer in model.layers
        if (scaling := _rescaling(model, layer, numbers)) is not None
    }
    if not rescaled:
        return model

    def replace(layer: Any) -> Any:
        if layer.name not in rescaled:
            return clone_layer(layer)
        index, settings = rescaled[layer.name]
        if settings == _AS_IT_IS:
            return lambda tensors: tensors[index]
        behind = L.Rescaling(**settings, name=layer.name)
        return lambda tensors: behind(tensors[index])

    without = rebuild(model, replace)
    for layer in without.layers:
        layer.set_weights(model.get_layer(layer.name).get_weights())
    return without


def _numbers(model: tf_keras.Model) -> dict[str, float]:
    """Layer that gives one number everywhere → that number."""
    numbers: dict[str, float] = {}
    for node in nodes(model):
        layer = node.layer
        if isinstance(layer, SameForAll) and len(layer.values) == 1:
            (numbers[layer.name],) = layer.values
        elif isinstance(layer, (L.Reshape, L.Flatten)):
            before = node.keras_inputs[0]._keras_history.layer.name
            if before in numbers:
                numbers[layer.name] = numbers[before]
    return numbers


def _rescaling(
    model: tf_keras.Model, layer: Any, numbers: Mapping[str, float]
) -> tuple[int, dict[str, float]] | None:
    """Which input of a sum or product is no number, and how that is rescaled; else None."""
    if type(layer) not in _BY_NUMBER or uses(model, layer) > 1:
        return None
    (node,) = layer.inbound_nodes
    names = [tensor._keras_history.layer.name for tensor in node.keras_inputs]
    computed = [index for index, name in enumerate(names) if name not in numbers]
    if len(names) != 2 or len(computed) != 1:
        return None
    (index,) = computed
    tensor, number = node.keras_inputs[index], numbers[names[1 - index]]
    is_difference_from = type(layer) is L.Subtract and index == 1
    if is_difference_from or tuple(tensor.shape) != tuple(layer.output_shape):
        return None
    return index, _BY_NUMBER[type(layer)](number)


def _without_inner_rescalings(model: tf_keras.Model) -> tf_keras.Model:
    """What rescales maps between layers, as residuals of EDSR and ESRGAN are, is a batch norm: one
    folds into the kernel before it, or has a kernel of its own."""
    ends = rescalings_at_ends(model)
    inner = {
        layer.name: layer
        for layer in model.layers
        if type(layer) is L.Rescaling
        and layer.name not in ends
        and len(layer.output_shape) in (2, MAP_RANK)
        and uses(model, layer) == 1
    }
    if not inner:
        return model

    def replace(layer: Any) -> Any:
        return L.BatchNormalization(name=layer.name) if layer.name in inner else clone_layer(layer)

    without = rebuild(model, replace)
    for layer in without.layers:
        source = model.get_layer(layer.name)
        weights = source.get_weights()
        if layer.name in inner:
            zeros = np.zeros(layer.output_shape[-1], np.float32)
            weights = [
                zeros + source.scale,
                zeros + source.offset,
                zeros,
                zeros + 1 - layer.epsilon,
            ]
        layer.set_weights(weights)
    return without


def _without_differences(model: tf_keras.Model) -> tf_keras.Model:
    """a − b is a + (−b), where the sign goes into the kernel that makes b."""
    differences = {layer.name for layer in model.layers if _has_negatable_end(model, layer)}
    if not differences:
        return model

    def replace(layer: Any) -> Any:
        if layer.name not in differences:
            return clone_layer(layer)
        negative = PixelScale(-1.0, name=f"{layer.name}_negative")
        total = L.Add(name=layer.name)
        return lambda tensors: total([tensors[0], negative(tensors[1])])

    without = rebuild(model, replace)
    without.set_weights(model.get_weights())
    return without


def _has_negatable_end(model: tf_keras.Model, layer: Any) -> bool:
    """Whether it subtracts what a linear layer makes for nobody else."""
    if type(layer) is not L.Subtract or uses(model, layer) > 1:
        return False
    (node,) = layer.inbound_nodes
    subtracted = node.keras_inputs[1]._keras_history.layer
    return uses(model, subtracted) == 1 and takes_factors(model, subtracted)


def _without_cropping(model: tf_keras.Model) -> tf_keras.Model:
    same: set[str] = set()
    cropping: set[str] = set()
    for layer in model.layers:
        crop = _cropping_behind(model, layer) if type(layer) is L.Conv2DTranspose else None
        if crop is not None:
            same.add(layer.name)
            cropping.add(crop.name)
    if not same:
        return model

    def replace(layer: Any) -> Any:
        if layer.name in cropping:
            return None
        return clone_layer(layer, **({"padding": "same"} if layer.name in same else {}))

    without = rebuild(model, replace)
    without.set_weights(model.get_weights())
    return without


def _cropping_behind(model: tf_keras.Model, layer: Any) -> Any | None:
    """The layer that crops a transposed convolution 'valid' to what 'same' gives; else None."""
    if layer.padding != "valid" or layer.output_padding is not None or uses(model, layer) > 1:
        return None
    behind = layer
    while True:
        readers = followers(model, behind)
        if len(readers) != 1 or uses(model, readers[0]) > 1:
            return None
        (behind,) = readers
        if not isinstance(behind, _OF_ONE_VALUE):
            break
    excess = [kernel - step for kernel, step in zip(layer.kernel_size, layer.strides, strict=True)]
    wanted = tuple((each // 2, each - each // 2) for each in excess)
    is_same = isinstance(behind, L.Cropping2D) and behind.cropping == wanted
    return behind if is_same and min(excess) >= 0 and set(layer.dilation_rate) == {1} else None
