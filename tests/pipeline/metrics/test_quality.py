import math

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.data.dataset import Dataset
from pipeline.metrics.judge import Judge
from pipeline.metrics.quality import FeatureNetwork, Quality, RealImages, floor, measure
from tests.pipeline.metrics.block_means import BlockMeans

OF_GREY_GENERATION = {
    **dict.fromkeys(("psnr_truth", "ssim_truth"), "it is not known what the pictures should be"),
    "psnr_hole": "no mask hides a part of pictures whose truth is known",
    "colourfulness": "the pictures are grey",
}


@pytest.fixture(scope="module")
def real(judge: Judge, dataset: Dataset) -> RealImages:
    return RealImages.seen_by(judge, dataset.test)


def absent_without_reason(quality: Quality) -> set[str]:
    missing = {name for name, value in quality.model_dump().items() if value is None}
    return missing ^ set(quality.absent)


def test_real_images_measured_against_themselves_are_perfect(
    real: RealImages, dataset: Dataset
) -> None:
    quality = measure(dataset.test, real, seed=1)
    assert quality.frechet == pytest.approx(0, abs=1e-6)
    assert quality.sliced_wasserstein == 0
    assert (quality.precision, quality.recall, quality.coverage) == (1, 1, 1)
    assert quality.class_kl == 0
    assert quality.modes == 3
    assert quality.class_histogram == (20, 20, 20)


def test_record_states_sizes_seed_and_judge(
    real: RealImages, judge: Judge, dataset: Dataset
) -> None:
    quality = measure(dataset.train[:31], real, seed=5)
    assert (quality.samples, quality.real_samples, quality.seed) == (31, 60, 5)
    assert quality.judge == judge.sha256


def test_noise_is_worse_than_real_images_in_every_figure(
    real: RealImages, dataset: Dataset
) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (60, 12, 12, 1), dtype=np.uint8)
    bad, good = measure(noise, real, seed=1), measure(dataset.train[:60], real, seed=1)
    assert bad.frechet > 10 * good.frechet
    assert bad.kid > good.kid + good.kid_std
    assert bad.sliced_wasserstein > 10 * good.sliced_wasserstein
    assert bad.precision < good.precision
    assert bad.recall < good.recall
    assert bad.density < good.density
    assert bad.coverage < good.coverage


def test_generator_that_never_draws_a_class_lacks_a_mode(
    real: RealImages, dataset: Dataset
) -> None:
    quality = measure(dataset.train[dataset.train_labels != 2], real, seed=1)
    assert quality.modes == 2
    assert quality.class_kl == pytest.approx(math.log(3 / 2), abs=1e-3)


def test_class_without_real_images_leaves_the_divergence_absent_with_the_reason(
    judge: Judge, dataset: Dataset
) -> None:
    two_classes = RealImages.seen_by(judge, dataset.test[dataset.test_labels != 2])
    quality = measure(dataset.train, two_classes, seed=1)
    assert quality.class_kl is None
    assert "infinite" in quality.absent["class_kl"]
    assert quality.modes == 2
    assert absent_without_reason(quality) == set()


def test_class_figures_are_absent_with_the_reason_where_there_are_no_classes(
    rotation_judge: Judge, unlabelled: Dataset
) -> None:
    quality = measure(unlabelled.train, RealImages.seen_by(rotation_judge, unlabelled.test), seed=1)
    assert (quality.modes, quality.class_histogram, quality.class_kl) == (None, None, None)
    assert "no labels" in quality.absent["class_histogram"]
    assert absent_without_reason(quality) == set()


def test_fidelity_is_absent_with_the_reason_without_another_variant(
    real: RealImages, dataset: Dataset
) -> None:
    quality = measure(dataset.train, real, seed=1)
    assert (quality.psnr, quality.ssim) == (None, None)
    assert absent_without_reason(quality) == set()


