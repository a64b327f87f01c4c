import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import SOURCES, Dataset, digits, load, published, sources

Load = Callable[..., Dataset]
assert published.FASHION.packaged is not None
PACKAGED = published.FASHION.packaged


@pytest.fixture
def ask(tmp_path: Path) -> Load:
    def ask(source: str, *, minimum: int = 64, **changes: Any) -> Dataset:
        settings: dict[str, Any] = {
            "image_size": 28,
            "channels": 1,
            "folder": None,
            "cache": tmp_path / "cache",
            "test_fraction": 0.2,
            "seed": 1,
        }
        return load(source, sources.Request(**(settings | changes)), minimum=minimum)

    return ask


def test_sources_load_without_tensorflow() -> None:
    code = "import sys, pipeline.data; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sources_are_described_in_one_line_each() -> None:
    assert list(SOURCES) == ["digits", "mnist", "fashion", "folder", "teacher"]
    assert all(source.describe and "\n" not in source.describe for source in SOURCES.values())


def test_load_gives_digits_in_the_size_and_channels_asked(ask: Load) -> None:
    data, plain = ask("digits", image_size=32, channels=3), digits.load(0.2, seed=1)
    assert data.train.shape == (4000, 32, 32, 3)
    assert data.test.shape == (1000, 32, 32, 3)
    assert (data.test[:, 2:-2, 2:-2] == plain.test).all()
    assert data.test_labels is not None
    assert plain.test_labels is not None
    assert (data.test_labels == plain.test_labels).all()


def test_load_gives_a_folder_in_the_size_and_channels_asked(ask: Load, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index in range(5):
        Image.new("RGB", (30, 20), (index, 0, 0)).save(images / f"{index}.png")
    data = ask("folder", folder=images, image_size=24, channels=3, minimum=4)
    assert data.train.shape == (4, 24, 24, 3)
    assert sorted([*data.train[:, 0, 0, 0], *data.test[:, 0, 0, 0]]) == [0, 1, 2, 3, 4]


def test_load_refuses_a_folder_with_less_than_a_batch_and_lists_the_broken(
    ask: Load, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index in range(5):
        Image.new("L", (8, 8), index).save(images / f"{index}.png")
    (images / "broken.png").touch()
    with pytest.raises(PocketganError, match="images has 4 images to train on") as caught:
        ask("folder", folder=images, minimum=5)
    assert "1 of 6 images are broken" in caught.value.problem
    assert "broken.png" in caught.value.problem
    assert "A batch needs 5" in caught.value.remedy
    assert len(ask("folder", folder=images, minimum=4).train) == 4


def test_load_refuses_an_unknown_source_and_lists_the_known(ask: Load) -> None:
    with pytest.raises(PocketganError, match="'celeba'") as caught:
        ask("celeba")
    assert "digits, mnist, fashion, folder" in caught.value.remedy


@pytest.mark.parametrize("changes", [{"channels": 2}, {"channels": 4}, {"image_size": 0}])
def test_load_refuses_images_that_cannot_be_made(ask: Load, changes: dict[str, int]) -> None:
    with pytest.raises(PocketganError, match="cannot be made"):
        ask("digits", **changes)


def test_load_refuses_a_folder_that_is_missing_or_would_be_ignored(
    ask: Load, tmp_path: Path
) -> None:
    with pytest.raises(PocketganError, match="given no folder"):
        ask("folder")
    with pytest.raises(PocketganError, match="reads no folder"):
        ask("digits", folder=tmp_path)


@pytest.mark.parametrize("source", ["mnist", "fashion"])
def test_load_hands_the_folder_to_the_sources_that_read_idx_files(
    ask: Load, tmp_path: Path, source: str
) -> None:
    with pytest.raises(PocketganError, match="holds no train-images-idx3-ubyte"):
        ask(source, folder=tmp_path)


@pytest.mark.skipif(
    not PACKAGED.is_dir(),
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_load_gives_fashion_with_background_for_32_pixels(ask: Load) -> None:
    data = ask("fashion", image_size=32)
    assert data.train.shape == (60000, 32, 32, 1)
    assert np.all(data.train[:, :2] == 0)
