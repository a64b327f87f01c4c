"""What would a scale for each output channel bring to transposed convolutions in a trained file?

The converter reads fake quantization a channel off the last axis of a kernel only, where
Conv2DTranspose has its input channels, so that the int8 scheme gives those kernels one scale.
Here the rounding a channel is done in the model, and put into the file after conversion: the
kernel of each TRANSPOSE_CONV is rounded anew with a scale for each output channel, and its int32
bias with the input's scale times that.

Printed for one scale a tensor, one a channel, and for post-training quantization: bytes of the
file, of its gzip, mean distance to the float pictures of the same latents (in levels of 255), and
the median time of a run, the files taking turns.

What it said (x86-64, 512 latents, two transposed convolutions, width 64): a trained DCGAN, whose
channels are alike, 0.430 levels per tensor and 0.429 per channel, after 150 steps of distillation
0.506 and 0.498; as fast; 0.3 % more bytes, 3 % more after gzip. So the pipeline keeps one scale.

Its figures stand in docs/decisions.md.
"""

import argparse
import gzip
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import tensorflow as tf
import tf_keras
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from pipeline.compression.fake_quantization import (
    output_range,
    quantization_aware,
    round_biases,
    wrappers,
)
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.graph import sources
from pipeline.networks import layers  # noqa: F401  (saved generators hold them)
from pipeline.networks.dcgan import generator
from pipeline.networks.pixels import pixel_range
from pipeline.networks.settings import GeneratorSettings, ImageShape
from pipeline.tflite.convert import to_float32, to_int8_post_training, to_int8_trained
from pipeline.tflite.read import IDENTIFIER
from pipeline.tflite.rewrite import write_metadata
from pipeline.tflite.runtime import draw

OUT_AXIS = 2  # of a Conv2DTranspose kernel [height, width, out, in]
CALIBRATION, TEST_LATENTS, BATCH, ROUNDS, RUNS = 512, 512, 64, 30, 100


