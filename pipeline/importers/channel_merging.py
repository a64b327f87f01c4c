"""What takes a teacher's one picture apart and joins its channels, as one kernel of one pixel.

Our adapter does that for a generator that reads a picture and a mask, or two pictures: it selects,
rescales and concatenates channels, which has no int8 form for slimming, and a convolution has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import tf_keras

from pipeline.compression.graph import clone_layer, followers, nodes, rebuild, uses
from pipeline.networks.layers import Part

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
    """The same generator, the channels of its picture joined by a convolution where they need be.

    The model itself where it reads no picture, or takes none apart.
    """
    forms = _forms(model)
    ends = {
        name
        for name in forms
        if any(each.name not in forms for each in followers(model, model.get_layer(name)))
    }
    if not ends:
        return model

    pictures: list[Any] = []

    def keep(picture: Any) -> Any:
        pictures.append(picture)
        return picture

    def replace(layer: Any) -> Any:
        if layer.name not in forms:
            return clone_layer(layer)
        if layer.name not in ends or forms[layer.name].is_the_picture:
            return lambda _: pictures[0]
        # Of the picture, and not of what stands before it: that may be an end, too.
        kernel = L.Conv2D(layer.output_shape[-1], 1, name=layer.name)
        return lambda _: kernel(pictures[0])

    without = rebuild(model, replace, on_input=keep)
    names = {layer.name for layer in without.layers}
    for layer in model.layers:
        if layer.name in names:
            form = forms.get(layer.name)
            weights = layer.get_weights() if form is None else [form.kernel[None, None], form.bias]
            without.get_layer(layer.name).set_weights(weights)
    return without


def _forms(model: tf_keras.Model) -> Mapping[str, _Form]:
    """Layer that selects, rescales and joins channels of the one picture → what it computes."""
    forms: dict[str, _Form] = {}
    if len(model.input_shape) != 4:
        return forms
    for node in nodes(model):
        if node.is_input or uses(model, node.layer) > 1:
            continue
        before = [tensor._keras_history.layer for tensor in node.keras_inputs]
        form = _form(model, node.layer, before, forms)
        if form is not None:
            forms[node.layer.name] = form
    return forms


def _form(
    model: tf_keras.Model, layer: Any, before: list[Any], forms: Mapping[str, _Form]
) -> _Form | None:
    channels = model.input_shape[-1]
    if isinstance(layer, Part):
        kernel = np.eye(channels)[:, layer.start : layer.start + layer.size]
        return _Form(kernel, np.zeros(layer.size))
    if isinstance(layer, L.Rescaling):
        scale, offset = np.asarray(layer.scale, np.float64), np.asarray(layer.offset, np.float64)
        form = forms.get(before[0].name)
        if form is None and isinstance(before[0], L.InputLayer) and scale.ndim:
            form = _Form(np.eye(channels), np.zeros(channels))  # of masks among the channels
        return form and _Form(form.kernel * scale, form.bias * scale + offset)
    if isinstance(layer, L.Concatenate) and layer.axis in (-1, 3):
        if any(each.name not in forms for each in before):
            return None
        joined = [forms[each.name] for each in before]
        return _Form(
            np.hstack([each.kernel for each in joined]),
            np.concatenate([each.bias for each in joined]),
        )
    return None