def test_fidelity_is_taken_against_the_same_latents(real: RealImages, dataset: Dataset) -> None:
    images = dataset.train[:60]
    quality = measure(images, real, seed=1, same_latents=images + np.uint8(1))
    assert quality.psnr == pytest.approx(48.1308036)
    assert quality.ssim is not None
    assert 0.9 < quality.ssim < 1
    assert quality.absent == OF_GREY_GENERATION


def test_infinite_psnr_of_equal_variants_is_absent_with_the_reason(
    real: RealImages, dataset: Dataset
) -> None:
    quality = measure(dataset.test, real, seed=1, same_latents=dataset.test)
    assert quality.psnr is None
    assert quality.absent == {"psnr": "infinite: every pixel is equal"} | OF_GREY_GENERATION
    assert quality.ssim == 1


def test_record_survives_json(real: RealImages, dataset: Dataset) -> None:
    quality = measure(dataset.test, real, seed=1, same_latents=dataset.test)
    assert Quality.model_validate_json(quality.model_dump_json()) == quality


def test_equal_seeds_give_equal_records(real: RealImages, dataset: Dataset) -> None:
    first = measure(dataset.train, real, seed=1)
    assert first == measure(dataset.train, real, seed=1)
    assert first.kid != measure(dataset.train, real, seed=2).kid


def test_any_network_with_features_can_judge(dataset: Dataset) -> None:
    another: FeatureNetwork = BlockMeans()
    quality = measure(dataset.train, RealImages.seen_by(another, dataset.test), seed=1)
    assert quality.judge == "means"
    assert quality.coverage > 0.8


def test_too_few_images_are_refused(real: RealImages, dataset: Dataset) -> None:
    with pytest.raises(PocketganError, match="holds 5 samples"):
        measure(dataset.train[:5], real, seed=1)


def test_floor_compares_training_images_with_test_images(
    real: RealImages, dataset: Dataset
) -> None:
    quality = floor(dataset, real, samples=100, seed=1)
    assert (quality.samples, quality.real_samples) == (100, 60)
    assert quality.frechet > 0
    assert quality.coverage > 0.8


def test_floor_draws_its_images_by_the_seed(real: RealImages, dataset: Dataset) -> None:
    first = floor(dataset, real, samples=100, seed=1)
    assert first == floor(dataset, real, samples=100, seed=1)
    assert first.frechet != floor(dataset, real, samples=100, seed=2).frechet


def test_floor_takes_every_training_image_once_where_more_are_asked_for(
    real: RealImages, dataset: Dataset
) -> None:
    quality = floor(dataset, real, samples=1000, seed=1)
    assert quality.samples == 200
    everything = measure(dataset.train, real, seed=1)
    assert quality.frechet == pytest.approx(everything.frechet)


def test_translation_is_measured_against_the_truth_too(real: RealImages, dataset: Dataset) -> None:
    truth = dataset.test
    brighter = np.clip(truth.astype(int) + 10, 0, 255).astype(np.uint8)
    quality = measure(brighter, real, seed=1, truth=truth)
    assert quality.psnr_truth == pytest.approx(20 * math.log10(255 / 10), abs=0.5)
    assert quality.ssim_truth is not None
    assert 0.9 < quality.ssim_truth < 1
    assert quality.psnr is None


def test_what_a_mask_hid_is_measured_apart(real: RealImages, dataset: Dataset) -> None:
    truth = dataset.test
    hole = np.zeros(truth.shape[:3], bool)
    hole[:, :4] = True
    wrong_inside = np.where(hole[..., np.newaxis], truth ^ 16, truth)
    quality = measure(wrong_inside, real, seed=1, truth=truth, hole=hole)
    assert quality.psnr_hole == pytest.approx(20 * math.log10(255 / 16))
    assert quality.psnr_truth is not None
    assert quality.psnr_truth > quality.psnr_hole + 1
    wrong_outside = np.where(hole[..., np.newaxis], truth, truth ^ 16)
    untouched = measure(wrong_outside, real, seed=1, truth=truth, hole=hole)
    assert untouched.absent["psnr_hole"] == "infinite: every hidden pixel is equal"
