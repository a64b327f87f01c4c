import gzip
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import tensorflow as tf
import tf_keras

from pipeline.compression.fake_quantization import quantization_aware, round_biases, unrounded
from pipeline.networks.layers import (
    DepthToSpace,
    InverseRoot,
    LearnedMap,
    ReflectionPadding2D,
)
from pipeline.tflite import count
from pipeline.tflite.convert import to_int8_trained
from pipeline.tflite.count import float_ops
from pipeline.tflite.model import LiteModel
from pipeline.tflite.read import read_model
from pipeline.tflite.runtime import draw

L = tf_keras.layers
LATENT = 8
CALIBRATION = np.random.default_rng(1).normal(size=[64, LATENT]).astype(np.float32)
LATENTS = np.random.default_rng(2).normal(size=[256, LATENT]).astype(np.float32)
PLANTED = 0.5


def every_kind(squash: str) -> tf_keras.Model:
    """Every supported layer, two branches, and picture values from ``squash``."""
    latent = L.Input([LATENT], name="latent")
    seed = L.ReLU(name="seed_act")(L.Dense(64, name="seed")(latent))
    seed = L.Reshape([4, 4, 4], name="map")(seed)
    sharp = L.Conv2D(16, 3, padding="same", name="sharp")(seed)
    sharp = L.LeakyReLU(0.2, name="sharp_act")(DepthToSpace(2, name="shuffle")(sharp))
    soft = L.Conv2DTranspose(4, 4, 2, padding="same", name="soft")(seed)
    soft = L.ReLU(name="soft_act")(soft)
    plain = L.UpSampling2D(name="wide")(seed)
    plain = L.DepthwiseConv2D(3, padding="same", name="plain")(plain)
    mixed = L.Add(name="mix")([L.Add(name="mix_two")([sharp, soft]), plain])
    pixels = L.Conv2D(1, 3, padding="same", name="pixels")(mixed)
    return tf_keras.Model(latent, L.Activation(squash, name="image")(pixels), name="net")


def weighted(model: tf_keras.Model) -> tf_keras.Model:
    """Random weights, the smaller half of each kernel zero, and biases that are not."""
    rng = np.random.default_rng(3)
    for layer in model.layers:
        for weight in layer.weights:
            values = rng.normal(scale=0.4 if "kernel" in weight.name else 0.2, size=weight.shape)
            if "kernel" in weight.name:
                values[np.abs(values) < np.quantile(np.abs(values), PLANTED)] = 0
            weight.assign(values)
    return model


def train(aware: tf_keras.Model, steps: int = 3) -> None:
    """Adam, as in training."""
    adam = tf_keras.optimizers.legacy.Adam(0.01)
    variables = aware.trainable_variables
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(aware(CALIBRATION, training=True) - 0.5))
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))


class Quantized(NamedTuple):
    start: tf_keras.Model
    aware: tf_keras.Model
    content: bytes
    model: LiteModel


def quantized(start: tf_keras.Model, bits: Mapping[str, int] | None = None) -> Quantized:
    aware = quantization_aware(start, CALIBRATION, bits)
    train(aware)
    round_biases(aware)
    content = to_int8_trained(aware)
    return Quantized(start, aware, content, read_model(content))


@pytest.fixture(scope="module", params=["tanh", "sigmoid"])
def net(request: pytest.FixtureRequest) -> Quantized:
    return quantized(weighted(every_kind(request.param)))


def steps_apart(net: Quantized) -> np.ndarray:
    pictures = draw(net.content, LATENTS)
    return np.abs(pictures - net.aware(LATENTS, training=False)) / net.model.outputs[0].scales[0]


def test_file_of_every_kind_of_layer_holds_no_float(net: Quantized) -> None:
    assert float_ops(net.model) == []
    assert {port.dtype for port in (*net.model.inputs, *net.model.outputs)} == {"int8"}


def test_file_names_its_input_and_output(net: Quantized) -> None:
    (signature,) = net.model.signatures
    assert (list(signature.inputs), list(signature.outputs)) == (["latent"], ["image"])


