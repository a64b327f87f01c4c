from collections.abc import Callable

import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.tflite.convert import to_float32
from pipeline.tflite.runtime import left_behind


def test_nearest_neighbour_is_left_to_slower_kernels() -> None:
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Input([4, 4, 2]),
            layers.Conv2D(3, 3, padding="same"),
            layers.UpSampling2D(name="twice"),
            layers.Conv2D(3, 3, padding="same"),
        ]
    )
    (op,) = left_behind(to_float32(model))
    assert op.name == "RESIZE_NEAREST_NEIGHBOR"
    assert "twice" in op.layer


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_nothing_is_left_behind_of_a_plain_generator(
    name: str, variant: Callable[[str], bytes]
) -> None:
    assert left_behind(variant(name)) == []


def test_file_that_does_not_load_is_one_message() -> None:
    with pytest.raises(PocketganError, match="does not load"):
        left_behind(b"\x1c\0\0\0TFL3")
