from collections.abc import Callable, Mapping

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.prune import Pruning, kernel_sparsity, layer_sparsity

L = tf_keras.layers
SEEN = np.random.default_rng(1).normal(size=[16, 8]).astype(np.float32)
SHARES = {"seed": 0.5, "up": 0.8}
KERNELS = ("seed", "up", "pixels")


@pytest.fixture
def dense() -> tf_keras.Model:
    """Three kernels, a batch norm that training moves, and a layer that has no kernel to prune."""
    tf_keras.utils.set_random_seed(1)
    return tf_keras.Sequential(
        [
            L.Input([8], name="latent"),
            L.Dense(4 * 4 * 4, use_bias=False, name="seed"),
            L.BatchNormalization(name="norm"),
            L.Reshape([4, 4, 4], name="map"),
            L.Conv2DTranspose(4, 4, 2, padding="same", name="up"),
            L.DepthwiseConv2D(3, padding="same", name="each"),
            L.Conv2D(1, 3, padding="same", name="pixels"),
        ]
    )


def stepper(pruning: Pruning) -> Callable[[], None]:
    """A gradient step in a graph, as the game takes it."""
    adam = tf_keras.optimizers.legacy.Adam(0.01)

    @tf.function
    def step() -> None:
        variables = pruning.model.trainable_variables
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(pruning.model(SEEN, training=True) - 0.5))
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    return step


def play(pruning: Pruning, calls: int) -> None:
    step = stepper(pruning)
    for _ in range(calls):
        step()


def kernel(model: tf_keras.Model, layer: str) -> np.ndarray:
    weights: np.ndarray = model.get_layer(layer).get_weights()[0]
    return weights


def shares(model: tf_keras.Model) -> Mapping[str, float]:
    return {name: float(np.mean(kernel(model, name) == 0)) for name in KERNELS}


def test_one_sparsity_goes_for_every_layer_with_a_kernel(dense: tf_keras.Model) -> None:
    assert layer_sparsity(dense, 0.7, first=None, last=None, single={}) == dict.fromkeys(
        KERNELS, 0.7
    )


def test_single_layers_go_before_first_and_last_and_these_before_the_rest(
    dense: tf_keras.Model,
) -> None:
    wanted = {"seed": 0.5, "up": 0.7, "pixels": 0.3}
    assert layer_sparsity(dense, 0.7, first=0.5, last=0.3, single={}) == wanted
    assert layer_sparsity(dense, 0.7, first=0.5, last=0.3, single={"up": 0.9}) == {
        **wanted,
        "up": 0.9,
    }
    assert layer_sparsity(dense, 0.7, first=0.5, last=0.3, single={"seed": 0.1, "pixels": 0.2}) == {
        "seed": 0.1,
        "up": 0.7,
        "pixels": 0.2,
    }


def test_a_share_of_0_leaves_a_layer_out(dense: tf_keras.Model) -> None:
    assert layer_sparsity(dense, 0.7, first=0.0, last=None, single={"up": 0.0}) == {"pixels": 0.7}
    assert layer_sparsity(dense, 0.0, first=None, last=None, single={}) == {}


@pytest.mark.parametrize("name", ["typo", "norm", "map"])
def test_a_name_that_is_no_layer_with_a_kernel_is_refused(dense: tf_keras.Model, name: str) -> None:
    with pytest.raises(PocketganError, match=rf"prune\.layers\.{name}") as refused:
        layer_sparsity(dense, 0.7, first=None, last=None, single={name: 0.5})
    assert refused.value.remedy == "Its layers are: seed, up, pixels."


@pytest.mark.parametrize(
    ("calls", "every"),
    [(41, 5), (44, 5), (40, 5), (6, 100), (2, 1)],
    ids=["on the beat", "off the beat", "before the beat", "less than a beat", "two calls"],
)
def test_pruning_reaches_the_asked_share_at_the_last_call(
    dense: tf_keras.Model, calls: int, every: int
) -> None:
    pruning = Pruning(dense, SHARES, calls, every)
    play(pruning, calls)
    assert shares(pruning.stripped()) == pytest.approx({**SHARES, "pixels": 0}, abs=1 / 256)


def test_zeros_grow_by_the_cube_of_what_is_left(dense: tf_keras.Model) -> None:
    pruning = Pruning(dense, {"seed": 0.8}, calls=41, every=5)
    step = stepper(pruning)
    grown = []
    for _ in range(41):
        step()
        grown.append(shares(pruning.stripped())["seed"])
    wanted = [0.8 * (1 - (1 - call // 5 * 5 / 40) ** 3) for call in range(41)]
    assert grown == pytest.approx(wanted, abs=1 / 256)


def test_zeros_stay_exact_while_training_goes_on(dense: tf_keras.Model) -> None:
    pruning = Pruning(dense, SHARES, calls=4, every=1)
    play(pruning, 4)
    first = pruning.stripped()
    play(pruning, 4)
    second = pruning.stripped()
    for name, share in SHARES.items():
        assert np.mean(kernel(first, name) == 0) == pytest.approx(share, abs=1 / 256)
        np.testing.assert_array_equal(kernel(first, name) == 0, kernel(second, name) == 0)
        assert not np.array_equal(kernel(first, name), kernel(second, name))


def test_stripped_model_computes_what_the_pruned_one_does(dense: tf_keras.Model) -> None:
    pruning = Pruning(dense, SHARES, calls=4, every=1)
    play(pruning, 4)
    plain = pruning.stripped()
    assert [layer.name for layer in plain.layers] == [layer.name for layer in dense.layers]
    assert [type(layer) for layer in plain.layers] == [type(layer) for layer in dense.layers]
    np.testing.assert_allclose(
        plain(SEEN, training=False), pruning.model(SEEN, training=False), atol=1e-6
    )


def test_nothing_but_the_named_kernels_is_masked_before_training(dense: tf_keras.Model) -> None:
    plain = Pruning(dense, SHARES, calls=4, every=1).stripped()
    for one, other in zip(plain.get_weights(), dense.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_dense_model_is_left_alone(dense: tf_keras.Model) -> None:
    before = dense.get_weights()
    play(Pruning(dense, SHARES, calls=2, every=1), 2)
    for one, other in zip(dense.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_call_without_training_prunes_nothing(dense: tf_keras.Model) -> None:
    pruning = Pruning(dense, SHARES, calls=2, every=1)
    for _ in range(4):
        pruning.model(SEEN, training=False)
    assert kernel_sparsity(pruning.stripped()) == 0


def test_zeros_counts_over_all_kernels(dense: tf_keras.Model) -> None:
    weights, _ = dense.get_layer("pixels").get_weights()
    dense.get_layer("pixels").set_weights([0 * weights, np.zeros(1)])
    sizes = {name: kernel(dense, name).size for name in KERNELS}
    assert kernel_sparsity(dense) == pytest.approx(sizes["pixels"] / sum(sizes.values()))
