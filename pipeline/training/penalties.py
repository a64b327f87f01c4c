"""What is added to a loss, or done to weights, for stable training or for small networks."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from pipeline.compression.graph import kernels
from pipeline.training.randomness import split_seed
from pipeline.training.settings import WeightSettings

Tensor = Any


def r1_penalty(score: Callable[[Tensor], Tensor], real: Tensor) -> Tensor:
    """½·E‖∇ₓD(x)‖² at real pictures (Mescheder 2018, equation 9), without its γ."""
    return 0.5 * tf.reduce_mean(_squared_slope(score, real))


def gradient_penalty(
    score: Callable[[Tensor], Tensor], real: Tensor, fake: Tensor, seed: Tensor
) -> Tensor:
    """E(‖∇D(x̂)‖ − 1)² on lines between real and generated pictures (Gulrajani 2017, equation 3)."""
    mix = tf.random.stateless_uniform([real.shape[0], 1, 1, 1], seed)
    slope = tf.sqrt(_squared_slope(score, real + mix * (fake - real)) + 1e-12)
    return tf.reduce_mean(tf.square(slope - 1.0))


def _squared_slope(score: Callable[[Tensor], Tensor], pictures: Tensor) -> Tensor:
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        total = tf.reduce_sum(score(pictures))
    return tf.reduce_sum(tf.square(tape.gradient(total, pictures)), axis=[1, 2, 3])


def weight_penalty(variables: Sequence[Any], settings: WeightSettings) -> Tensor:
    """λ₁·Σ|w| + λ₂·Σw² over the kernels; the constant 0 where both λ are 0."""
    penalty = tf.constant(0.0)
    for kernel in kernels(variables):
        if settings.l1:
            penalty += settings.l1 * tf.reduce_sum(tf.abs(kernel))
        if settings.l2:
            penalty += settings.l2 * tf.reduce_sum(tf.square(kernel))
    return penalty


class DroppedWeights:
    """Random weight dropping: forward and backward run on W' = W − D, a fresh random D each time.

    D holds a share p of the entries of W, and −p/(1−p) of the others, so that its mean is 0 and
    the activations keep their scale when dropping is off at inference (DropConnect, Wan 2013, with
    the inverted scaling of dropout). Use as a context around the forward pass; gradients taken in
    it belong to W' and are carried over to W by ``to_original``.
    """

    def __init__(self, variables: Sequence[Any], share: float, seed: Tensor) -> None:
        self._kernels = kernels(variables) if share else []
        self._names = [id(kernel) for kernel in self._kernels]
        self._factors = [
            tf.cast(
                tf.random.stateless_uniform(kernel.shape, split_seed(seed, number)) >= share,
                tf.float32,
            )
            / (1.0 - share)
            for number, kernel in enumerate(self._kernels)
        ]
        self._saved: list[Tensor] = []

    def __enter__(self) -> "DroppedWeights":
        self._saved = [tf.identity(kernel) for kernel in self._kernels]
        for kernel, factor in zip(self._kernels, self._factors, strict=True):
            kernel.assign(kernel * factor)
        return self

    def __exit__(self, *_: object) -> None:
        for kernel, value in zip(self._kernels, self._saved, strict=True):
            kernel.assign(value)

    def to_original(self, variables: Sequence[Any], gradients: Sequence[Tensor]) -> list[Tensor]:
        """∂/∂W = ∂/∂W' · ∂W'/∂W for gradients taken at W', in the order of ``variables``."""
        factors = dict(zip(self._names, self._factors, strict=True))
        return [
            gradient * factors[id(variable)] if id(variable) in factors else gradient
            for variable, gradient in zip(variables, gradients, strict=True)
        ]
