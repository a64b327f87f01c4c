import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from deploy.errors import PocketganError
from pipeline.data import SOURCES, Dataset, digits, load, published
from pipeline.data.reading import Request

Load = Callable[..., Dataset]
assert published.FASHION.packaged is not None
INSTALLED_SETS = ["emoji-3d", "emoji-style", "relief"]
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
        return load(source, Request(**(settings | changes)), minimum=minimum)

    return ask


def test_sources_load_without_tensorflow() -> None:
    code = "import sys, pipeline.data; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_sources_are_described_in_one_line_each() -> None:
    assert list(SOURCES) == [
        "digits",
        "mnist",
        "stacked-digits",
        "fashion",
        "folder",
        "pairs",
        "domains",
        *INSTALLED_SETS,
        "teacher",
    ]
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
    with pytest.raises(PocketganError, match="images: pictures to train on: 4") as caught:
        ask("folder", folder=images, minimum=5)
    assert "1 of 6 images are broken" in caught.value.problem
    assert "broken.png" in caught.value.problem
    assert "Training takes 5 at once: add pictures, or set train.batch to 4" in caught.value.remedy
    assert len(ask("folder", folder=images, minimum=4).train) == 4


def test_copies_that_leave_nothing_to_train_on_are_no_matter_of_the_batch(
    ask: Load, tmp_path: Path
) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for index in range(4):
        Image.new("L", (8, 8), index % 2).save(images / f"{index}.png")
    with pytest.raises(PocketganError, match="images: pictures to train on: 0") as caught:
        ask("folder", folder=images, minimum=1, test_fraction=0.5, seed=0)
    assert caught.value.remedy == "Training takes 1 at once: add pictures that are no copies."


def test_load_refuses_an_unknown_source_and_lists_the_known(ask: Load) -> None:
    with pytest.raises(PocketganError, match="'celeba'") as caught:
        ask("celeba")
    assert "digits, mnist, stacked-digits, fashion, folder" in caught.value.remedy


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


# ---------------------------------------------------------------------- inputs


def photos(folder: Path, count: int, size: tuple[int, int] = (40, 40)) -> Path:
    folder.mkdir()
    for index in range(count):
        Image.new("RGB", size, (index, 100, 200)).save(folder / f"{index}.png")
    return folder


@pytest.mark.parametrize(
    ("degrade", "shape"),
    [("half", (16, 16, 3)), ("quarter", (8, 8, 3)), ("grey", (32, 32, 1)), ("mask", (32, 32, 4))],
)
def test_load_makes_inputs_in_the_size_of_the_degradation(
    ask: Load, tmp_path: Path, degrade: str, shape: tuple[int, ...]
) -> None:
    images = photos(tmp_path / "images", 5)
    data = ask("folder", folder=images, image_size=32, channels=3, degrade=degrade, minimum=4)
    assert data.train_inputs is not None
    assert data.test_inputs is not None
    assert data.train_inputs.shape == (4, *shape)
    assert data.test_inputs.shape == (1, *shape)
    assert data.train.shape == (4, 32, 32, 3)


def test_load_makes_inputs_of_digits_that_keep_their_labels(ask: Load) -> None:
    data = ask("digits", degrade="noise")
    assert data.train_inputs is not None
    assert data.train_inputs.shape == data.train.shape
    assert data.train_labels is not None


def test_load_gives_no_inputs_where_none_are_asked_for(ask: Load) -> None:
    assert ask("digits").train_inputs is None


def test_load_makes_the_same_inputs_for_the_same_seed(ask: Load) -> None:
    first, again, other = (ask("digits", degrade="mask", seed=seed) for seed in (1, 1, 2))
    assert first.sha256 == again.sha256
    assert first.sha256 != other.sha256


@pytest.mark.parametrize(
    ("source", "changes", "problem"),
    [
        ("digits", {"degrade": "rain"}, "no degradation 'rain'"),
        ("digits", {"degrade": "grey"}, "cannot be made grey"),
        ("digits", {"degrade": "quarter", "image_size": 30}, "30 pixels cannot be divided by 4"),
        ("digits", {"degrade": "mask", "image_size": 1}, "a mask hides a part"),
        ("digits", {"cut": "tiles"}, "'digits' cannot be cut into tiles"),
        ("folder", {"cut": "stripes"}, "'stripes' is not known"),
        ("folder", {"inputs": Path("x")}, "'folder' reads no folder of inputs"),
        ("pairs", {"degrade": "blur"}, "'pairs' says itself what is read"),
        ("teacher", {"degrade": "blur"}, "'teacher' says itself what is read"),
        ("domains", {"degrade": "blur"}, "'domains' says itself what is read"),
        ("pairs", {}, "'pairs' was given no folder"),
    ],
)
def test_load_refuses_what_a_source_cannot_give(
    ask: Load, source: str, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(PocketganError, match=problem):
        ask(source, **changes)


def test_load_says_which_size_can_be_divided(ask: Load) -> None:
    with pytest.raises(PocketganError) as caught:
        ask("digits", degrade="quarter", image_size=30)
    assert "such as 32" in caught.value.remedy


@pytest.mark.parametrize("source", INSTALLED_SETS)
def test_load_reads_an_installed_set_of_pairs(
    ask: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.setenv("POCKETGAN_CACHE", str(tmp_path))
    with pytest.raises(PocketganError, match=f"{source} is not on this machine") as caught:
        ask(source, minimum=4)
    assert caught.value.remedy.endswith(f"pocketgan data install {source}")
    (tmp_path / "data" / source).mkdir(parents=True)
    for part in ("inputs", "targets"):
        photos(tmp_path / "data" / source / part, 5)
    data = ask(source, minimum=4, channels=3)
    assert data.name == source
    assert data.train_inputs is not None
    assert (data.train_inputs == data.train).all()
    assert data.aligned == (source != "emoji-style")
    with pytest.raises(PocketganError, match="reads no folder"):
        ask(source, folder=tmp_path)
