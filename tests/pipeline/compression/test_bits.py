import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.bits import layer_bits

L = tf_keras.layers


@pytest.fixture(scope="module")
def net() -> tf_keras.Model:
    """Three kernels, one of them depthwise, and layers without."""
    return tf_keras.Sequential(
        [
            L.Input([8]),
            L.Dense(64, name="seed"),
            L.ReLU(name="seed_act"),
            L.Reshape([4, 4, 4], name="map"),
            L.DepthwiseConv2D(3, padding="same", name="each"),
            L.Conv2D(1, 3, padding="same", name="pixels"),
        ]
    )


def test_single_layers_go_before_the_rest(net: tf_keras.Model) -> None:
    assert layer_bits(net, 4, {"each": 6}) == {"seed": 4, "each": 6, "pixels": 4}


@pytest.mark.parametrize("name", ["map", "seed_act", "sead"])
def test_bits_for_a_layer_without_a_kernel_are_refused_by_name(
    name: str, net: tf_keras.Model
) -> None:
    with pytest.raises(PocketganError, match=rf"quantize\.layers\.{name}") as refused:
        layer_bits(net, 8, {name: 4})
    assert refused.value.remedy == "Its layers are: seed, each, pixels."
