"""What does each rounding cost a student for pictures? PSNR to its teacher, one rounding left out.

Of the fake-quantized student of a finished `compress` run: as it is; with each layer's output, then
each kernel, left in float32; with all outputs, and with everything in float32. The inputs are those
that were held back.

    python -m tools.experiments.rounding_costs runs/esrgan-8.5kbgz [--json] [--markdown FILE]

Its figures stand in docs/decisions.md.
"""

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from pipeline.artifacts import HELD_BACK, load_quantized, read_distillation_set
from pipeline.compression.fake_quantization import wrappers
from pipeline.networks.pixels import to_uint8
from pipeline.search.candidates import decibels
from pipeline.stages.provenance import read_pixel_range
from pipeline.training.distillation_set import DistillationSet
from pipeline.variants import SHIPPED
from tools.console import add_table_options, run_as_program, show_table
from tools.experiments.finished_run import open_run, variant
from tools.tables import Table

COMPARED = 260


class Unrounded:
    """In the place of a quantizer: nothing is rounded; a kernel keeps its mask and its range."""

    def __init__(self, quantizer: Any = None) -> None:
        self._quantizer = quantizer

    def __call__(self, values: Any, training: Any, weights: Any) -> Any:
        return values if self._quantizer is None else self._quantizer.within(values, weights)


@contextmanager
def output_in_float(wrapper: Any) -> Iterator[None]:
    """The layer's output is not rounded meanwhile."""
    quantizers = wrapper._output_quantizers
    wrapper._output_quantizers = [Unrounded() for _ in quantizers]
    yield
    wrapper._output_quantizers = quantizers


@contextmanager
def kernel_in_float(wrapper: Any) -> Iterator[None]:
    """The layer's kernel is not rounded meanwhile."""
    variables = wrapper._weight_vars
    wrapper._weight_vars = [
        (kernel, Unrounded(quantizer), ranges) for kernel, quantizer, ranges in variables
    ]
    yield
    wrapper._weight_vars = variables


def costs(aware: tf_keras.Model, pairs: DistillationSet, pixels: Any) -> dict[str, float]:
    """What is left in float32 → PSNR to the teacher's pictures, in dB."""
    inputs = tf.constant(pairs.readable())
    teachers = pairs.pictures.astype(np.float32)

    def psnr() -> float:
        pictures = to_uint8(aware.call(inputs, training=False).numpy(), pixels)
        return decibels(float(np.mean(np.square(pictures - teachers), dtype=np.float64)))

    outputs = [wrapper for wrapper in wrappers(aware) if wrapper._output_quantizers]
    kernels = [wrapper for wrapper in wrappers(aware) if wrapper._weight_vars]
    rows = {"nothing": psnr()}
    for wrapper in outputs:
        with output_in_float(wrapper):
            rows[f"output of {wrapper.layer.name}"] = psnr()
    for wrapper in kernels:
        with kernel_in_float(wrapper):
            rows[f"kernel of {wrapper.layer.name}"] = psnr()
    with ExitStack() as stack:
        for wrapper in outputs:
            stack.enter_context(output_in_float(wrapper))
        rows["all outputs"] = psnr()
        for wrapper in kernels:
            stack.enter_context(kernel_in_float(wrapper))
        rows["everything"] = psnr()
    return rows


def main() -> int:
    """0, always: it only measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    add_table_options(parser)
    options = parser.parse_args()
    ctx = open_run(options.run)
    aware = load_quantized(ctx.inputs["quantize"], SHIPPED)
    pairs = read_distillation_set(ctx.inputs["teacher"], HELD_BACK).first(COMPARED)
    pixels = read_pixel_range(variant(ctx, SHIPPED).read_bytes())
    rows = costs(aware, pairs, pixels)
    table = Table(
        headings=("in float32", "PSNR, dB"),
        rows=[(name, f"{value:.2f}") for name, value in rows.items()],
        notes=[],
    )
    show_table(table, rows, options)
    return 0


if __name__ == "__main__":
    run_as_program(main)
