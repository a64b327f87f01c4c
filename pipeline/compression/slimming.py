"""Slimming: whole channels of a generator's maps are cut away, and its first Dense layer is split.

Fewer channels are what makes a generator faster; on a CPU zeros do not.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.channel_groups import KERNEL_AXES, ChannelGroup, DependencyGraph
from pipeline.compression.graph import clone_layer, followers, rebuild, uses
from pipeline.graphs import tf_graph
from pipeline.networks.layers import LearnedMap, Truncation

Importance = Mapping[str, np.ndarray]
"""Name of a group → float64 [channels]: the higher, the more is lost with the channel."""
PictureScore = Callable[[Any], Any]
"""Pictures float32 [N, H, W, C] → float32 [N] or [N, 1], for instance a discriminator's logit."""

TAYLOR_BATCH = 4
"""Latents that share one projection, see ``importance_by_taylor``."""


def channel_groups(model: tf_keras.Model) -> list[ChannelGroup]:
    """The groups of a functional or sequential model, in order, those that cannot be cut included.

    The channels of inputs and pictures are never cut, nor those that reach a layer which is not
    understood: ``reason`` says so. Raises PocketganError where no group can be cut.
    """
    return DependencyGraph(model).groups


def importance_by_norm(model: tf_keras.Model) -> dict[str, np.ndarray]:
    """How strongly each channel is written times how strongly it is read.

    Written: |γ| where a batch norm follows, which is then the channel's standard deviation (Liu
    2017, Network Slimming, section 3), else the norm of the kernel that writes it (Li 2017, Pruning
    Filters for Efficient ConvNets, section 3.1). Read: the norm of the weights that read it. All
    norms are Euclidean. Raises as ``channel_groups`` does.
    """
    graph = DependencyGraph(model)
    written, read = np.zeros(graph.count), np.zeros(graph.count)
    for layer in model.layers:
        if type(layer) in KERNEL_AXES and layer.name in graph.reads:
            into, out = KERNEL_AXES[type(layer)]
            squares = layer.kernel.numpy().astype(np.float64) ** 2
            read += _sums(graph, graph.reads[layer.name], _along(squares, into))
            # Where a batch norm follows, the size of the layer's kernel means nothing.
            if not any(_has_gamma(reader) for reader in followers(model, layer)):
                written += _sums(graph, graph.writes[layer.name], _along(squares, out))
        elif layer.name in graph.reads and _has_gamma(layer):
            squares = layer.gamma.numpy().astype(np.float64) ** 2
            written += _sums(graph, graph.reads[layer.name], squares)
    importance = np.sqrt(written * read)
    return {name: importance[channels] for name, channels in graph.members.items()}


def importance_by_taylor(
    model: tf_keras.Model, latents: np.ndarray, score: PictureScore | None = None, seed: int = 0
) -> dict[str, np.ndarray]:
    """When each channel goes if channels go one by one, always the one whose loss hurts least now.

    For a gate g = 1 on a channel, ∂L/∂g is the sum of weight times gradient over the weights that
    read it, and its square estimates the harm of removing the channel (Molchanov 2019, Importance
    Estimation for Neural Network Pruning, equations 8 and 10). Channels of a generator are alike:
    what one loses another one loses too, and single estimates do not tell. So the harm of a set of
    channels is estimated instead, (Σ ∂L/∂g)² over the set, as the second-order term of Optimal
    Brain Surgeon does (Hassibi 1993), averaged over batches of four ``latents`` float32 [N, L].

    A teacher that is compared with itself has no error that L could be. So L is a random projection
    of the pictures, Σ ±pixel with fresh signs for each batch: the expected square is then the sum
    of the squares of Σ ∂pixel/∂g, the change of the pictures to first order whatever its direction.
    With ``score``, L is the score of the pictures instead, summed over the batch: what a
    discriminator, for instance, sees of the channels.

    Raises as ``channel_groups`` does.
    """
    graph = DependencyGraph(model)
    slopes = _gate_slopes(model, graph, latents=latents, score=score, seed=seed)
    harm = slopes.T @ slopes / len(slopes)
    return {
        name: _elimination_order(harm[np.ix_(channels, channels)])
        for name, channels in graph.members.items()
    }


