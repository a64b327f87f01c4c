"""Data sets that are published as four idx files with known checksums: MNIST and Fashion-MNIST."""

import io
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from deploy.errors import PocketganError
from pipeline.arrays import Images
from pipeline.data import idx
from pipeline.data.dataset import Dataset
from pipeline.progress import console

TRAIN_IMAGES = "train-images-idx3-ubyte"
TRAIN_LABELS = "train-labels-idx1-ubyte"
TEST_IMAGES = "t10k-images-idx3-ubyte"
TEST_LABELS = "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)

Pair = tuple[Images, Images]  # images [N, 28, 28] and labels [N], both uint8


@dataclass(frozen=True, kw_only=True)
class Published:
    """One such data set, and the places where it may be found."""

    name: str
    classes: tuple[str, ...]
    checksums: Mapping[str, str]  # file -> sha256 of the unpacked idx file
    download: Callable[[], tuple[Pair, Pair]]  # (train, test), through Keras
    ways: str  # to get the data when it is neither here nor to be downloaded
    keras_file: str  # where Keras puts it, below the folder datasets of its home
    packaged: Path | None = None  # where a system package puts the files


def _through_keras(name: str) -> tuple[Pair, Pair]:
    import tf_keras  # here, because it loads TensorFlow

    train, test = getattr(tf_keras.datasets, name).load_data()
    return train, test


MNIST = Published(
    name="mnist",
    classes=tuple("0123456789"),
    checksums={
        TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    download=partial(_through_keras, "mnist"),
    keras_file="mnist.npz",
    ways=(
        "give a folder with its four idx files (.gz or not); or run once with a network, so that"
        " Keras downloads it; or use the source 'digits', 5,000 of these images that are"
        " already here."
    ),
)
"""70,000 handwritten digits, 28×28, grey (LeCun, Cortes and Burges)."""

FASHION = Published(
    name="fashion",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    checksums={
        TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    download=partial(_through_keras, "fashion_mnist"),
    keras_file="fashion-mnist",
    ways=(
        "install Debian's package dataset-fashion-mnist; or give a folder with its four idx files"
        " (.gz or not); or run once with a network, so that Keras downloads it."
    ),
    packaged=Path("/usr/share/datasets/fashion-mnist"),
)
"""70,000 pictures of clothes, 28×28, grey (Xiao, Rasul and Vollgraf, 2017)."""


def load(published: Published, folder: Path | None) -> Dataset:
    """Read from ``folder``, else from the system's package, else through the Keras download.

    The published division into train and test is kept. Every array is checked against its
    published checksum, wherever it came from: a name in a report means the same data to everybody.
    Raises PocketganError for a file that is missing, damaged or another one, and for a download
    that fails.
    """
    if folder is None and published.packaged is not None and published.packaged.is_dir():
        folder = published.packaged
    arrays = _downloaded(published) if folder is None else _local(published, folder)
    return Dataset(
        name=published.name,
        train=arrays[TRAIN_IMAGES][..., np.newaxis],
        test=arrays[TEST_IMAGES][..., np.newaxis],
        train_labels=arrays[TRAIN_LABELS].astype(np.int64),
        test_labels=arrays[TEST_LABELS].astype(np.int64),
        classes=published.classes,
    )


def _local(published: Published, folder: Path) -> dict[str, Images]:
    arrays = {}
    for name in FILES:
        path = _find(published, folder, name)
        arrays[name] = idx.read(path)
        _verify(published, name, arrays[name], str(path))
    return arrays


def _find(published: Published, folder: Path, name: str) -> Path:
    # Some mirrors write "train-images.idx3-ubyte".
    for stem in (name, name.replace("-idx", ".idx")):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    missing = f"holds no {name} or {name}.gz" if folder.is_dir() else "is not a folder"
    raise PocketganError(f"{folder} {missing}.", f"To get {published.name}: {published.ways}")


def _downloaded(published: Published) -> dict[str, Images]:
    try:
        # Keras draws its progress on standard output, which belongs to --json.
        with redirect_stdout(io.StringIO() if console.quiet else sys.stderr):
            train, test = published.download()
    except Exception as error:  # Keras raises a bare Exception for a failed download
        raise PocketganError(
            f"{published.name} is not on this machine, and its download failed: {error}",
            f"To get it: {published.ways} If an earlier download broke off, first delete what it"
            " left in the folder .keras/datasets of your home.",
        ) from error
    arrays = dict(zip(FILES, (*train, *test), strict=True))
    for name, array in arrays.items():
        _verify(published, name, array, f"the Keras download of {name}")
    return arrays


def _verify(published: Published, name: str, array: Images, place: str) -> None:
    actual, expected = idx.sha256(array), published.checksums[name]
    if actual != expected:
        raise PocketganError(
            f"{place} is not the published file of {published.name}: its sha256 is {actual[:16]}…,"
            f" not {expected[:16]}….",
            "Copy or download it again. Data of your own goes through the source 'folder', as"
            " image files.",
        )
