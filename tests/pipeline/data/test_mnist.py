from pathlib import Path

import pytest

from deploy.errors import PocketganError
from pipeline.data import mnist


def test_mnist_without_folder_or_network_names_the_three_ways(fake_home: Path) -> None:
    with pytest.raises(PocketganError, match="mnist is not on this machine") as caught:
        mnist.load(None)
    for way in ("folder", "network", "digits"):
        assert way in caught.value.remedy


def test_mnist_refuses_a_folder_without_its_files(tmp_path: Path) -> None:
    with pytest.raises(PocketganError, match="holds no train-images-idx3-ubyte"):
        mnist.load(tmp_path)
