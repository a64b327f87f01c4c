"""What only multiplies folded into the kernels beside it: no float arithmetic is left at inference.

TF-MOT folds only after Conv2D and Dense, and leaves four float operations behind each
Conv2DTranspose; a generator is made of those.
"""

from collections.abc import Callable

import numpy as np
import tf_keras

from pipeline.compression.graph import clone_layer, followers, leaves, rebuild, sources, uses
from pipeline.networks.layers import PixelScale, Truncation

_Scale = Callable[[np.ndarray, np.ndarray], np.ndarray]

# How a factor for each output channel [C] goes into a kernel.
_SCALE_KERNEL: dict[type, _Scale] = {
    tf_keras.layers.Dense: lambda kernel, scale: kernel * scale,
    tf_keras.layers.Conv2D: lambda kernel, scale: kernel * scale,
    tf_keras.layers.DepthwiseConv2D: lambda kernel, scale: kernel * scale.reshape(kernel.shape[2:]),
    tf_keras.layers.Conv2DTranspose: lambda kernel, scale: kernel * scale[:, None],
}


def fold_batch_norm(model: tf_keras.Model) -> tf_keras.Model:
    """A model without the batch norms that follow a linear layer; it draws the same.

    Dense, Conv2D, DepthwiseConv2D and Conv2DTranspose (linear, read by the batch norm only) take
    up γ/√(σ²+ε) into the kernel and β + (b − μ)·γ/√(σ²+ε) into the bias (Jacob 2018, section 3.2).
    Between them may stand what only makes a map of a vector, or enlarges it. Other batch norms
    stay, and those that also normalize something else. A Truncation behind such
    a layer is folded likewise. A PixelScale goes into the linear layer before it, or into those
    that read it.
    """
    partner = foldable_norms(model)
    factors = _factors(model)
    folded_away = {id(norm) for norm in partner.values()}

    def replace(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer | None:
        if id(layer) in folded_away or isinstance(layer, PixelScale):
            return None
        changes = {"use_bias": True} if layer.name in partner else {}
        return clone_layer(layer, **changes)

    folded = rebuild(model, replace)
    for layer in model.layers:
        if id(layer) in folded_away or isinstance(layer, PixelScale):
            continue
        weights = layer.get_weights()
        if layer.name in partner:
            weights = _folded_weights(layer, partner[layer.name])
        if layer.name in factors:
            of_input, of_output = factors[layer.name]
            kernel, *bias = weights
            weights = [kernel * (of_input * of_output), *(each * of_output for each in bias)]
        folded.get_layer(layer.name).set_weights(weights)
    return folded


def _factors(model: tf_keras.Model) -> dict[str, tuple[float, float]]:
    """Name of a linear layer → what a PixelScale multiplies its input by, and its output."""
    of_input, of_output = dict[str, float](), dict[str, float]()
    for layer in model.layers:
        if isinstance(layer, PixelScale):
            (source,) = sources(model, layer)
            if type(source) in _SCALE_KERNEL:
                of_output[source.name] = layer.factor
            else:
                of_input |= {reader.name: layer.factor for reader in followers(model, layer)}
    return {
        name: (of_input.get(name, 1.0), of_output.get(name, 1.0)) for name in of_input | of_output
    }


def foldable_norms(model: tf_keras.Model) -> dict[str, tf_keras.layers.Layer]:
    """Name of a linear layer → the batch norm that alone reads it, or what moves its channels."""
    partner, moved = {}, set[str]()
    for layer in model.layers:
        if not takes_factors(model, layer):
            continue
        norm, moves = _behind_moves(model, layer)
        if norm is not None and _acts_on_channels(norm, len(norm.output_shape)):
            partner[layer.name] = norm
            moved |= {move.name for move in moves}
    return {
        name: norm
        for name, norm in partner.items()
        if all(source.name in partner.keys() | moved for source in sources(model, norm))
    }


def _behind_moves(
    model: tf_keras.Model, layer: tf_keras.layers.Layer
) -> tuple[tf_keras.layers.Layer | None, list[tf_keras.layers.Layer]]:
    """The reader behind the layers that move the channels of ``layer`` as wholes, and those."""
    moves: list[tf_keras.layers.Layer] = []
    reader = followers(model, layer)[0]
    while _moves_channels(reader):
        if leaves(model, reader) or len(followers(model, reader)) != 1 or uses(model, reader) > 1:
            return None, []
        moves.append(reader)
        (reader,) = followers(model, reader)
    return (None, []) if moves and uses(model, reader) > 1 else (reader, moves)


def _moves_channels(layer: tf_keras.layers.Layer) -> bool:
    """Whether it makes a map of a vector, or enlarges one: a factor a channel commutes with it."""
    if isinstance(layer, tf_keras.layers.Reshape):
        return len(layer.input_shape) == 2
    return isinstance(layer, tf_keras.layers.UpSampling2D)


def takes_factors(model: tf_keras.Model, layer: tf_keras.layers.Layer) -> bool:
    """Whether what its only reader multiplies it by can go into its kernel."""
    return (
        type(layer) in _SCALE_KERNEL
        and layer.activation is tf_keras.activations.linear
        and len(followers(model, layer)) == 1
        and not leaves(model, layer)
    )


def _acts_on_channels(norm: tf_keras.layers.Layer, rank: int) -> bool:
    """Whether it is scale·(x − mean) + beta of each channel."""
    if isinstance(norm, tf_keras.layers.BatchNormalization):
        return list(norm.axis) == [rank - 1]
    return isinstance(norm, Truncation)


def _folded_weights(layer: tf_keras.layers.Layer, norm: tf_keras.layers.Layer) -> list[np.ndarray]:
    """Kernel and bias in float64 arithmetic, so that folding adds no error of its own."""
    mean, scale, beta = statistics_of(norm)
    kernel, *bias = (weight.astype(np.float64) for weight in layer.get_weights())
    pixels = layer.output_shape[-1] // len(mean)  # of the map that a Reshape makes of a vector
    mean, scale, beta = (np.tile(each, pixels) for each in (mean, scale, beta))
    shifted = (bias[0] if bias else 0.0) - mean
    return [_SCALE_KERNEL[type(layer)](kernel, scale), shifted * scale + beta]


def statistics_of(norm: tf_keras.layers.Layer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is subtracted from each channel, multiplied and added: float64 [C]."""
    if isinstance(norm, Truncation):
        mean = norm.mean.numpy().astype(np.float64)
        return mean, np.full_like(mean, norm.share), mean
    mean = norm.moving_mean.numpy().astype(np.float64)
    variance = norm.moving_variance.numpy().astype(np.float64)
    gamma = norm.gamma.numpy() if norm.scale else np.ones_like(mean)
    beta = norm.beta.numpy() if norm.center else np.zeros_like(mean)
    return mean, gamma / np.sqrt(variance + norm.epsilon), beta
