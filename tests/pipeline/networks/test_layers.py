from pathlib import Path

import numpy as np
import pytest
import tf_keras

from pipeline.networks.layers import DepthToSpace


@pytest.mark.parametrize("block", [2, 3])
def test_channels_become_pixels_in_rows_of_the_block(block: int) -> None:
    given = np.random.default_rng(1).normal(size=[2, 4, 5, 3 * block**2]).astype(np.float32)
    split = given.reshape(2, 4, 5, block, block, 3)
    wanted = split.transpose(0, 1, 3, 2, 4, 5).reshape(2, 4 * block, 5 * block, 3)
    np.testing.assert_array_equal(DepthToSpace(block)(given), wanted)


def test_saved_model_knows_the_layer_and_its_block(tmp_path: Path) -> None:
    model = tf_keras.Sequential([tf_keras.Input([2, 2, 9]), DepthToSpace(3, name="shuffle")])
    model.save(tmp_path / "model.keras")
    again = tf_keras.models.load_model(tmp_path / "model.keras")
    assert again.get_layer("shuffle").block == 3
    assert again.output_shape == (None, 6, 6, 1)
