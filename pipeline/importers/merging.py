"""A rebuilt generator with fewer kinds of layers: what the layers beside can compute goes.

Nothing that is drawn changes. A number that is the same for all pictures rescales what it is
multiplied with or added to; cropping behind a transposed convolution is its padding 'same'; the
parts of the one input that our adapter takes apart for a generator of two are rows of the kernels
that read them; an embedding of a one-hot class is a Dense layer; a difference is a sum, as of a
denoiser that draws what it read less the noise that it found.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.fold import takes_factors
from pipeline.compression.graph import clone_layer, followers, nodes, rebuild, sources, uses
from pipeline.importers.input_layers import Label, Part, SameForAll
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
    return _without_parts(_without_cropping(_without_differences(_without_numbers(model))))


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


def _without_parts(model: tf_keras.Model) -> tf_keras.Model:
    rows = _selections(model)
    if not rows:
        return model
    readers = {
        reader.name: rows[name]
        for name in rows
        for reader in followers(model, model.get_layer(name))
        if reader.name not in rows
    }

    def replace(layer: Any) -> Any:
        if layer.name in rows:  # a list where it concatenates parts of the one input
            return lambda tensors: tensors[0] if isinstance(tensors, list) else tensors
        return _lookup(layer) if isinstance(layer, L.Embedding) else clone_layer(layer)

    without = rebuild(model, replace)
    (size,) = model.input_shape[1:]
    for layer in without.layers:
        if layer.name not in {each.name for each in model.layers}:
            continue  # a Reshape behind an embedding
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in readers:
            weights[0] = _widened(weights[0], readers[layer.name], size)
        layer.set_weights(weights)
    return without


def _selections(model: tf_keras.Model) -> Mapping[str, np.ndarray]:
    """Layer that only selects of the one input → which of its entries; if kernels alone read it."""
    rows: dict[str, np.ndarray] = {}
    for layer in model.layers:
        before = sources(model, layer)
        if isinstance(layer, Part):
            rows[layer.name] = np.arange(layer.start, layer.start + layer.size)
        elif isinstance(layer, Label) and before[0].name in rows:
            rows[layer.name] = rows[before[0].name]
        elif isinstance(layer, L.Concatenate) and all(isinstance(each, Part) for each in before):
            # In the order of its inputs, which ``sources`` does not keep.
            (node,) = layer.inbound_nodes
            names = [tensor._keras_history.layer.name for tensor in node.keras_inputs]
            rows[layer.name] = np.concatenate([rows[name] for name in names])
    while True:
        apart = [name for name in rows if not _read_by_kernels(model, name, rows)]
        if not apart:
            return rows
        for name in apart:
            del rows[name]


def _read_by_kernels(model: tf_keras.Model, name: str, rows: Mapping[str, np.ndarray]) -> bool:
    layer = model.get_layer(name)
    if not isinstance(layer, Part) and any(each.name not in rows for each in sources(model, layer)):
        return False
    reader_type = L.Embedding if isinstance(layer, Label) else L.Dense
    return all(
        reader.name in rows or (type(reader) is reader_type and uses(model, reader) == 1)
        for reader in followers(model, layer)
    )


def _lookup(embedding: Any) -> Any:
    """An embedding as what computes the same of one-hot classes."""
    dense = L.Dense(embedding.output_dim, use_bias=False, name=embedding.name)
    if len(embedding.output_shape) == 2:
        return dense
    shape = embedding.output_shape[1:]
    return lambda one_hot: L.Reshape(shape, name=f"{embedding.name}_as_map")(dense(one_hot))


def _widened(kernel: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """A kernel [r, …] that reads the entries ``rows`` of a vector, as one [size, …] of it all."""
    wide = np.zeros([size, *kernel.shape[1:]], kernel.dtype)
    wide[rows] = kernel[: len(rows)]
    return wide
