"""What rescales, takes apart and joins channels of a teacher's picture, as kernels of one pixel.

Our adapter does that for a generator that reads a picture and a mask, or two pictures, and many
generators begin with it: none of it has an int8 form for slimming, and a convolution has.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.graph import Call, clone_layer, followers, leaves, nodes, rebuild, uses
from pipeline.networks.layers import Part, ReflectionPadding2D

L = tf_keras.layers


@dataclass(frozen=True)
class _Form:
    """How channels follow from those of the one picture: what a kernel of one pixel computes."""

    kernel: np.ndarray
    """float64 [channels of the picture, channels]."""
    bias: np.ndarray
    """float64 [channels]."""

    @property
    def is_the_picture(self) -> bool:
        return not self.bias.any() and np.array_equal(self.kernel, np.eye(len(self.kernel)))


def without_joining(model: tf_keras.Model) -> tf_keras.Model:
    """The same generator, the channels of its picture rescaled and joined by convolutions.

    The model itself where it reads no picture, or reads it as it is.
    """
    forms = _forms(model)
    ends = {
        name
        for name in forms
        if leaves(model, layer := model.get_layer(name))
        or any(each.name not in forms for each in followers(model, layer))
    }
    if not ends:
        return model
    source, picture = _source(model), dict[str, Any]()

    def remember(tensor: Any) -> Any:
        picture["tensor"] = tensor
        return tensor

    def replace(layer: Any) -> Call:
        if layer.name not in forms:
            clone: Call = clone_layer(layer)
            return clone if layer is not source else lambda tensor: remember(clone(tensor))
        if layer.name not in ends or forms[layer.name].is_the_picture:
            return lambda _: picture["tensor"]
        kernel = L.Conv2D(layer.output_shape[-1], 1, name=layer.name)
        return lambda _: kernel(picture["tensor"])  # not what is before it: that is joined, too

    without = rebuild(model, replace, on_input=remember)
    names = {layer.name for layer in without.layers}
    for layer in model.layers:
        if layer.name in names:
            form = forms.get(layer.name)
            weights = layer.get_weights() if form is None else [form.kernel[None, None], form.bias]
            without.get_layer(layer.name).set_weights(weights)
    return without


def _source(model: tf_keras.Model) -> Any:
    """The layer that gives the picture: the input, or the border around it that we mirror."""
    port = model.input._keras_history.layer
    readers = followers(model, port)
    is_border = len(readers) == 1 and isinstance(readers[0], ReflectionPadding2D)
    return readers[0] if is_border else port


def _forms(model: tf_keras.Model) -> Mapping[str, _Form]:
    """Layer that selects, rescales and joins channels of the one picture → what it computes."""
    forms: dict[str, _Form] = {}
    if len(model.input_shape) != 4:
        return forms
    channels, source = model.input_shape[-1], _source(model)
    picture = {source.name: _Form(np.eye(channels), np.zeros(channels))}
    for node in nodes(model):
        if node.is_input or uses(model, node.layer) > 1:
            continue
        names = [tensor._keras_history.layer.name for tensor in node.keras_inputs]
        before = [each for name in names if (each := (picture | forms).get(name)) is not None]
        form = _form(node.layer, before) if len(before) == len(names) else None
        if form is not None:
            forms[node.layer.name] = form
    return forms


def _form(layer: Any, before: Sequence[_Form]) -> _Form | None:
    """What a layer computes of such channels; None where it is no kernel of one pixel."""
    first = before[0]
    if isinstance(layer, Part):
        chosen = slice(layer.start, layer.start + layer.size)
        return _Form(first.kernel[:, chosen], first.bias[chosen])
    if isinstance(layer, L.Rescaling):
        numbers = [np.atleast_1d(each).astype(float) for each in (layer.scale, layer.offset)]
        if all(each.size == each.shape[-1] in (1, len(first.bias)) for each in numbers):
            scale, offset = map(np.ravel, numbers)
            return _Form(first.kernel * scale, first.bias * scale + offset)
    if isinstance(layer, L.Concatenate) and layer.axis in (-1, 3):
        return _Form(
            np.hstack([each.kernel for each in before]),
            np.concatenate([each.bias for each in before]),
        )
    return None
