from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tf_keras

from pipeline.compression.fold import fold_batch_norm
from pipeline.networks.layers import Truncation

L = tf_keras.layers
KINDS: dict[str, Callable[..., Any]] = {
    "conv": lambda **more: L.Conv2D(4, 3, name="linear", **more),
    "depthwise": lambda **more: L.DepthwiseConv2D(3, depth_multiplier=2, name="linear", **more),
    "transpose": lambda **more: L.Conv2DTranspose(4, 3, name="linear", **more),
    "dense": lambda **more: L.Dense(4, name="linear", **more),
}


def trained(model: tf_keras.Model, seed: int = 1) -> tf_keras.Model:
    """Random values in every weight, as if each batch norm had followed some activations."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low, high = (0.3, 3.0) if "variance" in weight.name else (-0.8, 0.8)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


def random_inputs(model: tf_keras.Model) -> Any:
    rng = np.random.default_rng(2)
    inputs = [rng.normal(size=[3, *port.shape[1:]]).astype(np.float32) for port in model.inputs]
    return inputs if len(inputs) > 1 else inputs[0]


def norms(model: tf_keras.Model) -> list[str]:
    return [layer.name for layer in model.layers if isinstance(layer, L.BatchNormalization)]


def assert_equal_outputs(folded: tf_keras.Model, model: tf_keras.Model) -> None:
    inputs = random_inputs(model)
    wanted, got = (one(inputs, training=False) for one in (model, folded))
    for one, other in zip(_flat(got), _flat(wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def _flat(outputs: Any) -> list[Any]:
    return outputs if isinstance(outputs, list) else [outputs]


def assert_folds(model: tf_keras.Model) -> None:
    folded = fold_batch_norm(trained(model))
    assert norms(folded) == []
    assert_equal_outputs(folded, model)


def assert_stays(model: tf_keras.Model) -> None:
    before = norms(model)
    folded = fold_batch_norm(trained(model))
    assert norms(folded) == before
    assert_equal_outputs(folded, model)


@pytest.mark.parametrize("kind", ["conv", "depthwise", "transpose"])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_convolution_takes_up_its_batch_norm(kind: str, strides: int, padding: str) -> None:
    linear = KINDS[kind](strides=strides, padding=padding)
    assert_folds(tf_keras.Sequential([L.Input([7, 7, 3]), linear, L.BatchNormalization()]))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("use_bias", [True, False])
def test_layer_with_and_without_a_bias_takes_up_its_batch_norm(kind: str, use_bias: bool) -> None:
    linear = KINDS[kind](use_bias=use_bias)
    assert_folds(
        tf_keras.Sequential([L.Input([7, 7, 3]), linear, L.BatchNormalization(), L.ReLU()])
    )


@pytest.mark.parametrize(
    "settings",
    [{"scale": False}, {"center": False}, {"scale": False, "center": False}, {"epsilon": 0.5}],
    ids=str,
)
def test_settings_of_the_batch_norm_count(settings: dict[str, Any]) -> None:
    norm = L.BatchNormalization(**settings)
    assert_folds(tf_keras.Sequential([L.Input([6]), L.Dense(5), norm]))


def test_batch_norm_of_the_map_that_a_vector_becomes_folds_into_its_dense_layer() -> None:
    layers = [L.Dense(24), L.Reshape([2, 3, 4]), L.BatchNormalization(), L.ReLU()]
    assert_folds(tf_keras.Sequential([L.Input([6]), *layers]))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_batch_norm_of_an_enlarged_map_folds_into_what_made_it(interpolation: str) -> None:
    enlarged = [L.Conv2D(4, 3), L.UpSampling2D(2, interpolation=interpolation)]
    assert_folds(tf_keras.Sequential([L.Input([7, 7, 3]), *enlarged, L.BatchNormalization()]))


def test_batch_norm_of_a_reshaped_map_stays() -> None:
    reshaped = [L.Conv2D(4, 3), L.Reshape([25, 2, 2])]
    assert_stays(tf_keras.Sequential([L.Input([7, 7, 3]), *reshaped, L.BatchNormalization()]))


def test_batch_norm_of_a_reshaped_vector_that_is_read_before_stays() -> None:
    latent = L.Input([6])
    seed = L.Reshape([2, 3, 4])(L.Dense(24)(latent))
    assert_stays(tf_keras.Model(latent, L.Add()([L.BatchNormalization()(seed), seed])))


def test_wide_statistics_cost_no_precision() -> None:
    model = trained(
        tf_keras.Sequential([L.Input([6]), L.Dense(5), L.BatchNormalization(epsilon=1e-6)])
    )
    gamma, beta, _, _ = model.layers[-1].get_weights()
    spread = np.geomspace(1e-4, 1e2, 5)
    model.layers[-1].set_weights([gamma, beta, np.linspace(-2, 2, 5) * spread, spread**2])
    model.layers[0].set_weights([weight * spread for weight in model.layers[0].get_weights()])
    assert_equal_outputs(fold_batch_norm(model), model)


def test_names_and_the_input_are_kept() -> None:
    model = tf_keras.Sequential(
        [L.Input([6], name="latent"), L.Dense(5, name="one"), L.BatchNormalization()], name="net"
    )
    folded = fold_batch_norm(model)
    assert folded.name == "net"
    assert [layer.name for layer in folded.layers] == ["latent", "one"]


def test_the_model_itself_is_left_alone() -> None:
    model = trained(tf_keras.Sequential([L.Input([6]), L.Dense(5), L.BatchNormalization()]))
    before = [weight.numpy() for weight in model.weights]
    fold_batch_norm(model)
    assert len(norms(model)) == 1
    for one, other in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_batch_norm_behind_an_activation_layer_stays() -> None:
    assert_stays(tf_keras.Sequential([L.Input([6]), L.Dense(5), L.ReLU(), L.BatchNormalization()]))


@pytest.mark.parametrize(
    "activation", ["relu", "tanh", L.LeakyReLU(0.2)], ids=["relu", "tanh", "leaky_relu"]
)
def test_batch_norm_behind_a_layer_with_an_activation_stays(activation: Any) -> None:
    dense = L.Dense(5, activation=activation)
    assert_stays(tf_keras.Sequential([L.Input([6]), dense, L.BatchNormalization()]))


def test_batch_norm_over_another_axis_stays() -> None:
    conv = L.Conv2D(4, 3)
    assert_stays(tf_keras.Sequential([L.Input([7, 7, 3]), conv, L.BatchNormalization(axis=1)]))


def test_batch_norm_of_a_layer_that_another_layer_reads_too_stays() -> None:
    latent = L.Input([6])
    dense = L.Dense(5)(latent)
    assert_stays(tf_keras.Model(latent, L.Add()([L.BatchNormalization()(dense), L.ReLU()(dense)])))


def test_batch_norm_of_a_layer_that_the_model_gives_out_stays() -> None:
    latent = L.Input([6])
    dense = L.Dense(5)(latent)
    assert_stays(tf_keras.Model(latent, [L.BatchNormalization()(dense), dense]))


def test_batch_norm_that_a_layer_without_kernel_shares_stays() -> None:
    latent = L.Input([5])
    norm = L.BatchNormalization()
    assert_stays(
        tf_keras.Model(latent, L.Add()([norm(L.Dense(5)(latent)), norm(L.ReLU()(latent))]))
    )


def test_batch_norm_shared_by_linear_layers_folds_into_each() -> None:
    latent = L.Input([6])
    norm = L.BatchNormalization()
    assert_folds(
        tf_keras.Model(latent, L.Add()([norm(L.Dense(5)(latent)), norm(L.Dense(5)(latent))]))
    )


def test_batch_norm_of_a_shared_linear_layer_stays() -> None:
    one, two = L.Input([6]), L.Input([6])
    dense = L.Dense(5)
    model = tf_keras.Model([one, two], L.Add()([L.BatchNormalization()(dense(one)), dense(two)]))
    assert_stays(model)


def test_shared_layers_stay_shared() -> None:
    latent = L.Input([6])
    shared = L.Dense(6, activation="relu", name="shared")
    normed = L.BatchNormalization()(L.Dense(6)(shared(shared(latent))))
    model = tf_keras.Model(latent, normed)
    assert_folds(model)
    assert [layer.name for layer in fold_batch_norm(model).layers].count("shared") == 1


def test_branches_that_are_added_keep_the_outputs() -> None:
    latent = L.Input([6])
    seed = L.Reshape([2, 2, 3])(L.ReLU()(L.BatchNormalization()(L.Dense(12)(latent))))
    wide = L.BatchNormalization()(L.Conv2DTranspose(4, 3, 2, padding="same")(seed))
    short = L.BatchNormalization()(L.Conv2D(4, 1)(L.UpSampling2D()(seed)))
    image = L.Activation("tanh")(L.Add()([wide, short]))
    assert_folds(tf_keras.Model(latent, image))


def test_inputs_keep_their_order() -> None:
    near, far = L.Input([5], name="near"), L.Input([6], name="far")
    deep = L.BatchNormalization()(L.Dense(5)(far))
    model = tf_keras.Model([near, far], L.Add()([near, deep]))
    assert_folds(model)


def test_truncation_goes_into_the_dense_layer_before_it() -> None:
    model = tf_keras.Sequential(
        [L.Input([5]), L.Dense(4), Truncation(0.3), L.ReLU(), Truncation(0.5, name="stays")]
    )
    folded = fold_batch_norm(trained(model))
    assert [layer.name for layer in folded.layers if isinstance(layer, Truncation)] == ["stays"]
    assert_equal_outputs(folded, model)
