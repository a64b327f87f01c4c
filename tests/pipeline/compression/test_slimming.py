from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.graph import rebuild
from pipeline.compression.slimming import (
    channel_groups,
    importance_by_norm,
    importance_by_taylor,
    low_rank,
    slim,
)
from pipeline.networks.layers import DepthToSpace, ReflectionPadding2D
from pipeline.networks.registry import build_generator
from pipeline.networks.settings import GeneratorSettings, ImageShape

L = tf_keras.layers


def trained(model: tf_keras.Model, seed: int = 1) -> tf_keras.Model:
    """Random values in every weight, as if each batch norm had followed some activations."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        low, high = (0.3, 3.0) if "variance" in weight.name else (-0.8, 0.8)
        weight.assign(rng.uniform(low, high, weight.shape))
    return model


def latents(model: tf_keras.Model, count: int = 5) -> np.ndarray:
    shape = [count, *model.input_shape[1:]]
    return np.random.default_rng(2).normal(size=shape).astype(np.float32)


def block(x: Any, layer: Any) -> Any:
    """A layer, batch norm and ReLU."""
    x = L.BatchNormalization(name=f"{layer.name}_norm")(layer(x))
    return L.ReLU(name=f"{layer.name}_act")(x)


def seed_map(channels: int) -> tuple[Any, Any]:
    """A latent and a map [3, 3, channels] made of it."""
    latent = L.Input([6], name="latent")
    x = block(latent, L.Dense(9 * channels, use_bias=False, name="project"))
    return latent, L.Reshape([3, 3, channels], name="map")(x)


def with_picture(latent: Any, x: Any) -> tf_keras.Model:
    picture = L.Conv2D(2, 3, padding="same", activation="tanh", name="picture")(x)
    return tf_keras.Model(latent, picture)


def sub_pixel() -> tf_keras.Model:
    latent, x = seed_map(5)
    x = block(x, L.Conv2D(4 * 4, 3, padding="same", use_bias=False, name="up"))
    return with_picture(latent, DepthToSpace(2, name="pixels")(x))


def residual() -> tf_keras.Model:
    latent, x = seed_map(5)
    mixed = block(x, L.Conv2D(5, 3, padding="same", name="mix"))
    return with_picture(latent, L.Add(name="sum")([x, mixed]))


def depthwise() -> tf_keras.Model:
    latent, x = seed_map(5)
    x = L.UpSampling2D(2, name="larger")(x)
    x = L.ZeroPadding2D(1, name="padded")(x)
    x = ReflectionPadding2D(((1, 0), (0, 1)), name="mirrored")(x)
    x = block(x, L.DepthwiseConv2D(3, depth_multiplier=2, name="deep"))
    return with_picture(latent, x)


def skip() -> tf_keras.Model:
    latent, x = seed_map(5)
    one = block(x, L.Conv2D(4, 3, padding="same", name="one"))
    two = block(one, L.Conv2DTranspose(3, 3, padding="same", name="two"))
    return with_picture(latent, L.Concatenate(name="both")([one, two]))


def bottleneck() -> tf_keras.Model:
    latent, x = seed_map(5)
    x = L.Flatten(name="flat")(block(x, L.Conv2D(4, 3, name="small")))
    x = L.Dense(4, activation="relu", name="code")(x)
    x = L.Reshape([2, 2, 3], name="again")(L.Dense(12, name="wide")(x))
    return with_picture(latent, x)


def dcgan() -> tf_keras.Model:
    return build_generator(GeneratorSettings(name="dcgan", width=3, latent=6), ImageShape(8))


def r3gan() -> tf_keras.Model:
    return build_generator(GeneratorSettings(name="r3gan", width=3, latent=6), ImageShape(8))


def cogan() -> tf_keras.Model:
    settings = GeneratorSettings(name="cogan", width=3, latent=6)
    return build_generator(settings, ImageShape(8, width=16))


def side_by_side() -> tf_keras.Model:
    latent, x = seed_map(5)
    halves = [block(x, L.Conv2D(4, 3, padding="same", name=name)) for name in ("one", "two")]
    return with_picture(latent, L.Concatenate(axis=2, name="both")(halves))


def stylegan() -> tf_keras.Model:
    settings = GeneratorSettings(name="stylegan", width=3, latent=6, truncation=0.7)
    return build_generator(settings, ImageShape(8))


def twice(mask: np.ndarray) -> np.ndarray:
    return np.repeat(mask, 2)


def as_is(mask: np.ndarray) -> np.ndarray:
    return mask


# A model, one of its groups, and where its channels show: layer → a mask of its output's channels.
CUTS: list[tuple[Callable[[], tf_keras.Model], str, dict[str, Callable[..., np.ndarray]]]] = [
    (dcgan, "project", {"seed_map": as_is}),
    (dcgan, "upsample", {"upsample_act": as_is}),
    (r3gan, "map_1_in", {"map_1_act": as_is}),
    (r3gan, "project+map_1_out", {"seed_map": as_is, "map_1_sum": as_is}),
    (r3gan, "double_2+map_2_out", {"double_2_pixels": as_is, "map_2_sum": as_is}),
    (cogan, "upsample", {"upsample_act": as_is}),
    (side_by_side, "two+one", {"both": as_is}),
    (stylegan, "mapping_3", {"truncation": as_is}),
    (stylegan, "map_1_style", {"map_1_style": as_is}),
    (stylegan, "map_1_power+map_2_in_style+map_1", {"map_2_in_style": as_is}),
    (sub_pixel, "project", {"map": as_is}),
    (sub_pixel, "up", {"pixels": as_is}),
    (residual, "project+mix", {"map": as_is, "mix_act": as_is}),
    (depthwise, "project", {"map": as_is, "deep_act": twice}),
    (skip, "project", {"map": as_is}),
    (skip, "one", {"one_act": as_is}),
    (skip, "two", {"two_act": as_is}),
    (bottleneck, "small", {"small_act": as_is}),
    (bottleneck, "code", {"code": as_is}),
    (bottleneck, "wide", {"again": as_is}),
]


def masked(model: tf_keras.Model, masks: dict[str, np.ndarray]) -> tf_keras.Model:
    """The model, some channels of the named layers' outputs set to 0."""

    def replace(layer: tf_keras.layers.Layer) -> Any:
        if layer.name not in masks:
            return layer
        return lambda inputs: layer(inputs) * masks[layer.name].astype(np.float32)

    return rebuild(model, replace)


