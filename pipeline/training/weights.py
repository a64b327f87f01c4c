"""What is done to weights while they are trained: averaged, penalized, dropped at random."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import tensorflow as tf

from pipeline.arrays import Tensor
from pipeline.compression.graph import kernels
from pipeline.training.randomness import split_seed
from pipeline.training.settings import WeightSettings


class MovingAverage:
    """Exponential moving average of variables (Yazıcı 2019).

    The decay grows from 0.1 to its setting, ``min(decay, (1 + t) / (10 + t))``, so that the random
    start is forgotten.
    """

    def __init__(self, variables: Sequence[Any], decay: float) -> None:
        self.variables = list(variables)
        self.shadows = [tf.Variable(variable, trainable=False) for variable in self.variables]
        self._decay = decay

    def update(self, step: Any) -> None:
        """Move the shadows towards the variables; ``step`` counts from 0."""
        now = tf.cast(step, tf.float32)
        rate = 1.0 - tf.minimum(self._decay, (1.0 + now) / (10.0 + now))
        for shadow, variable in zip(self.shadows, self.variables, strict=True):
            shadow.assign_sub(rate * (shadow - variable))

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The variables hold their averages inside, and their own values again afterwards."""
        own = [variable.numpy() for variable in self.variables]
        self.adopt()
        try:
            yield
        finally:
            for variable, value in zip(self.variables, own, strict=True):
                variable.assign(value)

    def adopt(self) -> None:
        """Give the variables their averages for good."""
        for shadow, variable in zip(self.shadows, self.variables, strict=True):
            variable.assign(shadow)


def weight_penalty(variables: Sequence[Any], settings: WeightSettings) -> Tensor:
    """λ₁·Σ|w| + λ₂·Σw² + β·likeness over the kernels; the constant 0 where all three are 0."""
    penalty = tf.constant(0.0)
    for kernel in kernels(variables):
        if settings.l1:
            penalty += settings.l1 * tf.reduce_sum(tf.abs(kernel))
        if settings.l2:
            penalty += settings.l2 * tf.reduce_sum(tf.square(kernel))
        if settings.orthogonal:
            penalty += settings.orthogonal * _likeness(kernel)
    return penalty


def _likeness(kernel: Any) -> Tensor:
    """The squared products of each two columns of a kernel, [inputs, outputs], summed.

    Of a Conv2DTranspose, whose kernel ends with its inputs, of these.
    """
    columns = tf.reshape(kernel, [-1, kernel.shape[-1]])
    products = tf.matmul(columns, columns, transpose_a=True)
    return tf.reduce_sum(tf.square(tf.linalg.set_diag(products, tf.zeros(products.shape[0]))))


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

    def to_original(
        self, variables: Sequence[Any], gradients: Sequence[Tensor], settings: WeightSettings
    ) -> list[Tensor]:
        """∂/∂W = ∂/∂W' · ∂W'/∂W for gradients taken at W', in the order of ``variables``.

        What ``weight_penalty`` by these settings has added to them was taken at W, and stays.
        """
        if not self._kernels:
            return list(gradients)
        with tf.GradientTape() as tape:
            penalty = weight_penalty(self._kernels, settings)
        penalties = tape.gradient(penalty, self._kernels, unconnected_gradients="zero")
        parts = dict(zip(self._names, zip(self._factors, penalties, strict=True), strict=True))
        unchanged = 1.0, 0.0
        return [
            (gradient - of_penalty) * factor + of_penalty
            for gradient, (factor, of_penalty) in (
                (gradient, parts.get(id(variable), unchanged))
                for variable, gradient in zip(variables, gradients, strict=True)
            )
        ]
