"""The parts of a teacher's one input as rows of the kernels that read them.

Our adapter takes the one input apart for a generator of several. What only selects of it, looks up
a class, and joins such values is linear in it, so that a kernel behind can read the whole input.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.graph import Call, clone_layer, followers, nodes, rebuild, sources, uses
from pipeline.importers.input_layers import Label
from pipeline.networks.layers import Part

L = tf_keras.layers
_Form = np.ndarray
"""How a value follows from the one input: float64 [entries of the input, entries of the value]."""
_INPUT_AXIS: Mapping[type, int] = {L.Dense: 0, L.Conv2D: 2, L.Conv2DTranspose: 3}
"""Kernel → its axis of what it reads."""
_MOST_GROWTH = 1.1
"""By which a kernel may grow that looks classes up, too: a large embedding of few numbers stays."""


def without_parts(model: tf_keras.Model) -> tf_keras.Model:
    """The same generator, the parts of its one input among the kernels where that can be."""
    forms = _linear_forms(model)
    if not forms:
        return model
    (size,) = model.input_shape[1:]
    readers = {
        reader.name: forms[name]
        for name in forms
        for reader in followers(model, model.get_layer(name))
        if reader.name not in forms
    }

    def replace(layer: Any) -> Any:
        if layer.name in forms:  # a list where it concatenates parts of the one input
            return lambda tensors: tensors[0] if isinstance(tensors, list) else tensors
        if isinstance(layer, L.Embedding):
            return _lookup(layer)
        clone = clone_layer(layer)
        if layer.name in readers and not isinstance(layer, L.Dense):
            pixel = L.Reshape((1, 1, size), name=f"{layer.name}_pixel")
            return lambda tensor: clone(pixel(tensor))
        return clone

    without = rebuild(model, replace)
    names = {layer.name for layer in model.layers}
    for layer in without.layers:
        if layer.name not in names:
            continue  # a Reshape behind an embedding, or before a kernel that reads a map
        weights = model.get_layer(layer.name).get_weights()
        if layer.name in readers:
            weights[0] = _widened(weights[0], readers[layer.name], _INPUT_AXIS[type(layer)])
        layer.set_weights(weights)
    return without


def _linear_forms(model: tf_keras.Model) -> Mapping[str, _Form]:
    """Layer that only selects, looks up and joins of the one input, read by kernels alone."""
    forms: dict[str, _Form] = {}
    if len(model.input_shape) != 2:
        return forms
    for node in nodes(model):
        before = [] if node.is_input else [t._keras_history.layer for t in node.keras_inputs]
        form = _form(model, node.layer, before, forms)
        if form is not None and uses(model, node.layer) == 1:
            forms[node.layer.name] = form
    while True:
        apart = [name for name in forms if not _read_by_kernels(model, name, forms)]
        if not apart:
            return forms
        for name in apart:
            del forms[name]


def _form(
    model: tf_keras.Model, layer: Any, before: list[Any], forms: Mapping[str, _Form]
) -> _Form | None:
    """How the layer's values follow from the one input; None where they do not linearly."""
    if isinstance(layer, Part):
        return np.eye(model.input_shape[1])[:, layer.start : layer.start + layer.size]
    if not before or any(each.name not in forms for each in before):
        return None
    first = forms[before[0].name]
    if isinstance(layer, Label):
        return first
    if isinstance(before[0], Label):
        if not isinstance(layer, L.Embedding):
            return None
        rows = layer.get_weights()[0][: first.shape[1]]
        return np.asarray(first @ rows.astype(np.float64))
    if isinstance(layer, (L.Reshape, L.Flatten)):
        entries = first.shape[1]
        return first if layer.output_shape[1:] in ((entries,), (1, 1, entries)) else None
    if isinstance(layer, L.Concatenate) and layer.axis in (-1, len(layer.output_shape) - 1):
        joined = np.hstack([forms[each.name] for each in before])
        grows = len(joined) > _MOST_GROWTH * joined.shape[1]
        return None if grows and not all(isinstance(each, Part) for each in before) else joined
    return None


def _read_by_kernels(model: tf_keras.Model, name: str, forms: Mapping[str, _Form]) -> bool:
    layer = model.get_layer(name)
    if not isinstance(layer, Part) and any(
        each.name not in forms for each in sources(model, layer)
    ):
        return False
    readers = [each for each in followers(model, layer) if each.name not in forms]
    if isinstance(layer, Label):
        return all(isinstance(each, L.Embedding) and uses(model, each) == 1 for each in readers)
    if _is_lookup(model, layer):
        return not readers  # alone it is a smaller kernel than with the one behind it
    return all(_takes_rows(model, each, len(layer.output_shape)) for each in readers)


def _is_lookup(model: tf_keras.Model, layer: Any) -> bool:
    """Whether it gives what an embedding looks up, and nothing else."""
    while isinstance(layer, (L.Reshape, L.Flatten)):
        (layer,) = sources(model, layer)
    return isinstance(layer, L.Embedding)


def _takes_rows(model: tf_keras.Model, reader: Any, rank: int) -> bool:
    """Whether it is a kernel that can read the whole input in place of a value of that rank."""
    wanted = 2 if type(reader) is L.Dense else 4
    return (
        type(reader) in _INPUT_AXIS
        and uses(model, reader) == 1
        and rank == wanted
        and getattr(reader, "groups", 1) == 1
    )


def _lookup(embedding: Any) -> Call:
    """An embedding as what computes the same of one-hot classes."""
    dense: Call = L.Dense(embedding.output_dim, use_bias=False, name=embedding.name)
    if len(embedding.output_shape) == 2:
        return dense
    shape = embedding.output_shape[1:]
    return lambda one_hot: L.Reshape(shape, name=f"{embedding.name}_as_map")(dense(one_hot))


def _widened(kernel: np.ndarray, form: _Form, axis: int) -> np.ndarray:
    """A kernel that reads what follows from the input by ``form``, as one that reads it all."""
    rows = kernel.take(range(min(form.shape[1], kernel.shape[axis])), axis)
    wide = np.tensordot(form, rows.astype(np.float64), axes=(1, axis))
    return np.moveaxis(wide, 0, axis).astype(kernel.dtype)
