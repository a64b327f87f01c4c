import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.graph import (
    clone_layer,
    followers,
    leaves,
    nodes,
    rebuild,
    resized,
    sources,
    uses,
)

L = tf_keras.layers


@pytest.fixture
def model() -> tf_keras.Model:
    """``twice`` is used twice, ``left`` is read twice, ``left`` and ``sum`` leave the model."""
    near, far = L.Input([3], name="near"), L.Input([3], name="far")
    left = L.Dense(3, name="left")(near)
    twice = L.Dense(3, name="twice")
    right = twice(twice(far))
    total = L.Add(name="sum")([left, right])
    act = L.ReLU(name="act")(left)
    return tf_keras.Model([near, far], [L.Add(name="all")([total, act]), left])


def names(layers: list[tf_keras.layers.Layer]) -> list[str]:
    return sorted(layer.name for layer in layers)


def test_nodes_come_after_those_they_read(model: tf_keras.Model) -> None:
    order = [node.layer.name for node in nodes(model)]
    assert sorted(order) == sorted(
        ["near", "far", "left", "twice", "twice", "sum", "act", "all"],
    )
    for earlier, later in [("near", "left"), ("left", "sum"), ("left", "act"), ("sum", "all")]:
        assert order.index(earlier) < order.index(later)


def test_followers_are_the_layers_that_read_an_output(model: tf_keras.Model) -> None:
    assert names(followers(model, model.get_layer("left"))) == ["act", "sum"]
    assert names(followers(model, model.get_layer("twice"))) == ["sum", "twice"]
    assert followers(model, model.get_layer("all")) == []


def test_readers_of_another_model_do_not_count(model: tf_keras.Model) -> None:
    L.ReLU(name="outside")(model.get_layer("all").output)
    assert followers(model, model.get_layer("all")) == []


def test_sources_are_the_layers_that_are_read(model: tf_keras.Model) -> None:
    assert names(sources(model, model.get_layer("sum"))) == ["left", "twice"]
    assert names(sources(model, model.get_layer("left"))) == ["near"]


def test_uses_counts_calls(model: tf_keras.Model) -> None:
    assert [uses(model, model.get_layer(name)) for name in ("left", "twice")] == [1, 2]


def test_leaves_tells_the_outputs_of_the_model(model: tf_keras.Model) -> None:
    leaving = [layer.name for layer in model.layers if leaves(model, layer)]
    assert sorted(leaving) == ["all", "left"]


def test_rebuilt_model_with_the_same_layers_computes_the_same(model: tf_keras.Model) -> None:
    inputs = [np.random.default_rng(i).normal(size=[2, 3]).astype(np.float32) for i in range(2)]
    again = rebuild(model, lambda layer: layer)
    for one, other in zip(again(inputs), model(inputs), strict=True):
        np.testing.assert_array_equal(one, other)


def test_rebuild_leaves_out_and_replaces_layers_and_acts_on_inputs() -> None:
    layers = [L.Input([3], name="latent"), L.ReLU(name="gone"), L.Dense(2, name="kept")]
    model = tf_keras.Sequential(layers, name="net")
    doubled = rebuild(
        model,
        lambda layer: None if layer.name == "gone" else layer,
        on_input=L.Rescaling(2.0, name="double"),
    )
    assert doubled.name == "net"
    assert [layer.name for layer in doubled.layers] == ["latent", "double", "kept"]
    inputs = np.array([[-1.0, 0.5, 2.0]], np.float32)
    np.testing.assert_allclose(doubled(inputs), model.get_layer("kept")(2 * inputs), rtol=1e-6)


def test_clone_has_the_settings_but_for_the_changes_and_no_weights() -> None:
    layer = L.Conv2D(4, 3, 2, padding="same", use_bias=False, name="conv")
    layer.build([None, 8, 8, 2])
    clone = clone_layer(layer, use_bias=True)
    assert type(clone) is L.Conv2D
    assert clone.get_config() == {**layer.get_config(), "use_bias": True}
    assert clone.weights == []


def halved(*, dense: bool = False) -> tf_keras.Model:
    """Pictures of 16×16 halved twice and doubled twice."""
    x = picture = L.Input([16, 16, 1])
    for _ in range(2):
        x = L.Conv2D(2, 3, 2, padding="same")(x)
    if dense:
        x = L.Reshape([4, 4, 2])(L.Dense(32)(L.Flatten()(x)))
    for _ in range(2):
        x = L.UpSampling2D()(x)
    return tf_keras.Model(picture, x, name="halved")


def test_resized_network_has_the_same_weights_and_draws_the_other_size() -> None:
    model = halved()
    other = resized(model, (8, 20))
    assert other.output_shape == (None, 8, 20, 2)
    for before, after in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("size", [(8, 18), (10, 8)])
def test_size_that_the_maps_cannot_divide_is_refused_with_what_they_can(
    size: tuple[int, int],
) -> None:
    with pytest.raises(
        PocketganError, match=f"halved cannot .* {size[1]}x{size[0]}: it would"
    ) as error:
        resized(halved(), size)
    assert "multiples of 4 " in str(error.value.remedy)


def test_network_with_a_dense_layer_between_is_tied_to_its_size() -> None:
    with pytest.raises(PocketganError, match="halved cannot read pictures of 20x8"):
        resized(halved(dense=True), (8, 20))
