"""Spectral normalization of discriminator layers."""

import tf_keras

from pipeline.networks.layers import SpectralNormalization


def normalized(layer: tf_keras.layers.Layer, spectral_norm: bool) -> tf_keras.layers.Layer:
    """The layer, if asked with its kernel held at spectral norm 1 (Miyato 2018, algorithm 1)."""
    if not spectral_norm:
        return layer
    return SpectralNormalization(layer, name=f"{layer.name}_spectral")
