"""The levels of a rounded weight, and the quantizer that rounds kernels to them in training."""

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot

FULL_BITS = 8
"""Bits of a weight that may have every level of the file's int8."""
INT8_LEVELS = 127
"""Levels of an int8 weight on either side of zero: the range is symmetric."""
# The least range of a channel, as a share of its layer's widest. What such a channel adds is less
# than a step of the layer's output.
_SMALLEST_CHANNEL = 1e-4


def levels(bits: float) -> int:
    """Levels on either side of zero of a weight with ``bits`` (2 to 8) bits: 7 for 4, 10 for 4.46.

    With bits that are no whole number there are as many levels as one likes: 2ᵇ − 1 altogether.
    """
    return round(2 ** (bits - 1)) - 1


class MaskedWeights(tfmot.quantization.keras.quantizers.LastValueQuantizer):  # type: ignore[misc]
    """Symmetric weights of 2ᵇ − 1 levels in which a zero of the pruned kernel stays a zero.

    The mask is part of the model: a masked weight gets no gradient, and a symmetric range maps 0
    to 0, so that the zeros can be counted again in the file.

    The file stores int8 whatever ``bits`` (2 to 8) says: level n is the number n, so that a kernel
    of 4 bits holds −7..7. The range says so to the converter: it is ±127 steps, of which the
    outer levels stay unused.
    """

    def __init__(self, *, per_axis: bool, bits: float = FULL_BITS) -> None:
        super().__init__(num_bits=8, per_axis=per_axis, symmetric=True, narrow_range=True)
        self.bits = bits

    def build(self, tensor_shape: Any, name: str, layer: Any) -> dict[str, Any]:
        """Range variables, and the mask float32 [kernel's shape], all ones at first."""
        mask = layer.add_weight(
            f"{name}_mask", shape=tensor_shape, initializer="ones", trainable=False
        )
        return {**super().build(tensor_shape, name, layer), "mask": mask}

    def __call__(self, inputs: Any, training: Any, weights: dict[str, Any], **kwargs: Any) -> Any:
        """The kernel, masked and rounded to its levels. While training, 8 bits follow its range.

        Fewer keep the range they began with, and weights beyond it are cut: were few levels spread
        over a range that grows, one large weight would turn most of the others into zeros.
        """
        kernel = self.within(inputs, weights)
        low, high = weights["min_var"], weights["max_var"]
        if training and self.bits == FULL_BITS:
            low, high = self._follow(kernel, weights)
        per_channel = tf.quantization.fake_quant_with_min_max_vars_per_channel
        per_tensor = tf.quantization.fake_quant_with_min_max_vars
        return (per_channel if self.per_axis else per_tensor)(kernel, low, high, narrow_range=True)

    def within(self, kernel: Any, weights: dict[str, Any]) -> Any:
        """The kernel, masked, and with fewer than 8 bits cut to its range, but not rounded."""
        masked = kernel * weights["mask"]
        if self.bits == FULL_BITS:
            return masked
        outermost = weights["max_var"] * (levels(self.bits) / INT8_LEVELS)
        return tf.clip_by_value(masked, -outermost, outermost)

    def start(self, kernel: Any, weights: dict[str, Any]) -> None:
        """Set the mask and the first range from a kernel as it is."""
        weights["mask"].assign(tf.cast(kernel != 0, tf.float32))
        self._follow(kernel, weights)

    def _follow(self, kernel: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
        limit = self._limit(kernel) * (INT8_LEVELS / levels(self.bits))
        return weights["min_var"].assign(-limit), weights["max_var"].assign(limit)

    def _limit(self, kernel: Any) -> Any:
        axes = range(len(kernel.shape) - 1) if self.per_axis else range(len(kernel.shape))
        limit = tf.reduce_max(tf.abs(kernel), list(axes))
        largest = tf.reduce_max(limit)
        # A pruned channel may be all zeros. A bias is counted in steps of the kernel's scale times
        # the input's, so that a scale near 0 would put it beyond int32.
        return tf.maximum(limit, tf.where(largest > 0, largest * _SMALLEST_CHANNEL, 1.0))

    def get_config(self) -> dict[str, Any]:
        """What the constructor takes."""
        return {"per_axis": self.per_axis, "bits": self.bits}