@pytest.mark.parametrize(("make", "name", "remaining"), CUTS)
def test_slimmed_model_draws_as_if_the_channels_were_zero(
    make: Callable[[], tf_keras.Model], name: str, remaining: dict[str, Any]
) -> None:
    model = trained(make())
    (group,) = [group for group in channel_groups(model) if group.name == name]
    importance = np.random.default_rng(3).permutation(group.channels).astype(float)
    keep = group.channels // 2
    left = importance >= group.channels - keep
    small = slim(model, {name: keep}, {name: importance})
    wanted = masked(model, {layer: spread(left) for layer, spread in remaining.items()})
    inputs = latents(model)
    assert small.count_params() < model.count_params()
    assert [g.channels for g in channel_groups(small) if g.name == name] == [keep]
    np.testing.assert_allclose(small(inputs), wanted(inputs), rtol=0, atol=2e-5)
    assert np.abs(wanted(inputs) - model(inputs)).max() > 1e-3  # that it matters which ones go


@pytest.mark.parametrize(
    "make", [dcgan, stylegan, sub_pixel, residual, depthwise, skip, bottleneck]
)
def test_all_groups_can_be_cut_at_once(make: Callable[[], tf_keras.Model]) -> None:
    model = trained(make())
    groups = [group for group in channel_groups(model) if not group.reason]
    importance = importance_by_norm(model)
    small = slim(model, {group.name: 1 for group in groups}, importance)
    assert small.output_shape == model.output_shape
    assert all(g.channels == 1 for g in channel_groups(small) if not g.reason)
    assert np.isfinite(small(latents(model))).all()


def test_all_channels_kept_is_the_same_model() -> None:
    model = trained(sub_pixel())
    same = slim(model, {"up": 4}, importance_by_norm(model))
    assert same is not model
    np.testing.assert_array_equal(same(latents(model)), model(latents(model)))


def test_the_model_itself_is_left_alone() -> None:
    model = trained(sub_pixel())
    before = model.get_weights()
    slim(model, {"up": 1}, importance_by_norm(model))
    importance_by_taylor(model, latents(model))
    low_rank(model, "project", 2)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_slimmed_layers_have_the_names_of_the_old_ones() -> None:
    model = trained(dcgan())
    small = slim(model, {"upsample": 1}, importance_by_norm(model))
    assert [layer.name for layer in small.layers] == [layer.name for layer in model.layers]


def test_group_knows_its_writers_and_readers() -> None:
    groups = {group.name: group for group in channel_groups(skip())}
    assert groups["one"].writers == ("one",)
    assert groups["one"].readers == ("two", "picture")
    both = {group.name: group for group in channel_groups(residual())}["project+mix"]
    assert both.writers == ("project", "mix")
    assert both.readers == ("mix", "picture")


