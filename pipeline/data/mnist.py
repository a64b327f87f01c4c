"""MNIST: 70,000 handwritten digits, 28×28, grey (LeCun, Cortes and Burges)."""

from pathlib import Path

from pipeline.data import published
from pipeline.data.dataset import Dataset


def _download() -> tuple[published.Pair, published.Pair]:
    from tf_keras.datasets import mnist  # here, because it loads TensorFlow

    train, test = mnist.load_data()
    return train, test


MNIST = published.Published(
    name="mnist",
    classes=tuple("0123456789"),
    checksums={
        published.TRAIN_IMAGES: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        published.TRAIN_LABELS: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        published.TEST_IMAGES: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        published.TEST_LABELS: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    download=_download,
    ways=(
        "give a folder with its four idx files (.gz or not); or run once with a network, so that"
        " Keras downloads it; or use the source 'digits', 5,000 of these images that are"
        " already here."
    ),
)


def load(folder: Path | None) -> Dataset:
    """60,000 training and 10,000 test images [N, 28, 28, 1] with labels 0..9.

    Looks in ``folder`` for the published idx files, else asks Keras, which downloads them once.
    Raises PocketganError as ``published.load`` does.
    """
    return published.load(MNIST, folder)