def test_relu_is_fused_and_the_rest_is_one_operation_a_layer(net: Quantized) -> None:
    squash = {"tanh": "TANH", "sigmoid": "LOGISTIC"}[net.start.layers[-1].activation.__name__]
    assert count.op_counts(net.model) == {
        "CONV_2D": 2,
        "ADD": 2,
        "FULLY_CONNECTED": 1,
        "RESHAPE": 1,
        "TRANSPOSE_CONV": 1,
        "RESIZE_NEAREST_NEIGHBOR": 1,
        "DEPTHWISE_CONV_2D": 1,
        "DEPTH_TO_SPACE": 1,
        "LEAKY_RELU": 1,
        squash: 1,
    }
    fused = {op.name: op.fused_activation for op in net.model.ops if op.fused_activation != "none"}
    assert fused == {"FULLY_CONNECTED": "relu", "TRANSPOSE_CONV": "relu"}


def test_file_draws_what_the_aware_model_draws(net: Quantized) -> None:
    assert np.mean(steps_apart(net) < 1.5) >= 0.999


def test_output_steps_are_those_of_8_bit_pixels(net: Quantized) -> None:
    (port,) = net.model.outputs
    squash = net.start.layers[-1].activation.__name__
    wanted = {"tanh": (1 / 128, 0), "sigmoid": (1 / 256, -128)}[squash]
    assert (port.scales[0], port.zero_points[0]) == wanted


def test_pruned_weights_are_zeros_in_the_file_after_training(net: Quantized) -> None:
    kernels = {kernel.layer: kernel for kernel in count.kernels(net.model)}
    for layer in net.start.layers:
        if layer.get_weights():
            kernel = layer.get_weights()[0]
            assert (
                kernels[layer.name].zeros >= np.count_nonzero(kernel == 0) >= kernel.size // 2 - 1
            )
            # No more than what rounding to 255 levels makes of small weights.
            assert kernels[layer.name].zeros < 0.6 * kernel.size


def test_training_moves_the_weights_that_are_not_pruned(net: Quantized) -> None:
    before = net.start.get_layer("soft").get_weights()[0]
    ((kernel, _, _),) = net.aware.get_layer("quant_soft")._weight_vars
    moved = kernel.numpy() != before
    assert np.all(moved[before != 0])
    assert not np.any(moved[before == 0])


def test_conv2d_has_a_scale_for_each_channel_and_the_others_have_one(net: Quantized) -> None:
    scales = {
        op.layer: len(op.inputs[1].scales)
        for op in net.model.ops
        if op.inputs[1:] and op.inputs[1] is not None and op.name.endswith(("CONV_2D", "CONNECTED"))
    }
    assert scales == {"seed": 1, "sharp": 16, "plain": 1, "pixels": 1}


def head(*layers: Any) -> list[Any]:
    seed = [L.Dense(64, name="seed"), L.ReLU(name="seed_act"), L.Reshape([4, 4, 4], name="map")]
    return [*seed, *layers]


def tail(*layers: Any) -> list[Any]:
    return [*layers, L.Conv2D(1, 3, padding="same", name="pixels"), L.Activation("tanh")]


def chain(*layers: Any) -> tf_keras.Model:
    return weighted(tf_keras.Sequential([L.Input([LATENT]), *layers], name="net"))


def conv(name: str = "conv", **more: Any) -> tf_keras.layers.Layer:
    return L.Conv2D(4, 3, padding="same", name=name, **more)


def transpose(**more: Any) -> tf_keras.layers.Layer:
    return L.Conv2DTranspose(4, 4, 2, padding="same", name="up", **more)


def with_dead_channel() -> tf_keras.Model:
    model = chain(*head(conv(), L.ReLU()), *tail())
    kernel, bias = model.get_layer("conv").get_weights()
    kernel[..., 1], bias[1] = 0, 0.3
    model.get_layer("conv").set_weights([kernel, bias])
    return model


def modulated() -> tf_keras.Model:
    """A learned map, and maps whose channels are scaled and shifted by vectors."""
    latent = L.Input([LATENT])
    style = L.Dense(4, name="style")(latent)
    power = L.Dense(4, activation="relu", name="power")(L.Multiply(name="squares")([style, style]))
    root = InverseRoot(0.1, name="root")(power)
    on_map = [L.Reshape([1, 1, 4], name=f"{name}_map") for name in ("style", "root", "shift")]
    x = LearnedMap(4, 4, name="seed")(on_map[0](style))
    x = L.Multiply(name="scaled")([L.ReLU()(conv()(x)), on_map[1](root)])
    x = L.Add(name="shifted")([x, on_map[2](L.Dense(4, name="shift")(latent))])
    for layer in tail():
        x = layer(x)
    return weighted(tf_keras.Model(latent, x))


