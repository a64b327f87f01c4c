"""Fashion-MNIST: 70,000 pictures of clothes, 28×28, grey (Xiao, Rasul and Vollgraf, 2017)."""

from pathlib import Path

from pipeline.data import published
from pipeline.data.dataset import Dataset

PACKAGED = Path("/usr/share/datasets/fashion-mnist")  # by Debian's dataset-fashion-mnist


def _download() -> tuple[published.Pair, published.Pair]:
    from tf_keras.datasets import fashion_mnist  # here, because it loads TensorFlow

    train, test = fashion_mnist.load_data()
    return train, test


FASHION = published.Published(
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
        published.TRAIN_IMAGES: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        published.TRAIN_LABELS: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        published.TEST_IMAGES: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        published.TEST_LABELS: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    download=_download,
    ways=(
        "install Debian's package dataset-fashion-mnist; or give a folder with its four idx files"
        " (.gz or not); or run once with a network, so that Keras downloads it."
    ),
    packaged=PACKAGED,
)


def load(folder: Path | None) -> Dataset:
    """60,000 training and 10,000 test images [N, 28, 28, 1] with labels 0..9.

    Looks in ``folder`` for the published idx files, else where Debian's package puts them, else
    asks Keras, which downloads them once. Raises PocketganError as ``published.load`` does.
    """
    return published.load(FASHION, folder)
