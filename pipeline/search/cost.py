"""What a student's file will cost, predicted from the model alone.

Numbers are counted; what stands around them (tables of a flatbuffer, names, provenance) is linear
in a few counts. Compressed bytes are not computed from the entropy, since deflate stays a quarter
above it on few levels and profits from runs of zeros: kernels like trained ones are drawn at random
and compressed.
"""

import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import tf_keras

from pipeline.compression.int8_layers import FULL_BITS, INT8_LEVELS, levels
from pipeline.search.budget import FileCost
from pipeline.search.latency import Latency
from pipeline.search.operations import Operation, operations
from pipeline.tflite.rewrite import BUFFER_ALIGNMENT

SCALE = np.dtype(np.float32).itemsize + np.dtype(np.int64).itemsize
"""Bytes of one scale with its zero point."""
# Root mean square of a trained bias, in steps of its scale.
_BIAS_STEPS = 3000.0
# Operations that read a shape out of a constant.
_WITH_SHAPE = (
    *("RESHAPE", "TRANSPOSE_CONV", "RESIZE_NEAREST_NEIGHBOR"),
    *("PAD", "MIRROR_PAD", "STRIDED_SLICE"),
)


@dataclass(frozen=True, kw_only=True)
class Structure:
    """Bytes of a file besides its numbers, fitted to files by least squares.

    For the file as a whole, and for each operation, each constant, each kind of operation and each
    letter of a layer's name.
    """

    file: float = 0.0
    operation: float = 0.0
    constant: float = 0.0
    kind: float = 0.0
    letter: float = 0.0

    def bytes(self, ops: Sequence[Operation]) -> float:
        """What these operations take."""
        weights = (self.file, self.operation, self.constant, self.kind, self.letter)
        return float(np.dot(weights, structure(ops)))


AROUND = Structure(file=742.8, operation=149.0, constant=91.3, kind=34.4, letter=1.0)
AROUND_GZIP = Structure(file=690.0, operation=73.3, constant=4.5)
"""By ``python -m tools.experiments.cost_model --structure``, see docs/cost_model.md."""


def structure(ops: Sequence[Operation]) -> tuple[int, int, int, int, int]:
    """What ``Structure`` counts: 1, operations, constants, kinds of operation, letters."""
    constants = sum(bool(op.kernel) + bool(op.biases) + (op.op in _WITH_SHAPE) for op in ops)
    # An operation's output is called after its layer, and so is a kernel.
    letters = sum(len(op.layer) * (2 if op.kernel else 1) for op in ops)
    return 1, len(ops), constants, len({op.op for op in ops}), letters


def predict_cost(
    model: tf_keras.Model,
    *,
    bits: Mapping[str, int] = MappingProxyType({}),
    sparsity: Mapping[str, float] = MappingProxyType({}),
    latency: Latency | None = None,
    trained: bool = False,
) -> FileCost:
    """The cost of a float model of any layers that have an int8 form; nothing is trained.

    Args:
        bits: of each weight, 2 to 8, by the layer's name; 8 where none are given.
        sparsity: share of zeros in each kernel, 0 to 1, by the layer's name; 0 where none is given.
        latency: what the operations cost on a target, ``calibration_of(target).latency``.
        trained: whether the weights are what they will be, or near it, as a slimmed teacher's are.
            Else they count as normally distributed, which those of small students are; a large
            teacher's have heavier tails and compress a quarter better.

    Raises:
        PocketganError: a layer has no int8 form.
    """
    ops = operations(model, bits)
    predicted = None if latency is None else latency.predict(ops)
    timed = latency is not None and latency.unit == "ms"
    return FileCost(
        bytes=file_bytes(ops, AROUND),
        bytes_gzip=gzip_bytes(ops, AROUND_GZIP, bits=bits, sparsity=sparsity, trained=trained),
        macs=sum(op.macs for op in ops),
        p50_ms=predicted if timed else None,
        instructions=None if predicted is None or timed else round(predicted),
    )


def file_bytes(ops: Sequence[Operation], around: Structure) -> int:
    """Bytes of the file."""
    return round(sum(map(_stored, ops)) + around.bytes(ops))


def gzip_bytes(
    ops: Sequence[Operation],
    around: Structure,
    *,
    bits: Mapping[str, int],
    sparsity: Mapping[str, float],
    trained: bool = False,
) -> int:
    """Bytes of the file after gzip, level 9.

    ``bits`` (2 to 8; where none are given, 8) and ``sparsity`` (share of zeros, 0 to 1, the
    smallest weights) are of the kernels of single layers. Where the weights are ``trained`` the
    kernels are taken as they are.
    """
    random = np.random.default_rng(0)
    numbers = b"".join(
        number
        for op in ops
        if op.kernel
        for number in _numbers(
            op,
            random,
            bits=bits.get(op.layer, FULL_BITS),
            sparsity=sparsity.get(op.layer, 0.0),
            weights=op.weights if trained else None,
        )
    )
    return round(len(gzip.compress(numbers, 9, mtime=0)) + around.bytes(ops))


def _stored(op: Operation) -> int:
    """Bytes of kernel, biases and their scales, each but these at a multiple of 16."""
    if not op.kernel:
        return 0
    arrays = (math.prod(op.kernel), np.dtype(np.int32).itemsize * op.biases)
    tables = op.ranges * SCALE * (2 if op.biases else 1)
    return sum(-(-size // BUFFER_ALIGNMENT) * BUFFER_ALIGNMENT for size in arrays) + tables


def _numbers(
    op: Operation,
    random: np.random.Generator,
    *,
    bits: int,
    sparsity: float,
    weights: np.ndarray | None,
) -> Iterator[bytes]:
    """Kernel, biases and scales as a file might hold them: normal, the range up to the largest."""
    kernel = (random.normal(size=op.kernel) if weights is None else weights).astype(np.float32)
    size = np.abs(kernel)
    kernel[size < np.quantile(size, sparsity)] = 0
    limits = np.maximum(size.reshape(op.ranges, -1).max(1), np.finfo(np.float32).tiny)
    widest = limits.reshape(-1, *[1] * (len(op.kernel) - 1))
    level = np.rint(kernel / widest * levels(bits))
    yield np.rint(level * (INT8_LEVELS / levels(bits))).astype(np.int8).tobytes()
    steps = random.normal(size=op.biases) * _BIAS_STEPS
    if op.biases and bits < FULL_BITS:  # as many bits as the kernel's (round_biases)
        coarse = np.ceil(np.abs(steps).max() / levels(bits))
        steps = np.rint(steps / coarse) * coarse
    yield np.rint(steps).astype(np.int32).tobytes()
    if op.ranges > 1:
        for _ in range(2 if op.biases else 1):
            yield widest.tobytes()
            yield bytes(8 * op.ranges)
