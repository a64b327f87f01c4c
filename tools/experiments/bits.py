"""Fewer levels a weight: by this project's scheme, by sensitivity, and by TF-MOT's clustering.

A float student, its batch norms folded, becomes an int8 file in three ways, each after the same
number of steps of distillation from itself (mean squared error on pictures of the same latents):

- k bits: ``compression.fake_quantization`` with so many bits in every layer;
- by sensitivity: bits a layer by ``compression.bits``, in the bytes that k bits everywhere take;
- clusters: TF-MOT's weight clustering into 2ᵏ values a kernel, and conversion with latents to
  calibrate on; or over half of the steps, and over the other half its cluster-preserving
  quantization-aware training ("preserved"). Both with one scale a kernel, which suits them better.

Every file goes without what no runtime reads (``lite.slim_file``) and is measured as in stage
evaluate of the run that the student belongs to: its judge, its latents, PSNR against the float
student.

    python -m tools.experiments.bits runs/digits STUDENT.keras [--steps 600] [--markdown FILE]

Its figures stand in docs/bits.md.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
    default_8bit_quantize_configs as stock,
)

from pipeline.artifacts import load_network
from pipeline.compression.bits import choose_bits, expected_bytes, kernel_layers, sensitivities
from pipeline.compression.fake_quantization import quantization_aware, round_biases
from pipeline.compression.fold import fold_batch_norm
from pipeline.compression.graph import clone_layer, followers, rebuild, sources
from pipeline.compression.int8_layers import KERNEL_LAYERS
from pipeline.determinism import prepare
from pipeline.metrics.distances import frechet_distance
from pipeline.metrics.fidelity import psnr
from pipeline.native_log import native_log
from pipeline.networks.layers import DepthToSpace
from pipeline.networks.pixels import pixel_range, to_uint8
from pipeline.stage import StageContext
from pipeline.stages.evaluate import find_judge
from pipeline.stages.inputs import generator_inputs
from pipeline.tflite import count
from pipeline.tflite.convert import convert, to_int8_trained
from pipeline.tflite.count import float_ops
from pipeline.tflite.read import read_model
from pipeline.tflite.rewrite import without_ballast
from pipeline.tflite.runtime import draw
from pipeline.training.randomness import Purpose
from tools.console import add_table_options, run_as_program, show_table
from tools.experiments.distil import distil
from tools.experiments.finished_run import open_run
from tools.tables import Table, cell, whole

BITS = (8, 6, 5, 4, 3, 2)
SENSED = (6, 5, 4, 3)
CLUSTERED = (6, 5, 4, 3, 2)
SETTLING = 32
"""Batches in which the ranges of activations settle after training."""


@dataclass(frozen=True, kw_only=True)
class QuantizedFile:
    """Size and quality of one file; ``values``: the most different values in any kernel."""

    bytes: int
    bytes_gzip: int
    values: int
    float_ops: int
    frechet: float
    psnr: float | None
    setting: str = ""


class StudentFiles:
    """Makes and measures files of one student, each with another quantization of its weights."""

    def __init__(self, ctx: StageContext, student: tf_keras.Model, steps: int) -> None:
        self.ctx, self.student, self.steps = ctx, student, steps
        self._judge = find_judge(ctx)
        self._real = self._judge.features(ctx.dataset.test)
        self._inputs = generator_inputs(ctx, Purpose.EVALUATION, ctx.recipe.evaluate.samples)
        self._reference = self._pictures(student.predict(self._inputs, verbose=0))

    def float_frechet(self) -> float:
        """Of the student that all files are held against."""
        return frechet_distance(self._real, self._judge.features(self._reference))

    def calibration(self) -> np.ndarray:
        """Latents [512, L] that set the first ranges and measure sensitivities."""
        return generator_inputs(self.ctx, Purpose.CALIBRATION, 512)

    def with_bits(self, bits: dict[str, float], rate: float) -> QuantizedFile:
        """By this project's scheme."""
        prepare(self.ctx.recipe.seed)
        aware = quantization_aware(self.student, self.calibration(), bits)
        self._train(aware, self.steps, rate)
        round_biases(aware)
        setting = " ".join(f"{name} {number}" for name, number in bits.items())
        return self._measure(to_int8_trained(aware), setting)

    def with_clusters(self, clusters: int, rate: float) -> QuantizedFile:
        """By TF-MOT's clustering; the ranges of activations are read off latents afterwards."""
        inputs = self.calibration()

        def configure(converter: Any) -> None:
            _one_scale_a_kernel(converter)
            converter.representative_dataset = lambda: ([row[None]] for row in inputs)

        return self._measure(
            convert(self._clustered(clusters, self.steps, rate), 1, configure=configure)
        )

    def with_clusters_preserved(self, clusters: int, rate: float) -> QuantizedFile:
        """By TF-MOT's clustering and its cluster-preserving quantization-aware training."""
        stripped = self._clustered(clusters, self.steps // 2, rate)
        annotated = tf_keras.models.clone_model(stripped, clone_function=_annotated)
        scheme = tfmot.experimental.combine.Default8BitClusterPreserveQuantizeScheme()
        with tfmot.quantization.keras.quantize_scope(
            {"DepthToSpace": DepthToSpace, "NoOpQuantizeConfig": stock.NoOpQuantizeConfig}
        ):
            aware = tfmot.quantization.keras.quantize_apply(annotated, scheme)
        self._train(aware, self.steps - self.steps // 2, rate)
        return self._measure(convert(aware, 1, configure=_one_scale_a_kernel))

    def _clustered(self, clusters: int, steps: int, rate: float) -> tf_keras.Model:
        prepare(self.ctx.recipe.seed)
        clustered = tfmot.clustering.keras.cluster_weights(
            _with_relu_inside(self.student), number_of_clusters=clusters
        )
        self._train(clustered, steps, rate)
        return tfmot.clustering.keras.strip_clustering(clustered)

    def _train(self, model: tf_keras.Model, steps: int, rate: float) -> None:
        distil(model, self.student, ctx=self.ctx, steps=steps, rate=rate, description="distil")
        batch = self.ctx.recipe.train.batch
        for inputs in np.split(
            generator_inputs(self.ctx, Purpose.RECALIBRATE, SETTLING * batch), SETTLING
        ):
            model(inputs, training=True)

    def _measure(self, content: bytes, setting: str = "") -> QuantizedFile:
        slim = without_ballast(content)
        model = read_model(slim)
        pictures = self._pictures(draw(slim, self._inputs))
        kernels = [
            constant.tensor.data() for constant in count.constants(model) if constant.is_kernel
        ]
        return QuantizedFile(
            bytes=model.size,
            bytes_gzip=model.size_gzip,
            values=max(len(np.unique(kernel)) for kernel in kernels),
            float_ops=len(float_ops(model)),
            frechet=frechet_distance(self._real, self._judge.features(pictures)),
            psnr=psnr(pictures, self._reference),
            setting=setting,
        )

    def _pictures(self, outputs: np.ndarray) -> np.ndarray:
        return to_uint8(outputs, pixel_range(self.student))


def _with_relu_inside(model: tf_keras.Model) -> tf_keras.Model:
    """The same model as TF-MOT's guides write theirs: clusters before a ReLU layer are not kept."""

    def before_relu(layer: tf_keras.layers.Layer) -> bool:
        return [type(reader) for reader in followers(model, layer)] == [tf_keras.layers.ReLU]

    def replace(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer | None:
        if isinstance(layer, tf_keras.layers.ReLU) and all(
            isinstance(source, KERNEL_LAYERS) and before_relu(source)
            for source in sources(model, layer)
        ):
            return None
        inside = isinstance(layer, KERNEL_LAYERS) and before_relu(layer)
        return clone_layer(layer, **({"activation": "relu"} if inside else {}))

    copy = rebuild(model, replace)
    copy.set_weights(model.get_weights())
    return copy


def _one_scale_a_kernel(converter: Any) -> None:
    """A scale for each channel would make as many values of a cluster as there are channels."""
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel = True
    converter._experimental_disable_per_channel_quantization_for_dense_layers = True


def _annotated(layer: tf_keras.layers.Layer) -> Any:
    """The layer, to be quantized by TF-MOT's own rules; it has none for ours, which only moves."""
    if isinstance(layer, tf_keras.layers.InputLayer):
        return layer
    moves = isinstance(layer, DepthToSpace)
    config = stock.NoOpQuantizeConfig() if moves else None
    return tfmot.quantization.keras.quantize_annotate_layer(layer, config)


def compare(files: StudentFiles, rates: dict[str, float]) -> Iterator[tuple[str, QuantizedFile]]:
    """Method → its file, in the order of the table."""
    names = kernel_layers(files.student)
    prices = sensitivities(files.student, files.calibration())
    for bits in BITS:
        yield f"{bits} bits", files.with_bits(dict.fromkeys(names, bits), rates["bits"])
    for bits in SENSED:
        target = expected_bytes(prices, dict.fromkeys(names, bits))
        chosen = choose_bits(prices, target)
        yield f"by sensitivity, bytes of {bits}", files.with_bits(chosen, rates["bits"])
    for bits in CLUSTERED:
        yield f"{2**bits} clusters", files.with_clusters(2**bits, rates["clusters"])
    for bits in CLUSTERED:
        preserved = files.with_clusters_preserved(2**bits, rates["clusters"])
        yield f"{2**bits} clusters, preserved", preserved


def table(files: StudentFiles, student: Path, measured: dict[str, QuantizedFile]) -> Table:
    """A row a method."""
    return Table(
        ("Weights", "bytes", "gzip", "values", "float ops", "Fréchet", "PSNR dB"),
        [
            [
                name,
                whole(it.bytes),
                whole(it.bytes_gzip),
                whole(it.values),
                whole(it.float_ops),
                cell(it.frechet),
                cell(it.psnr),
            ]
            for name, it in measured.items()
        ],
        [
            f"Student {student.name} of {files.student.count_params():,} weights, Fréchet "
            f"{files.float_frechet():.3f} in float; {files.steps} steps of batch "
            f"{files.ctx.recipe.train.batch}; {files.ctx.recipe.evaluate.samples} pictures "
            "a file.",
            *(f"{name}: {it.setting}." for name, it in measured.items() if "sens" in name),
        ],
    )


def main() -> int:
    """Compare, then print and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_table_options(parser)
    parser.add_argument("student", type=Path, help="a .keras generator that int8 can be made of")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--bits-rate", type=float, default=1e-2, help="Adam's learning rate")
    parser.add_argument("--clusters-rate", type=float, default=1e-3, help="Adam's learning rate")
    options = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(1)
    ctx = open_run(options.run)
    with TemporaryDirectory() as name, native_log(Path(name) / "log.txt"):
        student = fold_batch_norm(load_network(options.student))
        files = StudentFiles(ctx, student, options.steps)
        rates = {"bits": options.bits_rate, "clusters": options.clusters_rate}
        measured = dict(compare(files, rates))
    rows = {method: asdict(it) for method, it in measured.items()}
    show_table(table(files, options.student, measured), rows, options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
