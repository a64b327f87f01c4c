"""Layers of packages that are no longer kept, known by the names under which files hold them.

TF-Addons and keras-contrib do not install beside this TensorFlow, and TF-MOT's wrappers are unknown
outside of a scope of its own. What is here computes the same and reads the same weights.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tensorflow_model_optimization.python.core.clustering.keras import cluster_wrapper
from tensorflow_model_optimization.python.core.sparsity.keras.pruning_wrapper import (
    PruneLowMagnitude,
)

from pipeline.networks.layers import DepthToSpace

_AFFINE = ("center", "scale")


def _called(name: str) -> Callable[[type], type]:
    """Give a class the name under which .keras files look for its weights."""

    def rename(layer_class: type) -> type:
        layer_class.__name__ = name
        return layer_class

    return rename


@_called("GroupNormalization")
class AddonsGroupNormalization(tf_keras.layers.GroupNormalization):  # type: ignore[misc]
    """TF-Addons', which is Keras's own under another name."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One that Keras's own can be made of."""
        # A class of that name without these has no weights.
        affine = {key: bool(config.get(key)) for key in _AFFINE}
        return cls(**{**config, **affine})

    def become_kerass_own(self) -> None:
        """Be called so from now on: only the name differs."""
        self.__class__ = tf_keras.layers.GroupNormalization


@_called("InstanceNormalization")
class AddonsInstanceNormalization(AddonsGroupNormalization):
    """TF-Addons': a group for each channel."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One that Keras's own can be made of."""
        return super().from_config({**config, "groups": -1})


@_called("InstanceNormalization")
class ContribInstanceNormalization(tf_keras.layers.Layer):  # type: ignore[misc]
    """keras-contrib's: (x − mean) / (deviation + ε), over all but batch and ``axis``."""

    def __init__(
        self,
        axis: int | None = None,
        epsilon: float = 1e-3,
        *,
        center: bool = True,
        scale: bool = True,
        name: str | None = None,
        **_training: Any,
    ) -> None:
        super().__init__(name=name)
        self.axis, self.epsilon, self.center, self.scale = axis, epsilon, center, scale

    def build(self, input_shape: Any) -> None:
        shape = (1,) if self.axis is None else (input_shape[self.axis],)
        self.gamma = self.add_weight("gamma", shape, initializer="ones") if self.scale else None
        self.beta = self.add_weight("beta", shape, initializer="zeros") if self.center else None
        super().build(input_shape)

    def call(self, inputs: Any) -> Any:
        """Normalize maps [N, H, W, C], or vectors."""
        rank = len(inputs.shape)
        own_axis = None if self.axis is None else self.axis % rank
        axes = [axis for axis in range(1, rank) if axis != own_axis]
        mean, variance = tf.nn.moments(inputs, axes, keepdims=True)
        shape = [inputs.shape[axis] if axis == own_axis else 1 for axis in range(rank)]
        normed = (inputs - mean) / (tf.sqrt(variance) + self.epsilon)
        if self.gamma is not None:
            normed *= tf.reshape(self.gamma, shape)
        return normed if self.beta is None else normed + tf.reshape(self.beta, shape)

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        settings = {name: getattr(self, name) for name in ("axis", "epsilon", *_AFFINE)}
        return {**super().get_config(), **settings}