def _gate_slopes(
    model: tf_keras.Model,
    graph: DependencyGraph,
    *,
    latents: np.ndarray,
    score: PictureScore | None,
    seed: int,
) -> np.ndarray:
    """∂L/∂g of every channel for each batch: float64 [batches, channels]."""
    readers = [
        layer for layer in model.layers if type(layer) in KERNEL_AXES and layer.name in graph.reads
    ]
    kernels = [layer.kernel for layer in readers]
    random = tf.random.Generator.from_seed(seed)

    @tf_graph
    def products(batch: Any) -> list[Any]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(kernels)
            pictures = model(batch, training=False)
            signs = tf.sign(random.normal(tf.shape(pictures)))
            value = tf.reduce_sum(signs * pictures if score is None else score(pictures))
        gradients = tape.gradient(value, kernels, unconnected_gradients="zero")
        return [kernel * gradient for kernel, gradient in zip(kernels, gradients, strict=True)]

    starts = range(0, len(latents), TAYLOR_BATCH)
    slopes = np.zeros([len(starts), graph.count])
    for row, start in zip(slopes, starts, strict=True):
        batch_products = products(tf.constant(latents[start : start + TAYLOR_BATCH], tf.float32))
        for layer, product in zip(readers, batch_products, strict=True):
            into, _ = KERNEL_AXES[type(layer)]
            summed = _along(product.numpy().astype(np.float64), into)
            row += _sums(graph, graph.reads[layer.name], summed)
    return slopes


def _elimination_order(harm: np.ndarray) -> np.ndarray:
    """When each goes, 0 first, if always the one goes that adds least to Σ ``harm`` of the gone."""
    order = np.full(len(harm), np.inf)
    added = np.diag(harm).copy()
    for position in range(len(harm)):
        chosen = np.argmin(np.where(np.isinf(order), added, np.inf))
        order[chosen] = position
        added += 2 * harm[chosen]
    return order


