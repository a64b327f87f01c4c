from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compression.graph import uses
from pipeline.importers.layer_mapping import (
    GraphRebuilder,
    UnmappedLayerError,
    functional,
    map_layer,
)
from pipeline.networks.layers import DepthToSpace, ReflectionPadding2D

L = keras.layers
K2 = tf_keras.layers


def rebuilt(model: Any) -> tuple[tf_keras.Model, GraphRebuilder]:
    rebuilder = GraphRebuilder()
    ports = [tf_keras.Input(tensor.shape[1:]) for tensor in model.inputs]
    outputs = rebuilder.outputs(functional(model), ports)
    mapped = tf_keras.Model(ports, outputs)
    rebuilder.copy_weights()
    return mapped, rebuilder


def assert_equal(model: Any) -> tf_keras.Model:
    mapped, _ = rebuilt(model)
    rng = np.random.default_rng(1)
    inputs = [rng.normal(size=(3, *port.shape[1:])).astype(np.float32) for port in model.inputs]
    wanted = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    np.testing.assert_allclose(mapped(inputs, training=False), np.asarray(wanted), atol=2e-5)
    return mapped


LAYERS: dict[str, Any] = {
    "strided conv": lambda: L.Conv2D(3, 3, strides=2, dilation_rate=1, activation="relu"),
    "grouped conv": lambda: L.Conv2D(4, 3, groups=2, use_bias=False),
    "conv transpose": lambda: L.Conv2DTranspose(3, 4, 2, "same", activation="tanh"),
    "padded transpose": lambda: L.Conv2DTranspose(3, 3, 2, "same", output_padding=0),
    "depthwise": lambda: L.DepthwiseConv2D(3, depth_multiplier=2, activation="swish"),
    "separable": lambda: L.SeparableConv2D(3, 3, activation="gelu"),
    "batch norm": lambda: L.BatchNormalization(epsilon=0.2, scale=False),
    "group norm": lambda: L.GroupNormalization(groups=2),
    "layer norm": lambda: L.LayerNormalization(),
    "prelu": lambda: L.PReLU(alpha_initializer="uniform", shared_axes=[1, 2]),
    "leaky": lambda: L.LeakyReLU(negative_slope=0.1),
    "leaky relu": lambda: L.ReLU(negative_slope=0.3),
    "relu 6": lambda: L.ReLU(max_value=6),
    "activation layer": lambda: L.Activation("leaky_relu"),
    "activation inside": lambda: L.Dense(3, activation="leaky_relu"),
    "layer as activation": lambda: L.Dense(3, activation=L.LeakyReLU(0.4)),
    "silu": lambda: L.Dense(3, activation="silu"),
    "nearest": lambda: L.UpSampling2D((2, 3)),
    "bilinear": lambda: L.UpSampling2D(2, interpolation="bilinear"),
    "padding": lambda: L.ZeroPadding2D(((1, 0), (2, 1))),
    "cropping": lambda: L.Cropping2D(1),
    "pooling": lambda: L.AveragePooling2D(2),
    "spectral norm": lambda: L.SpectralNormalization(L.Conv2D(3, 3)),
    "rescaling": lambda: L.Rescaling(0.5, offset=0.25),
    "permute": lambda: L.Permute((2, 1, 3)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer_of_keras_3_computes_the_same_in_tf_keras(name: str) -> None:
    model = keras.Sequential([keras.Input((6, 6, 4)), LAYERS[name]()])
    rng = np.random.default_rng(2)
    model.set_weights([rng.uniform(0.2, 0.9, w.shape) for w in model.get_weights()])
    assert_equal(model)


def test_arithmetic_on_tensors_becomes_layers() -> None:
    one, two = keras.Input((4,)), keras.Input((4,))
    model = keras.Model([one, two], keras.ops.tanh((one - two) * 0.5 + 2 * one / 4 - 1))
    mapped = assert_equal(model)
    assert {type(layer) for layer in mapped.layers} == {
        K2.InputLayer,
        K2.Subtract,
        K2.Add,
        K2.Rescaling,
        K2.Activation,
    }


def test_arithmetic_of_keras_2_becomes_layers() -> None:
    one, two = tf_keras.Input((4,)), tf_keras.Input((4,))
    mapped = assert_equal(tf_keras.Model([one, two], (one + two) * 2.0 - 1.0))
    assert "TFOpLambda" not in {type(layer).__name__ for layer in mapped.layers}


SIDES = [[0, 0], [1, 2], [3, 0], [0, 0]]
ops = keras.ops
# The same in Keras 3, and in TensorFlow under Keras 2 → the layers that compute it.
OPERATIONS: dict[str, tuple[Any, Any, tuple[type, ...]]] = {
    "mirrored": (
        lambda x: ops.pad(x, SIDES, "reflect"),
        lambda x: tf.pad(x, SIDES, mode="REFLECT"),
        (ReflectionPadding2D,),
    ),
    "padded": (
        lambda x: ops.pad(x, SIDES),
        lambda x: tf.pad(x, tf.constant(SIDES)),
        (K2.ZeroPadding2D,),
    ),
    "reshaped": (
        lambda x: ops.reshape(x, (-1, 12, 12, 1)),
        lambda x: tf.reshape(x, [-1, 12, 12, 1]),
        (K2.Reshape,),
    ),
    "transposed": (
        lambda x: ops.transpose(x, (0, 2, 1, 3)),
        lambda x: tf.transpose(x, [0, 2, 1, 3]),
        (K2.Permute,),
    ),
    "beside itself": (
        lambda x: ops.concatenate([x, x], -1),
        lambda x: tf.concat([x, x], axis=-1),
        (K2.Concatenate,),
    ),
    "enlarged": (
        lambda x: ops.image.resize(x, (12, 18)),
        lambda x: tf.image.resize(x, (12, 18)),
        (K2.UpSampling2D,),
    ),
    "enlarged to the nearest": (
        lambda x: ops.image.resize(x, (12, 6), interpolation="nearest"),
        lambda x: tf.image.resize(x, (12, 6), "nearest"),
        (K2.UpSampling2D,),
    ),
    "made smaller": (
        lambda x: ops.image.resize(x, (4, 5)),
        lambda x: tf.image.resize(x, (4, 5)),
        (K2.Resizing,),
    ),
    "sub-pixels": (
        lambda x: ops.depth_to_space(x, 2),
        lambda x: tf.nn.depth_to_space(x, 2),
        (DepthToSpace,),
    ),
    "leaky": (
        lambda x: ops.leaky_relu(x, 0.1),
        lambda x: tf.nn.leaky_relu(x, alpha=0.1),
        (K2.LeakyReLU,),
    ),
    "leaky by default": (ops.leaky_relu, tf.nn.leaky_relu, (K2.LeakyReLU,)),
    "cut at six": (ops.relu6, tf.nn.relu6, (K2.ReLU,)),
    "ELU": (ops.elu, tf.nn.elu, (K2.ELU,)),
    "swish": (ops.silu, tf.nn.silu, (K2.Activation,)),
    "what a mask hides": (lambda x: 1 - x, lambda x: 1 - x, (K2.Rescaling,)),
    "negative": (lambda x: -x, lambda x: -x, (K2.Rescaling,)),
    "clipped above zero": (
        lambda x: ops.clip(x, 0, 1),
        lambda x: tf.clip_by_value(x, 0.0, 1.0),
        (K2.ReLU,),
    ),
    "clipped": (
        lambda x: ops.clip(x, -0.5, 1),
        lambda x: tf.clip_by_value(x, -0.5, 1.0),
        (K2.Rescaling, K2.ReLU, K2.Rescaling),
    ),
    "clipped from above": (
        lambda x: ops.clip(x, -np.inf, 0.5),
        lambda x: tf.clip_by_value(x, -np.inf, 0.5),
        (K2.Rescaling, K2.ReLU, K2.Rescaling),
    ),
}


@pytest.mark.parametrize("library", [keras, tf_keras])
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_written_between_layers_becomes_layers(name: str, library: Any) -> None:
    of_keras_3, of_tensorflow, layers = OPERATIONS[name]
    port = library.Input((6, 6, 4))
    output = (of_keras_3 if library is keras else of_tensorflow)(port)
    mapped = assert_equal(library.Model(port, output))
    assert [type(layer) for layer in mapped.layers] == [K2.InputLayer, *layers]


@pytest.mark.parametrize(
    "build",
    [
        lambda x: ops.pad(x, SIDES, "symmetric"),
        lambda x: ops.pad(x, SIDES, constant_values=1.0),
        lambda x: ops.pad(x, 1),
        lambda x: ops.reshape(x, (3, 12, 12, 1)),
        lambda x: ops.transpose(x),
        lambda x: ops.image.resize(x, (12, 12), interpolation="bicubic"),
    ],
)
def test_operation_in_a_way_that_no_layer_has_has_no_mapping(build: Any) -> None:
    port = keras.Input((6, 6, 4), batch_size=3)
    with pytest.raises(UnmappedLayerError, match="no layer in tf_keras"):
        rebuilt(keras.Model(port, build(port)))


@pytest.mark.parametrize("build", [lambda x: 1 / x, lambda x: keras.ops.sin(x)])
def test_operation_without_a_layer_has_no_mapping(build: Any) -> None:
    port = keras.Input((4,))
    with pytest.raises(UnmappedLayerError, match="no layer in tf_keras"):
        rebuilt(keras.Model(port, build(port)))


def test_layer_that_is_called_with_more_than_its_input_has_no_mapping() -> None:
    port = keras.Input((4, 4))
    attention = L.MultiHeadAttention(1, 2)
    with pytest.raises(UnmappedLayerError, match="more than its input"):
        rebuilt(keras.Model(port, attention(port, port)))


def test_code_has_no_mapping() -> None:
    with pytest.raises(UnmappedLayerError, match="custom"):
        map_layer(L.Lambda(lambda x: x), "code")


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_constants_of_one_number_a_channel_become_a_rescaling(library: Any) -> None:
    port = library.Input((2, 2, 3))
    means = np.array([114.4, 111.5, 103.0], np.float32)
    mapped = assert_equal(library.Model(port, (port * 127.5 + means) / means[None, None, None]))
    assert [type(layer) for layer in mapped.layers] == [K2.InputLayer, *[K2.Rescaling] * 3]


@pytest.mark.parametrize("library", [keras, tf_keras])
def test_constant_of_a_number_a_pixel_has_no_mapping(library: Any) -> None:
    port = library.Input((2, 2, 3))
    with pytest.raises(UnmappedLayerError, match="no layer in tf_keras"):
        rebuilt(library.Model(port, port + np.ones((2, 2, 3), np.float32)))


def test_names_that_only_keras_3_allows_are_made_allowed_and_the_owner_keeps_hers() -> None:
    names = ["fc 1", "fc_1", "_é (4x4)", "fc_1_relu"]
    model = keras.Sequential(
        [keras.Input((4,)), *(L.Dense(4, activation="relu", name=name) for name in names)]
    )
    mapped = assert_equal(model)
    assert len({layer.name for layer in mapped.layers}) == 9
    assert [layer.name for layer in rebuilt(model)[1].source_layers] == names


def test_names_of_layers_that_stand_before_are_not_used_again() -> None:
    port = tf_keras.Input((4,), name="latent")
    model = keras.Sequential([keras.Input((4,)), L.Dense(3, name="latent")])
    (output,) = GraphRebuilder(["latent"]).outputs(functional(model), [port])
    assert tf_keras.Model(port, output).layers[-1].name == "latent_2"


def test_shared_layers_and_equal_names_in_nested_models() -> None:
    def inner() -> Any:
        return keras.Sequential([keras.Input((4,)), L.Dense(4, name="same")])

    port, twice = keras.Input((4,)), inner()
    mapped = assert_equal(keras.Model(port, inner()(twice(twice(port)))))
    dense = [layer.name for layer in mapped.layers if isinstance(layer, K2.Dense)]
    assert dense == ["same", "same_2"]
    assert len(mapped.weights) == 4


def test_layer_without_weights_that_is_used_again_is_another_each_time() -> None:
    port, relu, wide = keras.Input((4, 4, 2)), L.ReLU(name="relu"), L.UpSampling2D(name="wide")
    x = wide(relu(L.Conv2D(2, 3, padding="same")(wide(relu(port)))))
    model = keras.Model(port, x)
    mapped = assert_equal(model)
    assert all(uses(mapped, layer) == 1 for layer in mapped.layers)
    became = {each.name: each.became for each in rebuilt(model)[1].source_layers}
    assert became["relu"] == ("relu", "relu_2")
    assert len(became) == 3


def fails() -> Any:
    broken = L.Conv2D(3, 3)
    broken.get_config = lambda: {}["nothing"]
    return broken


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: L.Activation("hard_sigmoid", name="its"), "hard_sigmoid of 'its' is another"),
        (lambda: L.Resizing(3, 3, antialias=True, name="its"), r"'its' \(Resizing\) has antialias"),
        (lambda: L.Resizing(3, 5, pad_to_aspect_ratio=True), "has pad_to_aspect_ratio"),
        (fails, r"layer 'conv2d\S*' \(Conv2D\) cannot be rebuilt: 'nothing'"),
    ],
)
def test_layer_that_is_another_in_tf_keras_is_named(build: Any, words: str) -> None:
    picture = keras.Input((4, 4, 2))
    with pytest.raises(UnmappedLayerError, match=words):
        rebuilt(keras.Model(picture, build()(picture)))
