"""Magnitude pruning (Zhu & Gupta 2017) with TF-MOT, to a sparsity for each layer.

TF-MOT holds its masks in wrappers and applies them in the forward pass only, so kernels are masked
once more when the wrappers are taken off.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow_model_optimization as tfmot
import tf_keras

from pipeline.compression.graph import check_layer_names, clone_layer, rebuild
from pipeline.graphs import as_it_stands

PRUNED_LAYERS = (
    tf_keras.layers.Dense,
    tf_keras.layers.Conv2D,
    tf_keras.layers.Conv2DTranspose,
)
UPDATES = 8
"""Least number of updates of the masks, however short the schedule."""


def layer_sparsity(
    model: tf_keras.Model,
    sparsity: float,
    *,
    first: float | None,
    last: float | None,
    single: Mapping[str, float],
) -> dict[str, float]:
    """Name of each layer with a kernel → share of zeros, 0 to 1, that it is pruned to.

    ``single`` goes before ``first`` and ``last``, these before ``sparsity``. PocketganError for a
    name in ``single`` that is no such layer.
    """
    names = [layer.name for layer in model.layers if type(layer) in PRUNED_LAYERS]
    check_layer_names("prune.layers", single, names)
    by_layer = dict.fromkeys(names, sparsity)
    if first is not None:
        by_layer[names[0]] = first
    if last is not None:
        by_layer[names[-1]] = last
    return {name: share for name, share in {**by_layer, **single}.items() if share > 0}


class Pruning:
    """A copy of a model whose kernels lose weights, by a schedule, while it is trained.

    ``model`` is what to train. Its zeros grow to each layer's ``sparsity`` from the first call with
    ``training=True`` to call number ``calls``, by the cube of the share of the calls (Zhu & Gupta
    2017, equation 1), and are chosen anew ``every`` so many calls.
    """

    @as_it_stands
    def __init__(
        self, dense: tf_keras.Model, sparsity: Mapping[str, float], calls: int, every: int
    ) -> None:
        every = min(every, max(1, calls // UPDATES))
        # An update falls on the very end of the schedule, which needs two calls at least.
        end = 1 + every * max(1, (calls - 1) // every)
        self._dense = dense
        self._wrappers: dict[str, tf_keras.layers.Layer] = {}
        clones = {layer.name: clone_layer(layer) for layer in dense.layers}

        def wrap(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
            clone = clones[layer.name]
            if layer.name not in sparsity:
                return clone
            schedule = tfmot.sparsity.keras.PolynomialDecay(
                0.0, sparsity[layer.name], begin_step=1, end_step=end, frequency=every
            )
            wrapper = tfmot.sparsity.keras.prune_low_magnitude(clone, schedule)
            self._wrappers[layer.name] = wrapper
            return wrapper

        self.model = rebuild(dense, wrap)
        self._clones = clones
        for layer in dense.layers:
            clones[layer.name].set_weights(layer.get_weights())
        for wrapper in self._wrappers.values():
            wrapper.pruning_step.assign(0)  # what TF-MOT's callback for `fit` would do

    def stripped(self) -> tf_keras.Model:
        """A plain model like the dense one, in whose kernels the pruned weights are exactly 0."""
        plain = tf_keras.models.clone_model(self._dense)
        for layer in plain.layers:
            weights = self._clones[layer.name].get_weights()
            if layer.name in self._wrappers:
                (_, mask, _), *_ = self._wrappers[layer.name].pruning_vars
                weights[0] = weights[0] * mask.numpy()
            layer.set_weights(weights)
        return plain


def kernel_sparsity(model: tf_keras.Model) -> float:
    """Share of zeros, 0 to 1, among all weights of the kernels that can be pruned."""
    kernels = [layer.get_weights()[0] for layer in model.layers if type(layer) in PRUNED_LAYERS]
    return float(np.mean(np.concatenate([kernel.ravel() for kernel in kernels]) == 0))