@_called("WeightNormalization")
class AddonsWeightNormalization(tf_keras.layers.Wrapper):  # type: ignore[misc]
    """TF-Addons': a layer whose kernel has the length ``g`` along its last axis."""

    def __init__(self, layer: Any, *, data_init: bool = True, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.data_init = data_init

    def build(self, input_shape: Any) -> None:
        """The weights in the order in which files hold them."""
        super().build(input_shape)
        self.g = self.add_weight("g", (self.layer.kernel.shape[-1],), initializer="ones")
        self.v = self.layer.kernel  # ours from now on: what the layer computes with is no variable
        self.initialized = self.add_weight(
            "initialized", (), tf.bool, initializer="zeros", trainable=False
        )
        if self.data_init:  # a copy by which it was initialized, of no use any more
            self.naked = type(self.layer).from_config(
                {**self.layer.get_config(), "trainable": False}
            )
            self.naked.build(input_shape)

    def call(self, inputs: Any) -> Any:
        """What the inner layer gives with the normalized kernel."""
        self.layer.kernel = self.normalized_kernel()
        return self.layer(inputs)

    def normalized_kernel(self) -> Any:
        """What the layer inside computes with."""
        return tf.nn.l2_normalize(self.v, list(range(len(self.v.shape) - 1))) * self.g

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {**super().get_config(), "data_init": self.data_init}


class ClusterWeights(cluster_wrapper.ClusterWeights):  # type: ignore[misc]
    """TF-MOT's: a layer each of whose weights is one of a few, the nearest.

    A file does not hold which weights were to stay zero. Where that was asked for, each weight
    keeps the one that training chose last; TF-MOT itself chooses anew and draws otherwise than
    before.
    """

    def update_clustered_weights_associations(self) -> None:
        """Give the layer inside its weights; called before each use of it."""
        for name in self.original_clusterable_weights:
            self.set_weight_to_layer(name, self._clustered(name))

    def all_weights(self) -> list[np.ndarray]:
        """Of the layer inside, as it computes with them."""
        self.update_clustered_weights_associations()
        weights: list[np.ndarray] = self.layer.get_weights()  # without the clustered ones
        for place, name in sorted(self.position_original_weights.items()):
            weights.insert(place, np.asarray(self._clustered(name)))
        return weights

    def _clustered(self, name: str) -> Any:
        algorithm, original = (
            self.clustering_algorithms[name],
            self.original_clusterable_weights[name],
        )
        nearest = self.pulling_indices[name]
        if not self.preserve_sparsity:
            nearest = algorithm.get_pulling_indices(original)
        return algorithm.get_clustered_weight(nearest, original)


class MultiplyBeta(tf_keras.layers.Rescaling):  # type: ignore[misc]
    """ISR's, also of UpscalerJS: the input times a constant."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """Keras's own layer; what TensorFlow.js wrote of it lacks the constant, always 0.2."""
        config = dict(config)
        return tf_keras.layers.Rescaling(scale=config.pop("beta", 0.2), **config)


class PixelShuffle(DepthToSpace):
    """ISR's, also of UpscalerJS, where the block is in the name too: channels become pixels."""

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """pocketgan's own layer."""
        config = dict(config)
        return DepthToSpace(config.pop("scale"), **config)


KNOWN: Mapping[str, Any] = {
    "Addons>GroupNormalization": AddonsGroupNormalization,
    "Addons>InstanceNormalization": AddonsInstanceNormalization,
    "Addons>WeightNormalization": AddonsWeightNormalization,
    "ClusterWeights": ClusterWeights,
    "InstanceNormalization": ContribInstanceNormalization,
    "MultiplyBeta": MultiplyBeta,
    "PixelShuffle": PixelShuffle,
    **{f"PixelShuffle{block}x": PixelShuffle for block in (2, 3, 4)},
    "PruneLowMagnitude": PruneLowMagnitude,
}
"""Name in a file of Keras 2 → class."""


def known_in(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """``KNOWN``, as far as what a file holds can be meant: ``parts`` are its objects.

    Many people have an InstanceNormalization of their own; keras-contrib's says all its settings.
    """
    own = {
        part["class_name"]
        for part in parts
        if KNOWN.get(part["class_name"]) is ContribInstanceNormalization
        and not {"axis", "epsilon", *_AFFINE} <= part.get("config", {}).keys()
    }
    return {name: layer for name, layer in KNOWN.items() if name not in own}


def custom_objects(names: Iterable[str], own: Mapping[str, Any]) -> dict[str, Any]:
    """The user's ``own`` classes and functions, by name, under the ``names`` of a file too.

    A file calls "Package>Class" what is given as Class.
    """
    packaged = {name: own[name.split(">")[-1]] for name in names if name.split(">")[-1] in own}
    return {**own, **packaged}
