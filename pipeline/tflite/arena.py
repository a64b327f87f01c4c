"""How much memory a network's activations need: an estimate of the tensor arena.

The plan is "greedy by size for offset calculation" (Pisarchyk & Lee 2020, arXiv:2001.03288): the
largest tensor first, each into the smallest gap that fits between tensors alive at the same time.
TensorFlow Lite's planners, full and micro, work in this way. For float32, int8 and int16x8 nets of
dense, convolution and transposed convolution layers the estimate equalled, byte for byte, what the
micro runtime (tflite-micro 0.dev20261023) planned on x86. Not part of it: weights, the runtime's
own bookkeeping, and the scratch space that kernels tuned for one processor may add.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from pipeline.tflite.model import LiteModel, Op, Subgraph, Tensor

# What TensorFlow Lite for Microcontrollers aligns tensors to; the full runtime takes 64.
ALIGNMENT = 16


# A quantized transposed convolution adds up its output in wider integers: bytes a value.
_ACCUMULATOR_BYTES = {"int8": 4, "int16": 8}


@dataclass(frozen=True, eq=False)
class Lifetime:
    """A block of ``size`` bytes, alive from operation ``first`` to ``last``, both included."""

    size: int
    first: int
    last: int


@dataclass(frozen=True)
class Arena:
    """``peak`` bytes of the plan; no plan can need less than ``lower_bound``."""

    peak: int
    lower_bound: int
    alignment: int


def estimate(model: LiteModel, alignment: int = ALIGNMENT) -> Arena:
    """The arena in bytes, each tensor rounded up to ``alignment``; sub-graphs add up."""
    plans = [lifetimes(subgraph, alignment) for subgraph in model.subgraphs]
    return Arena(
        peak=sum(peak(place(lives)) for lives in plans),
        lower_bound=sum(lower_bound(lives) for lives in plans),
        alignment=alignment,
    )


def lifetimes(subgraph: Subgraph, alignment: int) -> list[Lifetime]:
    """When each computed tensor, and each accumulator, is alive, counted in operations.

    Inputs are alive from the first operation, outputs and variables until the last; any other from
    the operation that makes it to the last one that reads it.
    """
    end = max(len(subgraph.ops) - 1, 0)
    first: dict[Tensor, int] = dict.fromkeys(subgraph.inputs, 0)
    last: dict[Tensor, int] = dict.fromkeys(subgraph.inputs, 0)
    for position, op in enumerate(subgraph.ops):
        for tensor in (*op.inputs, *op.outputs):
            if tensor is not None:
                first.setdefault(tensor, position)
                last[tensor] = position
    last.update(dict.fromkeys(subgraph.outputs, end))
    for tensor in first:
        if tensor.is_variable:
            first[tensor], last[tensor] = 0, end
    blocks = [(t.dense_bytes, first[t], last[t]) for t in first if not t.is_constant]
    blocks += [(_accumulator(op), at, at) for at, op in enumerate(subgraph.ops)]
    return [Lifetime(-(-size // alignment) * alignment, *alive) for size, *alive in blocks if size]


def _accumulator(op: Op) -> int:
    """Bytes that ``op`` adds up its output in, beside the output itself; 0 for most."""
    if op.name != "TRANSPOSE_CONV" or not op.outputs:
        return 0
    return op.outputs[0].size * _ACCUMULATOR_BYTES.get(op.outputs[0].dtype, 0)


def place(lives: Sequence[Lifetime]) -> dict[Lifetime, int]:
    """An offset in bytes for each tensor; tensors alive at the same time do not overlap."""
    # What is placed, by offset; a column a tensor: offset, end, first, last.
    placed = np.zeros((4, 0), np.int64)
    offsets: dict[Lifetime, int] = {}
    for life in sorted(lives, key=lambda life: -life.size):
        alive = (placed[2] <= life.last) & (life.first <= placed[3])
        offset = _smallest_gap(life.size, starts=placed[0, alive], ends=placed[1, alive])
        column = [offset, offset + life.size, life.first, life.last]
        placed = np.insert(placed, np.searchsorted(placed[0], offset, "right"), column, axis=1)
        offsets[life] = offset
    return offsets


def _smallest_gap(size: int, starts: np.ndarray, ends: np.ndarray) -> int:
    """Start of the smallest gap of at least ``size`` before a start, or else the last end."""
    free_from = np.maximum.accumulate(np.concatenate([[0], ends]))
    gaps = starts - free_from[:-1]
    fitting = np.flatnonzero(gaps >= size)
    return int(free_from[fitting[np.argmin(gaps[fitting])]] if fitting.size else free_from[-1])


def peak(plan: dict[Lifetime, int]) -> int:
    return max((offset + life.size for life, offset in plan.items()), default=0)


def lower_bound(lives: Sequence[Lifetime]) -> int:
    """The most bytes alive during any one operation."""
    change: Counter[int] = Counter()
    for life in lives:
        change[life.first] += life.size
        change[life.last + 1] -= life.size
    return max(accumulate(change[position] for position in sorted(change)), default=0)
