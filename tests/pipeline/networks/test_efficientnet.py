from pathlib import Path

import numpy as np
import pytest

from deploy.errors import PocketganError
from pipeline.networks import efficientnet
from pipeline.networks.efficientnet import build_feature_maps, looks_at, published_weights

needs_weights = pytest.mark.skipif(
    efficientnet.weights_file() is None,
    reason=f"{efficientnet.PACKAGE} is not installed: {efficientnet.REMEDY}",
)


@pytest.mark.parametrize(
    ("shape", "can"), [((32, 32, 1), True), ((48, 32, 3), True), ((28, 28, 3), False)]
)
def test_it_looks_at_grey_and_colour_from_32_pixels_on(shape: tuple[int, ...], can: bool) -> None:
    assert looks_at(shape) is can


def test_another_file_than_the_published_one_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / efficientnet.FILE
    path.write_bytes(b"weights")
    monkeypatch.setattr(efficientnet, "weights_file", lambda: path)
    with pytest.raises(PocketganError, match="is not the file that was published"):
        published_weights()


@needs_weights
def test_maps_behind_blocks_halve_the_picture_and_are_never_trained() -> None:
    maps = build_feature_maps((0, 2, 4, 10))
    sides = [each.shape[1] for each in maps(np.zeros((1, 64, 64, 3), np.float32))]
    assert sides == [32, 16, 8, 4]
    assert not maps.trainable_variables
