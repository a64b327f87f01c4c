"""Axes as products of factors: what is regrouped, and what would have to be moved."""

import numpy as np
import pytest

from pipeline.importers.onnx_files.layout import Layout, LayoutError, reordered


def test_channels_first_are_stored_last() -> None:
    layout = Layout.plain([1, 8, 3, 5], channels_last=True)
    assert (layout.shape, layout.stored_shape) == ((1, 8, 3, 5), (3, 5, 8))


def test_axes_of_length_one_come_and_go() -> None:
    layout = Layout.plain([1, 8, 1, 1], channels_last=True).reshaped([1, 8])
    assert layout.reshaped([1, 1, 8, 1]).shape == (1, 1, 8, 1)


def test_flattened_map_remembers_where_its_numbers_lie() -> None:
    layout = Layout.plain([1, 2, 3, 5], channels_last=True).reshaped([1, 30])
    stored = tuple(factor for axis in layout.stored[1:] for factor in axis)
    numbers = np.arange(30)  # as ONNX counts them
    wanted = numbers.reshape(2, 3, 5).transpose(1, 2, 0).ravel()
    np.testing.assert_array_equal(reordered(numbers, 0, layout.axes[1], stored), wanted)


@pytest.mark.parametrize("shape", [[1, 4, 30], [1, 2, 2, 30], [1, 120], [1, 8, 15]])
def test_reshaping_there_and_back_gives_the_same_axes(shape: list[int]) -> None:
    other = Layout.plain([1, 8, 3, 5], channels_last=True).reshaped(shape)
    assert other.shape == tuple(shape)
    assert other.reshaped([1, 8, 3, 5]).shape == (1, 8, 3, 5)


@pytest.mark.parametrize("shape", [[1, 6, 20], [1, 5, 24], [1, 8, 3]])
def test_cut_through_the_middle_of_a_factor_is_refused(shape: list[int]) -> None:
    with pytest.raises(LayoutError, match="cut"):
        Layout.plain([1, 8, 3, 5], channels_last=True).reshaped(shape)


def test_transposing_moves_the_axes_and_no_numbers() -> None:
    layout = Layout.plain([1, 2, 3, 5])
    moved = layout.transposed([0, 3, 1, 2])
    assert (moved.shape, moved.stored) == ((1, 5, 2, 3), layout.stored)


@pytest.mark.parametrize("shape", [[2, 30], [60], [30, 2], [4, 15]])
def test_batch_that_is_mixed_with_another_axis_is_refused(shape: list[int]) -> None:
    with pytest.raises(LayoutError):
        Layout.plain([1, 4, 15]).reshaped(shape)