def rectified() -> tf_keras.Model:
    latent = L.Input([LATENT])
    maps = [L.Reshape([4, 4, 1])(L.Dense(16, name=f"map_{n}")(latent)) for n in (1, 2)]
    x = L.ReLU(6.0, name="product_act")(L.Multiply(name="product")(maps))
    x = L.Activation("relu", name="sum_act")(L.Add(name="sum")([x, maps[0]]))
    for layer in tail():
        x = layer(x)
    return weighted(tf_keras.Model(latent, x))


CHAINS: dict[str, Callable[[], tf_keras.Model]] = {
    "relu as Activation": lambda: chain(*head(conv(), L.Activation("relu")), *tail()),
    "relu inside": lambda: chain(*head(conv(activation="relu")), *tail()),
    "relu6": lambda: chain(*head(conv(), L.ReLU(6.0)), *tail()),
    "two leaky relus": lambda: chain(
        *head(conv(), L.LeakyReLU(0.2)), *tail(conv("two"), L.LeakyReLU(0.3))
    ),
    "tanh within": lambda: chain(*head(conv(), L.Activation("tanh")), *tail()),
    "depthwise with multiplier": lambda: chain(
        *head(L.DepthwiseConv2D(3, 2, "same", depth_multiplier=2), L.ReLU()), *tail()
    ),
    "transpose without bias": lambda: chain(*head(transpose(use_bias=False), L.ReLU()), *tail()),
    "padding and flatten": lambda: chain(
        *head(L.ZeroPadding2D(1), L.Flatten(), L.Dense(16, name="flat"), L.Reshape([4, 4, 1])),
        *tail(),
    ),
    "cropped behind a fused relu": lambda: chain(
        *head(L.Conv2DTranspose(4, 3, 2, name="up"), L.ReLU(), L.Cropping2D(((1, 0), (1, 0)))),
        *tail(),
    ),
    "borders that mirror": lambda: chain(
        *head(conv(), L.LeakyReLU(0.2), ReflectionPadding2D(((1, 2), (0, 1)))), *tail()
    ),
    "one followed range": lambda: chain(
        L.Dense(16), L.ReLU(), L.Dense(16), L.Activation("sigmoid"), L.Reshape([4, 4, 1])
    ),
    "a channel of zeros": with_dead_channel,
    "scales and shifts of channels": modulated,
    "sums and products before a relu": rectified,
}


@pytest.mark.parametrize("name", CHAINS)
def test_chain_becomes_an_int8_file_that_draws_the_same(name: str) -> None:
    net = quantized(CHAINS[name]())
    assert float_ops(net.model) == []
    assert np.all(np.isfinite(net.aware.get_weights()[-1]))
    assert np.mean(steps_apart(net) < 1.5) >= 0.999


def test_a_sum_or_product_is_one_operation_with_its_relu() -> None:
    net = quantized(rectified())
    fused = {op.name: op.fused_activation for op in net.model.ops if op.name in ("ADD", "MUL")}
    assert fused == {"MUL": "relu6", "ADD": "relu"}


def test_a_layer_that_gives_only_zeros_still_gets_a_file_that_runs() -> None:
    model = chain(L.Dense(16, name="dead"), L.ReLU(), L.Dense(16), L.Activation("tanh"))
    kernel, bias = model.get_layer("dead").get_weights()
    model.get_layer("dead").set_weights([0 * kernel, 0 * bias - 1])
    aware = quantization_aware(model, CALIBRATION)
    pictures = draw(to_int8_trained(aware), LATENTS)
    np.testing.assert_allclose(pictures, aware(LATENTS, training=False), atol=1.5 / 128)


def ranges(aware: tf_keras.Model, layer: str) -> tuple[float, float]:
    variables = aware.get_layer(layer)._output_quantizer_vars
    return float(variables["min_var"]), float(variables["max_var"])


def test_first_ranges_are_those_of_the_float_activations() -> None:
    start = weighted(every_kind("tanh"))
    aware = quantization_aware(start, CALIBRATION)
    for name in ("seed_act", "soft_act", "sharp", "mix", "plain"):
        values = tf_keras.Model(start.input, start.get_layer(name).output)(CALIBRATION).numpy()
        wanted = min(values.min(), 0), max(values.max(), 0)
        np.testing.assert_allclose(ranges(aware, f"quant_{name}"), wanted, rtol=1e-5)
    entry = aware.get_layer("quantize_latent").quantizer_vars
    got = float(entry["min_var"]), float(entry["max_var"])
    assert got == (CALIBRATION.min(), CALIBRATION.max())