def slim(model: tf_keras.Model, keep: Mapping[str, int], importance: Importance) -> tf_keras.Model:
    """A smaller model: of each group named in ``keep`` only so many channels, the most important.

    Surviving weights are copied, statistics of batch norms with them. The result draws what
    ``model`` would draw if nothing read the channels that are gone.

    Raises PocketganError for a name that is no group, a group that cannot be cut, a number beyond
    1..channels, and importance that is missing, of another length or not finite; and as
    ``channel_groups`` does.
    """
    graph = DependencyGraph(model)
    survives = np.ones(graph.count, bool)
    for name, count in keep.items():
        group = _cuttable(graph, name)
        if not 1 <= count <= group.channels:
            raise PocketganError(
                f"{count} channels of '{name}' are to be kept; it has {group.channels}.",
                f"Keep 1 to {group.channels}.",
            )
        order = np.argsort(-_checked(group, importance), kind="stable")  # of equals, the first
        survives[graph.members[name][order[count:]]] = False

    def smaller(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        return clone_layer(layer, **_settings(graph, survives, layer))

    slimmed = tf_keras.models.clone_model(model, clone_function=smaller)
    for layer in model.layers:
        slimmed.get_layer(layer.name).set_weights(_weights(graph, survives, layer))
    return slimmed


def low_rank(model: tf_keras.Model, layer: str, rank: int) -> tf_keras.Model:
    """A Dense layer in two: ``{layer}_reduce`` [in, rank] without bias, then ``layer`` [rank, out].

    The product of their kernels is the best approximation of that rank to the kernel, in the
    spectral and in the Frobenius norm: the truncated singular value decomposition (Eckart & Young
    1936). The root of the singular values goes to either side, so that their ranges are alike.

    Raises PocketganError where there is no such Dense layer, it is used more than once, or ``rank``
    is not within 1..min(in, out).
    """
    dense = _single_dense(model, layer)
    kernel, *bias = dense.get_weights()
    if not 1 <= rank <= min(kernel.shape):
        raise PocketganError(
            f"rank {rank} for layer '{layer}': its kernel is {kernel.shape[0]}×{kernel.shape[1]}.",
            f"Choose a rank from 1 to {min(kernel.shape)}.",
        )
    reduce = tf_keras.layers.Dense(rank, use_bias=False, name=f"{layer}_reduce")
    clones = {other.name: clone_layer(other) for other in model.layers}

    def replace(old: tf_keras.layers.Layer) -> Callable[[Any], Any]:
        clone = clones[old.name]
        return (lambda tensor: clone(reduce(tensor))) if old is dense else clone

    split = rebuild(model, replace)
    left, values, right = np.linalg.svd(kernel.astype(np.float64), full_matrices=False)
    root = np.sqrt(values[:rank])
    reduce.set_weights([left[:, :rank] * root])
    for old in model.layers:
        new = [root[:, None] * right[:rank], *bias] if old is dense else old.get_weights()
        clones[old.name].set_weights(new)
    return split


def _along(values: np.ndarray, axis: int) -> np.ndarray:
    """The sums over all axes but one."""
    sums: np.ndarray = values.sum(tuple(other for other in range(values.ndim) if other != axis))
    return sums


def _sums(graph: DependencyGraph, channels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A value for each entry of ``channels`` → their sums by channel, float64 [all channels]."""
    sums: np.ndarray = np.bincount(channels, values, graph.count)
    return sums


def _has_gamma(layer: tf_keras.layers.Layer) -> bool:
    return isinstance(layer, tf_keras.layers.BatchNormalization) and bool(layer.scale)


def _cuttable(graph: DependencyGraph, name: str) -> ChannelGroup:
    groups = [group for group in graph.groups if group.name == name]
    for group in groups:
        if not group.reason:
            return group
    if groups:
        raise PocketganError(
            f"the channels of '{name}' cannot be cut: {groups[0].reason}.",
            f"Groups that can: {', '.join(graph.members)}.",
        )
    raise PocketganError(
        f"the generator has no group of channels called '{name}'.",
        f"Its groups are: {', '.join(graph.members)}.",
    )


def _checked(group: ChannelGroup, importance: Importance) -> np.ndarray:
    """The importance of a group's channels."""
    values = np.asarray(importance.get(group.name, ()), np.float64)
    if values.shape != (group.channels,) or not np.isfinite(values).all():
        raise PocketganError(
            f"the importance of '{group.name}' is not {group.channels} finite numbers.",
            "Compute it for this very model; weights that are not finite make it so too.",
        )
    return values


def _settings(
    graph: DependencyGraph, survives: np.ndarray, layer: tf_keras.layers.Layer
) -> dict[str, Any]:
    """What changes in a layer's configuration."""
    if layer.name not in graph.writes:
        return {}
    written = int(survives[graph.writes[layer.name]].sum())
    if isinstance(layer, tf_keras.layers.Reshape):
        return {"target_shape": (*layer.output_shape[1:-1], written)}
    if isinstance(layer, tf_keras.layers.Dense):
        return {"units": written}
    return {"filters": written} if type(layer) in KERNEL_AXES else {}


def _weights(
    graph: DependencyGraph, survives: np.ndarray, layer: tf_keras.layers.Layer
) -> list[np.ndarray]:
    """A layer's weights without the channels that are gone."""
    weights: list[np.ndarray] = layer.get_weights()
    if layer.name not in graph.reads or not weights:
        return weights
    read, written = survives[graph.reads[layer.name]], survives[graph.writes[layer.name]]
    if isinstance(layer, (tf_keras.layers.BatchNormalization, LearnedMap, Truncation)):
        return [weight.compress(read, -1) for weight in weights]
    kernel, *bias = weights
    if isinstance(layer, tf_keras.layers.DepthwiseConv2D):
        kernel = kernel.compress(read, 2)
    else:
        into, out = KERNEL_AXES[type(layer)]
        kernel = kernel.compress(read, into).compress(written, out)
    return [kernel, *(one.compress(written, 0) for one in bias)]


def _single_dense(model: tf_keras.Model, name: str) -> tf_keras.layers.Dense:
    dense = [layer for layer in model.layers if type(layer) is tf_keras.layers.Dense]
    layer = next((layer for layer in dense if layer.name == name), None)
    if layer is None:
        raise PocketganError(
            f"the generator has no Dense layer called '{name}'.",
            f"Its Dense layers are: {', '.join(other.name for other in dense) or 'none'}.",
        )
    if uses(model, layer) > 1:
        raise PocketganError(f"layer '{name}' is used more than once.", "Split another one.")
    return layer
