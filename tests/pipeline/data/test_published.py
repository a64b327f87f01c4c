import gzip
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.data import idx, published
from pipeline.data.dataset import Dataset

assert published.FASHION.packaged is not None
PACKAGED = published.FASHION.packaged
needs_debian = pytest.mark.skipif(
    not PACKAGED.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed"
)

TRAIN = np.arange(3 * 28 * 28, dtype=np.uint32).reshape(3, 28, 28).astype(np.uint8)
TEST = TRAIN[:2, ::-1]
ARRAYS = {
    published.TRAIN_IMAGES: TRAIN,
    published.TRAIN_LABELS: np.array([2, 0, 1], np.uint8),
    published.TEST_IMAGES: TEST,
    published.TEST_LABELS: np.array([1, 2], np.uint8),
}

Download = tuple[published.Pair, published.Pair]


def no_network() -> Download:
    raise Exception("URL fetch failure")


def tiny(
    download: Callable[[], Download] = no_network, packaged: Path | None = None
) -> published.Published:
    """A published data set of five images."""
    return published.Published(
        name="tiny",
        classes=("a", "b", "c"),
        checksums={name: idx.sha256(array) for name, array in ARRAYS.items()},
        download=download,
        ways="ask a friend.",
        keras_file="tiny.npz",
        packaged=packaged,
    )


def write(
    folder: Path,
    rename: Callable[[str], str] = str,
    pack: Callable[[bytes], bytes] = bytes,
) -> Path:
    folder.mkdir(exist_ok=True)
    for name, array in ARRAYS.items():
        (folder / rename(name)).write_bytes(pack(idx.header(array.shape) + array.tobytes()))
    return folder


def check(data: Dataset) -> None:
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert (data.train == TRAIN[..., np.newaxis]).all()
    assert (data.test == TEST[..., np.newaxis]).all()
    assert data.train.dtype == data.test.dtype == np.uint8
    assert data.train_labels.tolist() == [2, 0, 1]
    assert data.test_labels.tolist() == [1, 2]
    assert data.train_labels.dtype == data.test_labels.dtype == np.int64
    assert data.classes == ("a", "b", "c")


@pytest.mark.parametrize(
    ("rename", "pack"),
    [
        (lambda name: name, bytes),
        (lambda name: f"{name}.gz", gzip.compress),
        (lambda name: name.replace("-idx", ".idx"), bytes),
    ],
    ids=["plain", "gzip", "dotted"],
)
def test_load_reads_a_folder_of_idx_files_under_each_usual_name(
    tmp_path: Path, rename: Callable[[str], str], pack: Callable[[bytes], bytes]
) -> None:
    check(published.load(tiny(), write(tmp_path, rename, pack)))


def test_load_looks_in_the_packaged_folder_where_no_folder_is_given(tmp_path: Path) -> None:
    check(published.load(tiny(packaged=write(tmp_path)), None))


