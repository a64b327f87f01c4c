import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.data import fashion, published

needs_debian = pytest.mark.skipif(
    not fashion.PACKAGED.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)


@needs_debian
def test_fashion_reads_debians_package_and_keeps_the_published_parts() -> None:
    data = fashion.load(None)
    assert data.train.shape == (60000, 28, 28, 1)
    assert data.test.shape == (10000, 28, 28, 1)
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert data.classes[9] == "Ankle boot"


@needs_debian
def test_fashion_through_keras_is_the_same_data(tmp_path: Path, fake_home: Path) -> None:
    direct = fashion.load(None).sha256
    kept = fake_home / ".keras" / "datasets" / "fashion-mnist"
    shutil.copytree(fashion.PACKAGED, kept)  # as an earlier download would have left it
    elsewhere = replace(fashion.FASHION, packaged=tmp_path / "missing")
    assert published.load(elsewhere, None).sha256 == direct


def test_fashion_without_package_folder_or_network_names_the_three_ways(
    tmp_path: Path, fake_home: Path
) -> None:
    elsewhere = replace(fashion.FASHION, packaged=tmp_path / "missing")
    with pytest.raises(PocketganError, match="download failed") as caught:
        published.load(elsewhere, None)
    for way in ("dataset-fashion-mnist", "folder", "network"):
        assert way in caught.value.remedy


def test_fashion_with_a_broken_keras_download_says_so(tmp_path: Path, fake_home: Path) -> None:
    kept = fake_home / ".keras" / "datasets" / "fashion-mnist"
    kept.mkdir(parents=True)
    for name in published.FILES:
        (kept / f"{name}.gz").write_bytes(b"half a file")
    elsewhere = replace(fashion.FASHION, packaged=tmp_path / "missing")
    with pytest.raises(PocketganError, match="download failed") as caught:
        published.load(elsewhere, None)
    assert ".keras/datasets" in caught.value.remedy
