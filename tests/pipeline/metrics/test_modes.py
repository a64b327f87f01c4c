import math

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.metrics.modes import class_divergence, class_histogram, classes_present


def test_histogram_counts_every_class_and_keeps_empty_ones() -> None:
    histogram = class_histogram(np.array([0, 2, 2, 0, 2]), classes=4)
    assert histogram.tolist() == [2, 0, 3, 0]
    assert histogram.dtype == np.int64


@pytest.mark.parametrize("label", [-1, 4])
def test_histogram_refuses_a_label_outside_the_classes(label: int) -> None:
    with pytest.raises(PocketganError, match="expected 0 to 3"):
        class_histogram(np.array([0, label]), classes=4)


def test_divergence_of_proportional_histograms_is_zero() -> None:
    assert class_divergence([1, 2, 3], [10, 20, 30]) == 0


def test_divergence_of_a_single_class_against_ten_even_ones_is_log_ten() -> None:
    assert class_divergence([7] + [0] * 9, [5] * 10) == pytest.approx(math.log(10))


def test_divergence_runs_from_generated_to_real() -> None:
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert class_divergence([3, 1], [1, 1]) == pytest.approx(expected)


def test_divergence_is_infinite_where_a_class_without_real_images_is_drawn() -> None:
    assert class_divergence([1, 1], [1, 0]) == math.inf


def test_divergence_refuses_an_empty_histogram() -> None:
    with pytest.raises(PocketganError, match="counts no image"):
        class_divergence([0, 0], [1, 1])


def test_a_class_is_present_from_a_tenth_of_its_real_share_on() -> None:
    real = [500, 500]
    assert classes_present([950, 50], real) == 2
    assert classes_present([951, 49], real) == 1


def test_a_rare_class_needs_only_a_tenth_of_its_small_share() -> None:
    assert classes_present([997, 3], [980, 20]) == 2


def test_a_class_without_real_images_never_counts_as_present() -> None:
    assert classes_present([50, 50], [100, 0]) == 1