def test_aware_model_is_near_the_float_one_before_any_training() -> None:
    start = weighted(every_kind("tanh"))
    aware = quantization_aware(start, CALIBRATION)
    apart = np.abs(aware(CALIBRATION, training=False) - start(CALIBRATION))
    assert apart.mean() < 0.03


def test_ranges_follow_the_activations_while_training() -> None:
    aware = quantization_aware(chain(*head(conv(), L.LeakyReLU(0.2)), *tail()), CALIBRATION)
    call = tf.function(aware, autograph=False)
    before = ranges(aware, "quant_conv")
    call(9 * CALIBRATION, training=False)
    assert ranges(aware, "quant_conv") == before
    call(9 * CALIBRATION, training=True)
    low, high = ranges(aware, "quant_conv")
    assert low < before[0] < before[1] < high


def test_leaky_relu_gives_levels_of_its_input_and_an_exact_slope() -> None:
    aware = quantization_aware(chain(L.Dense(16, name="one"), L.LeakyReLU(0.2)), CALIBRATION)
    train(aware)
    low, high = ranges(aware, "quant_one")
    pictures = aware(LATENTS, training=False).numpy() / ((high - low) / 255)
    np.testing.assert_allclose(pictures, np.rint(pictures), atol=1e-3)
    assert pictures.min() < -2  # The negative half is there.
    assert aware.layers[-1].layer.alpha == 51 / 256


