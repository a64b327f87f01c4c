from functools import partial
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.metrics.quality import Quality, RealImages, measure
from tests.pipeline.metrics.block_means import BlockMeans
from tools.experiments import judges


def noise(highest: int) -> Images:
    return np.random.default_rng(highest).integers(0, highest, (20, 4, 4, 1), dtype=np.uint8)


@pytest.fixture
def qualities() -> dict[str, dict[str, Quality]]:
    """Three files, darker than the real pictures, seen small by one judge, large by another."""
    enlarged = judges.EnlargedPictures(BlockMeans(), 2)
    seen = {
        name: RealImages.seen_by(judge, noise(200))
        for name, judge in {judges.OWN: BlockMeans(), "large": enlarged}.items()
    }
    return {
        f"{highest}.tflite": {
            name: measure(noise(highest), it, seed=1) for name, it in seen.items()
        }
        for highest in (150, 50, 100)
    }


def test_figures_that_were_kept_are_not_made_again(
    qualities: dict[str, dict[str, Quality]], tmp_path: Path
) -> None:
    keep = tmp_path / "figures.jsonl"
    for name, by_judge in qualities.items():
        assert judges.measure_once(keep, name, partial(dict, by_judge)) == by_judge
    for name, by_judge in qualities.items():
        assert judges.measure_once(keep, name, dict) == by_judge
    assert judges.measure_once(keep, "another file", dict) == {}
    assert judges.measure_once(None, "50.tflite", dict) == {}


def test_judges_that_see_the_same_rank_alike(qualities: dict[str, dict[str, Quality]]) -> None:
    scores = judges.scores_of(qualities)
    assert list(scores) == [
        f"{judge} {metric}" for judge in ("own", "large") for metric in ("Fréchet", "SWD", "KID")
    ]
    assert scores["own Fréchet"] == scores["large Fréchet"]
    assert {cell for row in judges.agreement(scores).rows for cell in row[1:]} == {"1.000"}


def test_agreement_is_that_of_the_order_alone() -> None:
    table = judges.agreement(
        {"a": [1.0, 2.0, 3.0, 4.0], "b": [1.0, 2.0, 9.0, 5.0], "c": [4.0, 3.0, 2.0, 1.0]}
    )
    assert table.rows[0][1:] == ["1.000", "0.800", "-1.000"]


def test_enlarged_pictures_repeat_every_pixel() -> None:
    small = np.arange(4, dtype=np.uint8).reshape(1, 2, 2, 1)
    large = np.kron(small[0, ..., 0], np.ones((4, 4), np.uint8)).reshape(1, 8, 8, 1)
    means = judges.EnlargedPictures(BlockMeans(), 4).features(small)
    np.testing.assert_array_equal(means, BlockMeans().features(large))
    assert means.tolist() == [[0.5, 0.5, 2.5, 2.5]]


def test_files_of_a_run_are_its_variants_or_one_of_them(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "4-convert"
    folder.mkdir(parents=True)
    for name in ("int8", "float32"):
        (folder / f"{name}.tflite").touch()
    assert list(judges.files_of(tmp_path / "mine")) == ["mine float32", "mine int8"]
    assert list(judges.files_of(tmp_path / "mine", only="int8")) == ["mine int8"]
    assert list(judges.files_of(folder / "int8.tflite", only="float32")) == ["int8.tflite"]
    with pytest.raises(PocketganError, match="holds no int8-qat of a run"):
        judges.files_of(tmp_path / "mine", only="int8-qat")