def main() -> None:
    arguments = _arguments()
    model = fold_batch_norm(
        tf_keras.models.load_model(arguments.generator, compile=False)
        if arguments.generator
        else _random_generator(arguments.spread, compensated=arguments.compensated)
    )
    latents = _latents(model, CALIBRATION, seed=1)
    test_latents = _latents(model, TEST_LATENTS, seed=2)
    wanted = model(test_latents, training=False).numpy()

    per_tensor = quantization_aware(model, latents)
    _fine_tune(per_tensor, model, arguments.steps)
    round_biases(per_tensor)
    per_channel = quantization_aware(model, latents)
    _round_by_channel(per_channel)
    _fine_tune(per_channel, model, arguments.steps)
    files = {
        "float32": to_float32(model),
        "post-training": to_int8_post_training(model, latents),
        "per tensor": to_int8_trained(per_tensor),
        "per channel": _to_int8_by_channel(per_channel, model, latents),
    }
    outputs = {name: draw(content, test_latents) for name, content in files.items()}
    low, high = pixel_range(model)
    levels = 255 / (high - low)
    aware = (
        levels * np.abs(outputs["per channel"] - per_channel(test_latents, training=False)).mean()
    )
    print(f"per channel, file against its aware model: {aware:.4f} levels")
    print(f"{'':14}{'bytes':>10}{'gzip':>10}{'distance':>10}{'p50 ms':>9}")
    for name, p50 in _medians(files).items():
        content, distance = files[name], levels * np.abs(outputs[name] - wanted).mean()
        packed = len(gzip.compress(content, 9, mtime=0))
        print(f"{name:14}{len(content):10,}{packed:10,}{distance:10.3f}{p50:9.4f}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("generator", nargs="?", type=Path, help="a .keras file; else random DCGAN")
    parser.add_argument("--steps", type=int, default=0, help="distillation steps before converting")
    parser.add_argument(
        "--spread", type=float, default=100.0, help="widest over narrowest channel, random only"
    )
    parser.add_argument(
        "--compensated", action="store_true", help="the next layer makes up for the spread"
    )
    return parser.parse_args()


def _random_generator(spread: float, *, compensated: bool) -> tf_keras.Model:
    """Channels of the first transposed convolution differ in scale by ``spread``."""
    tf_keras.utils.set_random_seed(1)
    model = generator(GeneratorSettings(width=64, latent=64), ImageShape(28))
    scales = np.random.default_rng(1).permutation(np.geomspace(1 / spread, 1, 64))
    upsample, pixels = model.get_layer("upsample"), model.get_layer("pixels")
    upsample.set_weights([10 * upsample.get_weights()[0] * scales[:, None]])
    kernel, bias = pixels.get_weights()
    pixels.set_weights([kernel / scales if compensated else 4 * kernel, bias + 0.1])
    # A bias of zeros would be left out of the file.
    model.get_layer("upsample_norm").beta.assign(np.full(64, 0.1))
    return model


def _latents(model: tf_keras.Model, count: int, seed: int) -> np.ndarray:
    length = model.input_shape[-1]
    return np.random.default_rng(seed).normal(size=[count, length]).astype(np.float32)


def _fine_tune(aware: tf_keras.Model, teacher: tf_keras.Model, steps: int) -> None:
    adam = tf_keras.optimizers.legacy.Adam(1e-4)

    @tf.function
    def step(latents: Any) -> None:
        with tf.GradientTape() as tape:
            apart = aware(latents, training=True) - teacher(latents, training=False)
            loss = tf.reduce_mean(tf.square(apart))
        variables = aware.trainable_variables
        adam.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    for number in range(steps):
        step(_latents(teacher, BATCH, seed=1000 + number))


def _transposes(aware: tf_keras.Model) -> list[Any]:
    kind = tf_keras.layers.Conv2DTranspose
    return [wrapper for wrapper in wrappers(aware) if isinstance(wrapper.layer, kind)]


def _round_by_channel(aware: tf_keras.Model) -> None:
    for wrapper in _transposes(aware):
        ((kernel, quantizer, variables),) = wrapper._weight_vars
        wrapper._weight_vars = [(kernel, _ByChannel(quantizer), variables)]


class _ByChannel:
    """Rounds a kernel with a scale for each output channel; the gradient passes straight through.

    The range a tensor is kept up to date, for the conversion.
    """

    def __init__(self, per_tensor: Any) -> None:
        self._per_tensor = per_tensor

    def __call__(self, inputs: Any, training: Any, weights: dict[str, Any]) -> Any:
        if training:
            self._per_tensor(inputs, training, weights)
        kernel = inputs * weights["mask"]
        step = _steps(kernel)
        return kernel + tf.stop_gradient(tf.round(kernel / step) * step - kernel)


def _steps(kernel: Any) -> Any:
    """Shape [out, 1], which goes with a kernel [height, width, out, in]."""
    limit = tf.reduce_max(tf.abs(kernel), [0, 1, 3])
    return tf.maximum(limit, 1e-4 * tf.reduce_max(limit))[:, None] / 127


def _to_int8_by_channel(
    per_channel: tf_keras.Model, model: tf_keras.Model, latents: np.ndarray
) -> bytes:
    """The file with one scale a tensor, into which the kernels and biases a channel are put."""
    converted = quantization_aware(model, latents)
    converted.set_weights(per_channel.get_weights())
    exact = []
    for wrapper in _transposes(per_channel):
        ((kernel, _, variables),) = wrapper._weight_vars
        masked = kernel * variables["mask"]
        (source,) = sources(per_channel, wrapper)
        read = output_range(per_channel, source)
        scale_in = float(read["max_var"] - read["min_var"]) / 255
        scales = _steps(masked).numpy()[:, 0]
        bias = wrapper.layer.bias
        bias.assign(np.rint(bias.numpy() / (scale_in * scales)) * scale_in * scales)
        exact.append((masked.numpy(), bias.numpy(), scales, scale_in * scales))
    return _rewritten(to_int8_trained(converted), exact)


def _rewritten(content: bytes, exact: Sequence[tuple[np.ndarray, ...]]) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content)
    codes = [code.builtinCode for code in model.operatorCodes]
    graph = model.subgraphs[0]
    transpose_conv = schema.BuiltinOperator.TRANSPOSE_CONV
    ops = [op for op in graph.operators if codes[op.opcodeIndex] == transpose_conv]
    for op, (kernel, bias, scales, bias_scales) in zip(ops, exact, strict=True):
        _, kernel_tensor, _, bias_tensor = (graph.tensors[i] for i in op.inputs)
        by_channel = np.moveaxis(kernel, OUT_AXIS, 0)
        before = model.buffers[kernel_tensor.buffer].data.view(np.int8).reshape(by_channel.shape)
        apart = before * kernel_tensor.quantization.scale[0] - by_channel
        assert np.abs(apart).max() < kernel_tensor.quantization.scale[0], "not the same kernel"
        levels = np.rint(by_channel / scales[:, None, None, None]).astype(np.int8)
        _store(model, kernel_tensor, levels, scales)
        _store(model, bias_tensor, np.rint(bias / bias_scales).astype(np.int32), bias_scales)
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=IDENTIFIER)
    # Storing an entry packs every buffer with the alignment that the schema asks for.
    return write_metadata(bytes(builder.Output()), "experiment", b"per-channel TRANSPOSE_CONV")


def _store(model: Any, tensor: Any, levels: np.ndarray, scales: np.ndarray) -> None:
    model.buffers[tensor.buffer].data = np.frombuffer(levels.tobytes(), np.uint8)
    tensor.quantization.scale = scales.astype(np.float32)
    tensor.quantization.zeroPoint = np.zeros(len(scales), np.int64)
    tensor.quantization.quantizedDimension = 0
    tensor.quantization.min = tensor.quantization.max = None


def _medians(files: dict[str, bytes]) -> dict[str, float]:
    """Milliseconds a run, one thread. The files take turns, so that all see the same machine."""
    interpreters = {}
    for name, content in files.items():
        interpreters[name] = Interpreter(model_content=content, num_threads=1)
        interpreters[name].allocate_tensors()
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(ROUNDS):
        for name, interpreter in interpreters.items():
            for _ in range(RUNS):
                start = time.perf_counter()
                interpreter.invoke()
                times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    main()
