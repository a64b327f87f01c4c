"""How many bits the weights of each layer get."""

from collections.abc import Mapping

import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.scheme import KERNEL_LAYERS


def check_layers(model: tf_keras.Model, single: Mapping[str, int]) -> None:
    """PocketganError for a name in ``single`` that is no layer with a kernel."""
    names = kernel_layers(model)
    for name in single:
        if name not in names:
            raise PocketganError(
                f"quantize.layers.{name}: the generator has no such layer with a kernel.",
                f"Its layers are: {', '.join(names)}.",
            )


def layer_bits(model: tf_keras.Model, bits: int, single: Mapping[str, int]) -> dict[str, int]:
    """Name of each layer with a kernel → bits of its weights; ``single`` goes before ``bits``.

    PocketganError for a name in ``single`` that is no such layer.
    """
    check_layers(model, single)
    return {**dict.fromkeys(kernel_layers(model), bits), **single}


def kernel_layers(model: tf_keras.Model) -> list[str]:
    """Names of the layers whose weights are rounded, in the model's order."""
    return [layer.name for layer in model.layers if isinstance(layer, KERNEL_LAYERS)]
