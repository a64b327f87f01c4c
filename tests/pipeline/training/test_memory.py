import tf_keras

from pipeline.training.memory import BYTES, picture_bytes, weight_bytes

L = tf_keras.layers


def network() -> tf_keras.Model:
    """Of 3·8 + 8 + 8·2 + 2 weights; for a picture 3 numbers go in, 8 and 2 come out of layers."""
    return tf_keras.Sequential([tf_keras.Input((3,)), L.Dense(8), L.Dense(2)])


def test_each_weight_is_kept_in_six_copies() -> None:
    assert weight_bytes([network()]) == 6 * BYTES * 50
    assert weight_bytes([network(), network()]) == 2 * weight_bytes([network()])


def test_outputs_of_all_layers_are_kept_for_the_way_back() -> None:
    assert picture_bytes([network()]) == 2 * BYTES * (8 + 2)


def test_size_that_is_free_counts_as_one() -> None:
    free = tf_keras.Sequential([tf_keras.Input((None, None, 3)), L.Conv2D(5, 3)])
    assert picture_bytes([free]) == 2 * BYTES * 5