def test_inputs_and_pictures_are_never_cut() -> None:
    reasons = {group.name: group.reason for group in channel_groups(dcgan())}
    assert "input" in reasons["latent"]
    assert "picture" in reasons["pixels"]
    assert reasons["project"] == reasons["upsample"] == ""


def test_pictures_behind_an_add_tie_what_is_added() -> None:
    latent, x = seed_map(2)
    rough = L.Conv2D(2, 3, padding="same", name="rough")(x)
    fine = L.Conv2D(2, 3, padding="same", name="fine")(rough)
    model = tf_keras.Model(latent, L.Add()([rough, fine]))
    reasons = {group.name: group.reason for group in channel_groups(model)}
    assert "picture" in reasons["rough+fine"]
    assert reasons["project"] == ""


@pytest.mark.parametrize(
    "strange",
    [
        L.LayerNormalization(name="strange"),
        L.Activation("softmax", name="strange"),
        L.Conv2D(4, 3, groups=2, padding="same", name="strange"),
        L.BatchNormalization(axis=1, name="strange"),
        L.Permute((2, 1, 3), name="strange"),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_channels_that_reach_a_layer_not_understood_stay_and_others_go(strange: Any) -> None:
    latent, x = seed_map(4)
    model = trained(with_picture(latent, strange(block(x, L.Conv2D(4, 3, name="mix")))))
    reasons = {group.name: group.reason for group in channel_groups(model)}
    assert "'strange'" in reasons["mix"]
    assert reasons["project"] == ""
    small = slim(model, {"project": 2}, importance_by_norm(model))
    for one, other in zip(
        small.get_layer("strange").get_weights(), strange.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(PocketganError, match=r"'mix' cannot be cut.*'strange'"):
        slim(model, {"mix": 2}, importance_by_norm(model))


def test_layer_that_is_used_twice_reads_and_writes_the_same_channels() -> None:
    latent, x = seed_map(4)
    again = L.Conv2D(4, 3, padding="same", activation="relu", name="again")
    model = trained(with_picture(latent, again(again(x))))
    (group,) = [group for group in channel_groups(model) if not group.reason]
    assert group.writers == ("project", "again")
    small = slim(model, {group.name: 2}, importance_by_norm(model))
    assert small.get_layer("again").kernel.shape == (3, 3, 2, 2)


def test_model_without_cuttable_channels_is_refused_with_the_reasons() -> None:
    model = tf_keras.Sequential([L.Input([4], name="latent"), L.Dense(9, name="all")], name="tiny")
    with pytest.raises(PocketganError, match=r"'tiny' can be cut: .*all, as they are the picture"):
        channel_groups(model)


def test_subclassed_model_is_refused() -> None:
    class Own(tf_keras.Model):  # type: ignore[misc]
        def call(self, inputs: Any) -> Any:
            return inputs

    with pytest.raises(PocketganError, match="no graph of layers"):
        channel_groups(Own())


@pytest.mark.parametrize(
    ("keep", "importance", "problem"),
    [
        ({"nowhere": 2}, {}, "no group of channels called 'nowhere'"),
        ({"latent": 2}, {}, "'latent' cannot be cut: they are the generator's input"),
        ({"up": 0}, {"up": np.ones(4)}, "0 channels of 'up'"),
        ({"up": 5}, {"up": np.ones(4)}, "5 channels of 'up'.* it has 4"),
        ({"up": 2}, {}, "importance of 'up' is not 4 finite numbers"),
        ({"up": 2}, {"up": np.ones(3)}, "importance of 'up' is not 4 finite numbers"),
        ({"up": 2}, {"up": np.array([1, np.nan, 1, 1])}, "not 4 finite numbers"),
    ],
)
def test_impossible_wish_is_refused(
    keep: dict[str, int], importance: dict[str, np.ndarray], problem: str
) -> None:
    with pytest.raises(PocketganError, match=problem):
        slim(sub_pixel(), keep, importance)


def test_channel_with_a_small_scale_or_little_read_is_unimportant_by_norm() -> None:
    model = trained(dcgan())
    gamma, *rest = model.get_layer("upsample_norm").get_weights()
    gamma[1] = 1e-3
    model.get_layer("upsample_norm").set_weights([gamma, *rest])
    kernel = model.get_layer("upsample").get_weights()[0]
    kernel[..., 4] *= 1e-3  # [height, width, out, in]
    model.get_layer("upsample").set_weights([kernel])
    importance = importance_by_norm(model)
    assert np.argmin(importance["upsample"]) == 1
    assert np.argmin(importance["project"]) == 4


def test_norm_does_not_mind_the_size_of_a_kernel_before_batch_norm() -> None:
    model = trained(dcgan())
    before = importance_by_norm(model)["upsample"]
    kernel = model.get_layer("upsample").get_weights()[0]
    kernel[:, :, 0] *= 100
    model.get_layer("upsample").set_weights([kernel])
    np.testing.assert_allclose(importance_by_norm(model)["upsample"], before)


def linear(kernel: Any) -> tf_keras.Model:
    """Latents [N, 3] → as many hidden channels as the kernel has rows, all 1 → pictures [N, 4]."""
    kernel = np.array(kernel, np.float32)
    model = tf_keras.Sequential(
        [
            L.Input([3]),
            L.Dense(len(kernel), name="hidden"),
            L.Dense(4, use_bias=False, name="pixels"),
        ]
    )
    model.get_layer("hidden").set_weights([np.zeros([3, len(kernel)]), np.ones(len(kernel))])
    model.get_layer("pixels").set_weights([kernel])
    return model


def test_taylor_takes_channels_first_whose_loss_together_changes_least() -> None:
    # The first two cancel each other: both gone, nothing is lost. The last two are each smaller.
    model = linear([[2, 2, 0, 0], [-2, -2, 0, 0], [0, 0, 4, 0], [0, 0, 0, 3], [1, 0, 0, 0]])
    (order,) = importance_by_taylor(model, latents(model, 400)).values()
    smallest, *others = np.argsort(order).tolist()
    assert smallest == 4
    assert set(others[:2]) == {0, 1}
    assert others[2:] == [3, 2]


def test_taylor_with_a_score_goes_by_what_the_score_sees() -> None:
    model = linear([[3, 0, 0, 0], [0, 0, 0, 1], [0, 2, 0, 0]])
    (order,) = importance_by_taylor(
        model, latents(model, 16), score=lambda pictures: pictures[:, 3] + 0.1 * pictures[:, 1]
    ).values()
    assert list(np.argsort(order)) == [0, 2, 1]


def test_taylor_agrees_with_the_change_that_a_loss_makes() -> None:
    model = trained(sub_pixel())
    for name, order in importance_by_taylor(model, latents(model, 600)).items():
        change = []
        for channel in range(len(order)):
            others = (np.arange(len(order)) != channel).astype(float)
            without = slim(model, {name: len(order) - 1}, {name: others})
            change.append(np.mean((without(latents(model)) - model(latents(model))) ** 2))
        assert order[np.argmin(change)] < order[np.argmax(change)]


def test_taylor_repeats_itself() -> None:
    model = trained(dcgan())
    first, second = (importance_by_taylor(model, latents(model, 20)) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


@pytest.mark.parametrize("rank", [1, 3, 6])
def test_low_rank_has_the_error_of_the_best_approximation(rank: int) -> None:
    model = trained(dcgan())
    kernel = model.get_layer("project").kernel.numpy()
    split = low_rank(model, "project", rank)
    product = (
        split.get_layer("project_reduce").kernel.numpy() @ split.get_layer("project").kernel.numpy()
    )
    values = np.linalg.svd(kernel, compute_uv=False)
    error = np.linalg.svd(kernel - product, compute_uv=False)
    np.testing.assert_allclose(error[0], values[rank] if rank < 6 else 0, atol=1e-5)
    np.testing.assert_allclose((error**2).sum(), (values[rank:] ** 2).sum(), rtol=1e-4, atol=1e-8)


def test_full_rank_draws_the_same_with_bias_and_batch_norm() -> None:
    model = trained(bottleneck())
    for layer in ("project", "code", "wide"):
        split = low_rank(model, layer, min(model.get_layer(layer).kernel.shape))
        np.testing.assert_allclose(split(latents(model)), model(latents(model)), atol=1e-4)


def test_rank_can_be_slimmed_further() -> None:
    split = low_rank(trained(sub_pixel()), "project", 4)
    small = slim(split, {"project_reduce": 2}, importance_by_norm(split))
    assert small.get_layer("project").kernel.shape == (2, 45)


@pytest.mark.parametrize(
    ("layer", "rank", "problem"),
    [
        ("project", 0, "rank 0"),
        ("project", 7, "rank 7 for layer 'project': its kernel is 6×45"),
        ("up", 2, "no Dense layer called 'up'"),
        ("nowhere", 2, "no Dense layer called 'nowhere'"),
    ],
)
def test_impossible_split_is_refused(layer: str, rank: int, problem: str) -> None:
    with pytest.raises(PocketganError, match=problem):
        low_rank(sub_pixel(), layer, rank)
