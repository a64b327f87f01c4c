"""How many bits the weights of each layer get.

For every layer alone it is measured what rounding it to so many bits does to the picture, and how
many bytes it then takes once compressed. Errors of layers are taken to add up, and the sum is made
least within a budget: an integer program over measured losses, as in AdaQuant (Hubara 2020,
arXiv:2006.10518, section 4), where HAWQ-V3 has a Hessian's trace for the loss (Yao 2021,
arXiv:2011.10680, section 3.4).
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import tf_keras

from deploy.errors import PocketganError
from pipeline import pareto
from pipeline.compression.graph import check_layer_names, clone_layer, rebuild
from pipeline.compression.int8_layers import KERNEL_LAYERS, levels
from pipeline.progress import track

_OUTERMOST = (*range(1, 12), 13, 15, 17, 19, 23, 27, 31, 39, 47, 63, 127)
CHOICES = tuple(round(math.log2(level + 1) + 1, 3) for level in _OUTERMOST)
"""Bits to choose from: 2 to 8, those between by their outermost level.

In a file that travels compressed 10 levels on either side of zero do as well as 7 or 15, and with
whole bits alone a generator of three layers comes nowhere near its budget.
"""


@dataclass(frozen=True)
class RoundingCost:
    """What a layer costs at so many bits.

    ``error`` is the mean squared difference of the pictures that it alone makes, ``bytes`` what its
    kernel and bias take in a file after deflate.
    """

    error: float
    bytes: int


RoundingCosts = Mapping[str, Mapping[float, RoundingCost]]
"""Name of a layer with a kernel → bits → cost."""


def layer_bits(model: tf_keras.Model, bits: float, single: Mapping[str, float]) -> dict[str, float]:
    """Name of each layer with a kernel → bits of its weights; ``single`` goes before ``bits``.

    PocketganError for a name in ``single`` that is no such layer.
    """
    names = kernel_layers(model)
    check_layer_names("quantize.layers", single, names)
    return {**dict.fromkeys(names, bits), **single}


def kernel_layers(model: tf_keras.Model) -> list[str]:
    """Names of the layers whose weights are rounded, in the model's order."""
    return [layer.name for layer in model.layers if isinstance(layer, KERNEL_LAYERS)]


def sensitivities(
    model: tf_keras.Model, latents: np.ndarray
) -> dict[str, dict[float, RoundingCost]]:
    """What each number of bits, 2 to 8, costs in every layer of a folded float model.

    ``latents`` float32 [N, L] are what the pictures are drawn from. The model stays as it is.
    """
    copy = rebuild(model, clone_layer)
    copy.set_weights(model.get_weights())
    exact = copy(latents, training=False).numpy()
    costs: dict[str, dict[float, RoundingCost]] = {}
    for name in track(kernel_layers(copy), "layers are rounded, to choose bits"):
        layer = copy.get_layer(name)
        weights = layer.get_weights()
        costs[name] = {}
        for bits in CHOICES:
            rounded = [_weight_levels(weight, bits) for weight in weights]
            steps = [np.abs(weight).max() / levels(bits) for weight in weights]
            layer.set_weights([whole * step for whole, step in zip(rounded, steps, strict=True)])
            pictures = copy(latents, training=False).numpy()
            error = float(np.mean(np.square(pictures - exact)))
            costs[name][bits] = RoundingCost(error, compressed_bytes(rounded))
        layer.set_weights(weights)
    return costs


def _weight_levels(weight: np.ndarray, bits: float) -> np.ndarray:
    """The whole numbers that stand for a weight in the file: int8 in −127..127."""
    limit = np.abs(weight).max() or 1.0
    return np.rint(weight / limit * levels(bits)).astype(np.int8)


def compressed_bytes(rounded: Iterable[np.ndarray]) -> int:
    """Bytes that deflate makes of a kernel int8 and a bias, which a file holds as int32.

    By the compressor itself: on few levels it stays a quarter above their entropy, and on pruned
    kernels it matters where the zeros are.
    """
    kernel, *biases = rounded
    stored = kernel.tobytes() + b"".join(bias.astype(np.int32).tobytes() for bias in biases)
    return len(zlib.compress(stored, 9))


def per_weight(costs: RoundingCosts, model: tf_keras.Model) -> dict[str, dict[float, RoundingCost]]:
    """The costs with each layer's error shared out among its weights.

    For bits that are chosen before a training: of what rounding does to a layer of many weights
    that training takes back most. Which share is known by trial only (docs/decisions.md).
    """
    return {
        name: {
            bits: replace(cost, error=cost.error / model.get_layer(name).get_weights()[0].size)
            for bits, cost in by_bits.items()
        }
        for name, by_bits in costs.items()
    }


def choose_bits(costs: RoundingCosts, target: int) -> dict[str, float]:
    """Bits a layer with the least error, by the sum of ``costs``, in at most ``target`` bytes.

    Exact: layer by layer, of all choices so far those stay that no other beats in both bytes and
    error (Nemhauser & Ullmann 1969). Raises PocketganError that names the least bytes there are.
    """
    front = [_Allocation(0, 0.0, {})]
    for name, by_bits in costs.items():
        choices = [
            _Allocation(
                choice.bytes + cost.bytes, choice.error + cost.error, {**choice.bits, name: bits}
            )
            for choice in front
            for bits, cost in by_bits.items()
        ]
        front = pareto.front(choices, lambda choice: (choice.bytes, choice.error))
    fitting = [choice for choice in front if choice.bytes <= target]
    if not fitting:
        raise PocketganError(
            f"the weights do not go into {target} bytes: {front[0].bytes} is the least they take.",
            "Allow more bytes, or make the generator smaller.",
        )
    return fitting[-1].bits


class _Allocation(NamedTuple):
    bytes: int
    error: float
    bits: dict[str, float]


def expected_bytes(costs: RoundingCosts, bits: Mapping[str, float]) -> int:
    """Compressed bytes of all kernels and biases."""
    return sum(costs[name][number].bytes for name, number in bits.items())


def least_bytes(costs: RoundingCosts) -> int:
    """The fewest compressed bytes that all kernels and biases can take."""
    return sum(min(cost.bytes for cost in by_bits.values()) for by_bits in costs.values())
