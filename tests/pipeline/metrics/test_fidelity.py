from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.metrics.fidelity import colourfulness, psnr, ssim, steps_histogram, within_steps


def noise(seed: int, shape: tuple[int, ...] = (6, 28, 28, 1)) -> Images:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def flat(value: int, count: int = 2) -> Images:
    return np.full((count, 28, 28, 1), value, np.uint8)


def reference_ssim(a: Images, b: Images) -> float:
    """Wang et al. 2004 on another library's Gaussian window, valid positions only."""

    def blur(values: np.ndarray) -> np.ndarray:
        window = (0, 1.5, 1.5, 0)
        return gaussian_filter(values, window, truncate=3.4)[:, 5:-5, 5:-5]

    x, y = a.astype(float), b.astype(float)
    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    covariance = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    value = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    return float((value / (mean_x**2 + mean_y**2 + c1) / (var_x + var_y + c2)).mean())


def test_steps_histogram_counts_distances_up_and_down_without_wrapping() -> None:
    a = np.array([0, 255, 10, 10], np.uint8).reshape(1, 2, 2, 1)
    b = np.array([255, 0, 12, 8], np.uint8).reshape(1, 2, 2, 1)
    histogram = steps_histogram(a, b)
    assert histogram.shape == (256,)
    assert {step: int(histogram[step]) for step in histogram.nonzero()[0]} == {2: 2, 255: 2}


def test_within_steps_includes_the_step_itself() -> None:
    a = np.zeros((1, 2, 2, 1), np.uint8)
    b = np.array([0, 1, 2, 3], np.uint8).reshape(1, 2, 2, 1)
    assert [within_steps(a, b, steps) for steps in range(4)] == [0.25, 0.5, 0.75, 1.0]


def test_psnr_of_a_known_error_is_the_formula() -> None:
    # One step of error everywhere: 20 log10(255).
    assert psnr(flat(7), flat(8)) == pytest.approx(48.1308036)


def test_psnr_of_black_against_white_is_zero_decibels() -> None:
    assert psnr(flat(0), flat(255)) == 0


def test_psnr_pools_the_error_so_that_one_equal_pair_stays_finite() -> None:
    a, b = flat(7), flat(8)
    b[0] = a[0]
    assert psnr(a, b) == pytest.approx(48.1308036 + 3.0102999)


def test_psnr_of_equal_batches_is_none() -> None:
    assert psnr(noise(1), noise(1)) is None


@pytest.mark.parametrize("shape", [(6, 28, 28, 1), (3, 32, 32, 3), (2, 11, 14, 1)])
def test_ssim_equals_the_definition_on_another_library(shape: tuple[int, ...]) -> None:
    a = noise(1, shape)
    b = (0.6 * a + 0.4 * noise(2, shape)).astype(np.uint8)
    assert 0.5 < ssim(a, b) < 0.95
    assert ssim(a, b) == pytest.approx(reference_ssim(a, b), abs=1e-5)


def test_ssim_of_equal_batches_is_one() -> None:
    assert ssim(noise(1), noise(1)) == 1


def test_ssim_averages_over_more_images_than_fit_in_one_batch() -> None:
    a, b = np.zeros((300, 28, 28, 1), np.uint8), np.zeros((300, 28, 28, 1), np.uint8)
    a[:30], b[:30] = noise(1, (30, 28, 28, 1)), noise(2, (30, 28, 28, 1))
    expected = (30 * ssim(a[:30], b[:30]) + 270) / 300
    assert ssim(a, b) == pytest.approx(expected, abs=1e-6)


def test_ssim_refuses_images_smaller_than_its_window() -> None:
    with pytest.raises(PocketganError, match="11x11"):
        ssim(noise(1, (2, 10, 28, 1)), noise(2, (2, 10, 28, 1)))


@pytest.mark.parametrize("measure", [steps_histogram, psnr, ssim])
@pytest.mark.parametrize(
    "other",
    [
        noise(2, (5, 28, 28, 1)),
        noise(2).astype(np.float32),
        noise(2)[..., 0],
    ],
    ids=["other count", "floats", "no channels"],
)
def test_fidelity_refuses_batches_that_do_not_match(
    measure: Callable[[Images, Images], object], other: Images
) -> None:
    with pytest.raises(PocketganError, match="two equal, filled uint8 batches"):
        measure(noise(1), other)


def test_fidelity_refuses_empty_batches() -> None:
    with pytest.raises(PocketganError, match="two equal, filled uint8 batches"):
        psnr(noise(1)[:0], noise(1)[:0])


def test_grey_has_no_colour_and_paint_has_much() -> None:
    grey = np.random.default_rng(1).integers(0, 256, (2, 16, 16, 1), dtype=np.uint8).repeat(3, -1)
    paint = np.zeros((2, 16, 16, 3), np.uint8)
    paint[:, :8, :, 0] = paint[:, 8:, :, 2] = 255
    assert colourfulness(grey) == 0
    assert colourfulness(paint) > 100
