"""Compressed kernels while a student is distilled: what zeros and few bits will do to it, early.

The file's own rounding (``fake_quantization``) needs a folded model and TF-MOT's wrappers; a trial
of a search is over before those would have been built.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from pipeline.compression.graph import kernels
from pipeline.compression.int8_layers import FULL_BITS, levels


@dataclass(frozen=True)
class CompressionSpec:
    """How far every kernel of a student is compressed."""

    bits: int = FULL_BITS
    """2 to 8."""
    sparsity: float = 0.0
    """Share of the weights, 0 to 1, the smallest of each kernel, that are 0."""


def compressed(kernel: Any, spec: CompressionSpec) -> Any:
    """The kernel with its smallest weights 0 and the others on 2ᵇ − 1 levels, zero among them."""
    size = tf.abs(kernel)
    if spec.sparsity:
        ordered = tf.sort(tf.reshape(size, [-1]))
        last = ordered[min(int(spec.sparsity * ordered.shape[0]), ordered.shape[0] - 1)]
        kernel = tf.where(size >= last, kernel, tf.zeros_like(kernel))
    step = tf.maximum(tf.reduce_max(size), 1e-9) / levels(spec.bits)
    return tf.round(kernel / step) * step


class CompressedKernels:
    """A context in which the kernels among ``variables`` are compressed as ``spec`` says.

    Gradients taken inside are applied to the kernels as they were before: the straight-through
    estimator (Bengio 2013, section 4).
    """

    def __init__(self, variables: Sequence[Any], spec: CompressionSpec) -> None:
        self._kernels = kernels(variables) if spec != CompressionSpec() else []
        self._spec = spec
        self._saved: list[Any] = []

    def __enter__(self) -> None:
        self._saved = [tf.identity(kernel) for kernel in self._kernels]
        for kernel in self._kernels:
            kernel.assign(compressed(kernel, self._spec))

    def __exit__(self, *_: object) -> None:
        for kernel, value in zip(self._kernels, self._saved, strict=True):
            kernel.assign(value)