def test_load_prefers_the_folder_that_the_user_gave(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(PocketganError, match="empty holds no train-images-idx3-ubyte or"):
        published.load(tiny(packaged=write(tmp_path / "packaged")), empty)


def test_load_downloads_where_nothing_is_on_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def download() -> Download:
        print("progress")
        train, train_labels, test, test_labels = ARRAYS.values()
        return (train, train_labels), (test, test_labels)

    check(published.load(tiny(download, packaged=tmp_path / "missing"), None))
    assert capsys.readouterr() == ("", "progress\n")


def test_load_turns_a_failed_download_into_one_error_with_the_ways() -> None:
    with pytest.raises(PocketganError, match="download failed: URL fetch failure") as caught:
        published.load(tiny(), None)
    assert "ask a friend" in caught.value.remedy


@pytest.mark.parametrize("name", published.FILES)
def test_load_refuses_another_file_under_a_published_name(tmp_path: Path, name: str) -> None:
    write(tmp_path)
    other = ARRAYS[name] ^ np.uint8(1)
    (tmp_path / name).write_bytes(idx.header(other.shape) + other.tobytes())
    with pytest.raises(PocketganError, match=f"{name} is not the published file"):
        published.load(tiny(), tmp_path)


def test_load_refuses_published_values_in_another_shape(tmp_path: Path) -> None:
    write(tmp_path)
    content = idx.header((3, 14, 56)) + TRAIN.tobytes()
    (tmp_path / published.TRAIN_IMAGES).write_bytes(content)
    with pytest.raises(PocketganError, match="not the published file"):
        published.load(tiny(), tmp_path)


def test_load_refuses_a_download_that_is_not_what_was_published() -> None:
    def download() -> Download:
        return (TRAIN, ARRAYS[published.TRAIN_LABELS]), (TRAIN, ARRAYS[published.TEST_LABELS])

    with pytest.raises(PocketganError, match="download of t10k-images-idx3-ubyte is not"):
        published.load(tiny(download), None)


@pytest.mark.parametrize("name", published.FILES)
def test_load_names_a_missing_file_and_the_ways_to_get_it(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(PocketganError, match=f"holds no {name}") as caught:
        published.load(tiny(), tmp_path)
    assert "ask a friend" in caught.value.remedy


def test_load_refuses_a_folder_that_is_missing_or_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("missing", "file"):
        with pytest.raises(PocketganError, match=f"{name} is not a folder"):
            published.load(tiny(), tmp_path / name)


def test_mnist_without_folder_or_network_names_the_three_ways(fake_home: Path) -> None:
    with pytest.raises(PocketganError, match="mnist is not on this machine") as caught:
        published.load(published.MNIST, None)
    for way in ("folder", "network", "digits"):
        assert way in caught.value.remedy


def test_mnist_refuses_a_folder_without_its_files(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="holds no train-images-idx3-ubyte"):
        published.load(published.MNIST, tmp_path)


@needs_debian
def test_fashion_reads_debians_package_and_keeps_the_published_parts() -> None:
    data = published.load(published.FASHION, None)
    assert data.train.shape == (60000, 28, 28, 1)
    assert data.test.shape == (10000, 28, 28, 1)
    assert data.train_labels is not None
    assert data.test_labels is not None
    assert np.bincount(data.train_labels).tolist() == [6000] * 10
    assert np.bincount(data.test_labels).tolist() == [1000] * 10
    assert data.classes[9] == "Ankle boot"


@needs_debian
def test_fashion_through_keras_is_the_same_data(tmp_path: Path, fake_home: Path) -> None:
    direct = published.load(published.FASHION, None).sha256
    downloads = fake_home / ".keras" / "datasets" / "fashion-mnist"
    shutil.copytree(PACKAGED, downloads)  # as an earlier download would have left it
    elsewhere = replace(published.FASHION, packaged=tmp_path / "missing")
    assert published.load(elsewhere, None).sha256 == direct


def test_fashion_without_package_folder_or_network_names_the_three_ways(
    tmp_path: Path, fake_home: Path
) -> None:
    elsewhere = replace(published.FASHION, packaged=tmp_path / "missing")
    with pytest.raises(PocketganError, match="download failed") as caught:
        published.load(elsewhere, None)
    for way in ("dataset-fashion-mnist", "folder", "network"):
        assert way in caught.value.remedy


def test_fashion_with_a_broken_keras_download_says_so(tmp_path: Path, fake_home: Path) -> None:
    downloads = fake_home / ".keras" / "datasets" / "fashion-mnist"
    downloads.mkdir(parents=True)
    for name in published.FILES:
        (downloads / f"{name}.gz").write_bytes(b"half a file")
    elsewhere = replace(published.FASHION, packaged=tmp_path / "missing")
    with pytest.raises(PocketganError, match="download failed") as caught:
        published.load(elsewhere, None)
    assert ".keras/datasets" in caught.value.remedy
