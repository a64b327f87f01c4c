import numpy as np
import pytest
import tensorflow as tf

from pipeline.compression.spec import CompressedKernels, CompressionSpec, compressed

KERNEL = np.random.default_rng(1).normal(size=(6, 50)).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 3, 5, 8])
def test_kernel_has_as_many_levels_as_its_bits_allow_and_zero_is_one(bits: int) -> None:
    rounded = np.unique(compressed(tf.constant(KERNEL), CompressionSpec(bits)).numpy())
    assert len(rounded) <= 2**bits - 1
    assert 0 in rounded
    assert np.abs(rounded).max() == pytest.approx(np.abs(KERNEL).max(), rel=1e-5)


@pytest.mark.parametrize("zeros", [0.3, 0.5, 0.9])
def test_smallest_weights_become_zero(zeros: float) -> None:
    rounded = compressed(tf.constant(KERNEL), CompressionSpec(8, zeros)).numpy()
    assert np.mean(rounded == 0) >= zeros
    assert np.mean(rounded == 0) < zeros + 0.03
    assert np.abs(KERNEL[rounded != 0]).min() >= np.quantile(np.abs(KERNEL), zeros) - 1e-3


def test_error_is_at_most_half_a_step() -> None:
    step = np.abs(KERNEL).max() / 15
    apart = np.abs(compressed(tf.constant(KERNEL), CompressionSpec(5)).numpy() - KERNEL)
    assert 0 < apart.max() <= step / 2 * 1.001


def test_kernels_are_coarse_inside_and_as_before_afterwards() -> None:
    kernel = tf.Variable(KERNEL, name="dense/kernel:0")
    bias = tf.Variable(KERNEL[0], name="dense/bias:0")
    with CompressedKernels([kernel, bias], CompressionSpec(2)):
        assert len(np.unique(kernel.numpy())) <= 3
        np.testing.assert_array_equal(bias.numpy(), KERNEL[0])
    np.testing.assert_array_equal(kernel.numpy(), KERNEL)


def test_gradient_inside_is_that_of_the_coarse_kernel() -> None:
    kernel = tf.Variable(KERNEL, name="dense/kernel:0")
    with tf.GradientTape() as tape, CompressedKernels([kernel], CompressionSpec(3)):
        loss = tf.reduce_sum(tf.square(kernel))
    expected = 2 * compressed(tf.constant(KERNEL), CompressionSpec(3)).numpy()
    np.testing.assert_allclose(tape.gradient(loss, kernel).numpy(), expected, rtol=1e-5)


def test_fine_kernels_are_left_alone() -> None:
    kernel = tf.Variable(KERNEL, name="dense/kernel:0")
    with CompressedKernels([kernel], CompressionSpec()):
        np.testing.assert_array_equal(kernel.numpy(), KERNEL)