def test_float_model_is_left_alone() -> None:
    start = weighted(every_kind("tanh"))
    before = [weight.numpy() for weight in start.weights]
    train(quantization_aware(start, CALIBRATION))
    for one, other in zip(start.weights, before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_saved_weights_go_into_an_aware_model_made_anew(net: Quantized, tmp_path: Path) -> None:
    net.aware.save_weights(tmp_path / "aware.weights.h5")
    anew = quantization_aware(net.start, np.zeros([1, LATENT], np.float32))
    anew.load_weights(tmp_path / "aware.weights.h5")
    np.testing.assert_array_equal(anew(LATENTS, training=False), net.aware(LATENTS, training=False))
    assert to_int8_trained(anew) == net.content


def test_rounded_bias_is_a_whole_number_of_steps_near_the_old_one() -> None:
    aware = quantization_aware(weighted(every_kind("tanh")), CALIBRATION)
    bias = aware.get_layer("quant_soft").layer.bias
    before = bias.numpy()
    round_biases(aware)
    (_, _, kernel), *_ = aware.get_layer("quant_soft")._weight_vars
    low, high = ranges(aware, "quant_seed_act")
    step = (high - low) / 255 * float(kernel["max_var"]) / 127
    in_steps = bias.numpy() / step
    np.testing.assert_allclose(in_steps, np.rint(in_steps), atol=1e-2)
    assert 0 < np.abs(bias.numpy() - before).max() <= 0.501 * step


@pytest.mark.parametrize("bits", [5, 8])
def test_biases_that_are_all_zero_stay_zero(bits: int) -> None:
    start = weighted(every_kind("tanh"))
    aware = quantization_aware(start, CALIBRATION, dict.fromkeys(BITS, bits))
    bias = aware.get_layer("quant_soft").layer.bias
    bias.assign(np.zeros(bias.shape, np.float32))
    round_biases(aware)
    assert not bias.numpy().any()  # NaN would count as any
    assert np.isfinite(aware(CALIBRATION).numpy()).all()


BITS = {"seed": 3, "sharp": 4, "soft": 5, "plain": 2, "pixels": 6}


@pytest.fixture(scope="module")
def coarse() -> Quantized:
    return quantized(weighted(every_kind("tanh")), BITS)


def stored_kernels(model: LiteModel) -> dict[str, np.ndarray]:
    return {
        constant.op.layer: constant.tensor.data()
        for constant in count.constants(model)
        if constant.is_kernel
    }


def test_kernel_in_the_file_holds_only_the_levels_of_its_bits(coarse: Quantized) -> None:
    outermost = {name: 2 ** (bits - 1) - 1 for name, bits in BITS.items()}
    kernels = stored_kernels(coarse.model)
    assert {name: int(np.abs(kernel).max()) for name, kernel in kernels.items()} == outermost


def test_kernel_in_the_file_is_the_one_that_training_saw(coarse: Quantized) -> None:
    (tensor,) = (
        constant.tensor
        for constant in count.constants(coarse.model)
        if constant.is_kernel and constant.op.layer == "seed"
    )
    ((kernel, quantizer, variables),) = coarse.aware.get_layer("quant_seed")._weight_vars
    trained = quantizer(kernel, training=False, weights=variables).numpy()
    np.testing.assert_allclose(tensor.data().T * tensor.scales[0], trained, rtol=1e-6)


def test_file_with_coarse_weights_draws_what_the_aware_model_draws(coarse: Quantized) -> None:
    assert float_ops(coarse.model) == []
    assert np.mean(steps_apart(coarse) < 1.5) >= 0.999


def test_biases_beside_coarse_weights_have_as_many_levels(coarse: Quantized) -> None:
    for constant in count.constants(coarse.model):
        if constant.slot == 2 and constant.op.layer in BITS:
            levels = np.unique(np.abs(constant.tensor.data()))
            step = levels[levels > 0].min()
            np.testing.assert_array_equal(levels % step, 0)
            assert levels.max() <= step * (2 ** (BITS[constant.op.layer] - 1) - 1)


def test_only_conv2d_of_eight_bits_has_a_scale_for_each_channel(coarse: Quantized) -> None:
    tensors = [tensor for tensor in coarse.model.tensors if tensor.is_constant and tensor.scales]
    assert tensors
    assert all(len(tensor.scales) == 1 for tensor in tensors)


def test_pruned_weights_stay_zeros_among_coarse_ones(coarse: Quantized) -> None:
    zeros = {kernel.layer: kernel.zeros for kernel in count.kernels(coarse.model)}
    for name in BITS:
        assert zeros[name] >= np.count_nonzero(coarse.start.get_layer(name).get_weights()[0] == 0)


def test_fewer_bits_make_a_smaller_compressed_file(net: Quantized, coarse: Quantized) -> None:
    def kernels(model: LiteModel) -> bytes:
        return b"".join(kernel.tobytes() for kernel in stored_kernels(model).values())

    assert len(gzip.compress(kernels(coarse.model))) < 0.7 * len(gzip.compress(kernels(net.model)))


def kernel_of(aware: tf_keras.Model, layer: str) -> tuple[Any, Any, dict[str, Any]]:
    ((kernel, quantizer, variables),) = aware.get_layer(layer)._weight_vars
    return kernel, quantizer, variables


def test_coarse_kernel_keeps_its_range_while_training_and_one_of_eight_bits_follows() -> None:
    aware = quantization_aware(weighted(every_kind("tanh")), CALIBRATION, {"seed": 3})
    for name, follows in (("quant_seed", False), ("quant_soft", True)):
        kernel, _, variables = kernel_of(aware, name)
        before = variables["max_var"].numpy()
        kernel.assign(kernel * 4)
        aware(CALIBRATION, training=True)
        assert (variables["max_var"].numpy() > before).all() == follows


def test_one_large_weight_leaves_the_others_of_a_coarse_kernel_their_levels() -> None:
    aware = quantization_aware(weighted(every_kind("tanh")), CALIBRATION, {"seed": 3})
    kernel, quantizer, variables = kernel_of(aware, "quant_seed")
    before = quantizer(kernel, training=True, weights=variables).numpy()
    largest = np.unravel_index(np.abs(kernel.numpy()).argmax(), kernel.shape)
    grown = kernel.numpy()
    grown[largest] *= 20
    kernel.assign(grown)
    np.testing.assert_array_equal(
        quantizer(kernel, training=True, weights=variables).numpy(), before
    )


def test_unrounded_model_draws_nearly_what_the_aware_one_draws(coarse: Quantized) -> None:
    plain = unrounded(coarse.aware, coarse.start)
    for name, bits in BITS.items():
        kernel = plain.get_layer(name).get_weights()[0]
        rounded = quantizer_output(coarse.aware, f"quant_{name}")
        step = np.abs(rounded).max() / (2 ** (bits - 1) - 1)
        assert np.abs(kernel - rounded).max() <= 0.51 * step
        assert (rounded[kernel == 0] == 0).all()
        assert len(np.unique(kernel)) > len(np.unique(rounded))


def quantizer_output(aware: tf_keras.Model, layer: str) -> np.ndarray:
    kernel, quantizer, variables = kernel_of(aware, layer)
    output: np.ndarray = quantizer(kernel, training=False, weights=variables).numpy()
    return output


def test_layers_without_a_word_on_bits_have_eight() -> None:
    start = weighted(every_kind("tanh"))
    aware = [quantization_aware(start, CALIBRATION, bits) for bits in (None, {}, {"seed": 8})]
    first, *others = [to_int8_trained(model) for model in aware]
    assert others == [first, first]
