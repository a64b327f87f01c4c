import itertools
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
import tf_keras

from deploy.errors import PocketganError
from pipeline.compression.bits import (
    CHOICES,
    RoundingCost,
    RoundingCosts,
    choose_bits,
    compressed_bytes,
    expected_bytes,
    layer_bits,
    least_bytes,
    per_weight,
    sensitivities,
)
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.int8_layers import levels
from pipeline.tflite import count
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.read import read_model

L = tf_keras.layers
SEEN = np.random.default_rng(1).normal(size=[64, 8]).astype(np.float32)


@pytest.fixture(scope="module")
def net() -> tf_keras.Model:
    """Three kernels, one of them depthwise, and layers without."""
    model = tf_keras.Sequential(
        [
            L.Input([8]),
            L.Dense(256, name="seed"),
            L.ReLU(name="seed_act"),
            L.Reshape([4, 4, 16], name="map"),
            L.DepthwiseConv2D(3, padding="same", name="each"),
            L.Conv2D(1, 3, padding="same", name="pixels"),
            L.Activation("tanh", name="image"),
        ]
    )
    rng = np.random.default_rng(2)
    for layer in model.layers:
        layer.set_weights([rng.normal(scale=0.3, size=w.shape) for w in layer.get_weights()])
    return model


@pytest.fixture(scope="module")
def prices(net: tf_keras.Model) -> dict[str, dict[int, RoundingCost]]:
    return sensitivities(net, SEEN)


def test_single_layers_go_before_the_rest(net: tf_keras.Model) -> None:
    assert layer_bits(net, 4, {"each": 6}) == {"seed": 4, "each": 6, "pixels": 4}


@pytest.mark.parametrize("name", ["map", "seed_act", "sead"])
def test_bits_for_a_layer_without_a_kernel_are_refused_by_name(
    name: str, net: tf_keras.Model
) -> None:
    with pytest.raises(PocketganError, match=rf"quantize\.layers\.{name}") as refused:
        layer_bits(net, 8, {name: 4})
    assert refused.value.remedy == "Its layers are: seed, each, pixels."


def test_every_bit_costs_bytes_and_spares_error(prices: RoundingCosts) -> None:
    assert list(prices) == ["seed", "each", "pixels"]
    for choices in prices.values():
        assert tuple(choices) == CHOICES
        errors = [choices[bits].error for bits in range(2, 9)]
        assert errors == sorted(errors, reverse=True)
        assert errors[-1] > 0
    spent = [prices["seed"][bits].bytes for bits in range(2, 9)]
    assert spent == sorted(spent)


def test_error_is_what_rounding_the_layer_alone_does_to_the_picture(
    net: tf_keras.Model, prices: RoundingCosts
) -> None:
    copy = tf_keras.models.clone_model(net)
    copy.set_weights(net.get_weights())
    layer = copy.get_layer("pixels")
    rounded = [np.rint(w / (step := np.abs(w).max() / 3)) * step for w in layer.get_weights()]
    layer.set_weights(rounded)
    error = np.mean((copy(SEEN).numpy() - net(SEEN).numpy()) ** 2)
    assert prices["pixels"][3].error == pytest.approx(error, rel=1e-4)


def test_error_is_shared_among_a_layers_weights(net: tf_keras.Model, prices: RoundingCosts) -> None:
    shared = per_weight(prices, net)
    for name, weights in (("seed", 8 * 256), ("each", 9 * 16), ("pixels", 9 * 16)):
        for bits, price in prices[name].items():
            assert shared[name][bits] == RoundingCost(price.error / weights, price.bytes)


def test_model_that_was_asked_stays_as_it_was(net: tf_keras.Model) -> None:
    before = net.get_weights()
    sensitivities(net, SEEN)
    for one, other in zip(net.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("bits", [3, 5])
def test_bytes_are_near_those_that_the_layer_takes_in_the_file(
    bits: int, net: tf_keras.Model, prices: RoundingCosts
) -> None:
    aware = quantization_aware(net, SEEN, {"seed": bits})
    round_biases(aware)
    model = read_model(to_int8_trained(aware))
    stored = b"".join(c.tensor.buffer for c in count.constants(model) if c.op.layer == "seed")
    assert prices["seed"][bits].bytes == pytest.approx(len(zlib.compress(stored, 9)), rel=0.1)


def test_zeros_take_fewer_bytes_than_as_many_other_levels() -> None:
    kernel = np.random.default_rng(1).integers(-7, 8, [64, 64]).astype(np.int8)
    pruned = np.where(np.arange(64) % 4 == 0, kernel, 0).astype(np.int8)
    assert compressed_bytes([pruned]) < 0.5 * compressed_bytes([kernel])


def test_choices_are_all_whole_bits_and_numbers_of_levels_between_them() -> None:
    outermost = [levels(bits) for bits in CHOICES]
    assert outermost == sorted(set(outermost))
    assert set(range(2, 9)) < set(CHOICES)
    assert outermost[:11] == list(range(1, 12))


def _error(prices: RoundingCosts, bits: Mapping[str, float]) -> float:
    return sum(prices[name][number].error for name, number in bits.items())


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_choice_is_the_best_of_all_that_fit(share: float, prices: RoundingCosts) -> None:
    target = round(share * expected_bytes(prices, dict.fromkeys(prices, 8)))
    chosen = choose_bits(prices, target)
    everything = [
        dict(zip(prices, bits, strict=True))
        for bits in itertools.product(CHOICES, repeat=len(prices))
    ]
    best = min(
        _error(prices, bits) for bits in everything if expected_bytes(prices, bits) <= target
    )
    assert expected_bytes(prices, chosen) <= target
    assert _error(prices, chosen) == pytest.approx(best)


def test_layer_that_the_picture_hangs_on_keeps_more_bits() -> None:
    frail = {bits: RoundingCost(100.0 / 4**bits, 10 * bits) for bits in CHOICES}
    sturdy = {bits: RoundingCost(1.0 / 4**bits, 10 * bits) for bits in CHOICES}
    chosen = choose_bits({"frail": frail, "sturdy": sturdy}, 100)
    assert chosen["frail"] > chosen["sturdy"]


def test_target_that_no_bits_reach_is_refused_with_the_least(prices: RoundingCosts) -> None:
    least = least_bytes(prices)
    with pytest.raises(PocketganError, match=f"{least} is the least"):
        choose_bits(prices, least - 1)
    assert expected_bytes(prices, choose_bits(prices, least)) == least
