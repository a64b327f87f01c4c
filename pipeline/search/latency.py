"""How long a generator takes on a target, told from its operations: a linear model, calibrated.

Each operation costs a constant, something for each value it moves or gathers, and something for
each multiply-accumulate, as convolution kernels carry them out: in tiles, so that four output
channels cost what sixteen do (Dukhan 2019, The Indirect Convolution Algorithm). Costs are what a
non-negative least squares fit to measurements of a small set of generators says.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.optimize import nnls

from pipeline.search.operations import Operation

TILES = ((1, 1), (2, 8), (4, 8), (8, 8), (4, 16), (8, 16))
"""Input by output channels of a tile, of common int8 kernels; the calibration chooses."""

# What costs alike, so that few generators tell it.
_LIKE = {
    "LOGISTIC": "TANH",
    "ADD": "ELEMENTWISE",
    "LEAKY_RELU": "ELEMENTWISE",
    "RELU": "ELEMENTWISE",
}
# It moves nothing: the same memory is read otherwise.
_FREE = ("RESHAPE",)
RUN = "a run"
_CONSTANT, _MOVED, _GATHERED, _WORK = "", " moved", " gathered", " work"

Unit = Literal["ms", "instructions"]


class Fit(BaseModel):
    """How far predictions are from the measurements that they are made from: relative errors.

    "Left out" is each generator predicted by a fit to all others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    generators: int
    median: float
    largest: float
    left_out_median: float
    left_out_largest: float
    left_out_worst: str
    """Name of the generator with the largest."""


class Latency(BaseModel):
    """What everything costs on one target, in ``unit`` for each of what ``amounts`` counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    target: str
    unit: Unit
    tile: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    costs: dict[str, Annotated[float, Field(ge=0)]]
    fit: Fit

    def predict(self, ops: Sequence[Operation]) -> float:
        """The median of one picture, in ``unit``; what was never measured costs nothing."""
        found = amounts(ops, self.tile)
        return sum(amount * self.costs.get(name, 0.0) for name, amount in found.items())


def amounts(ops: Sequence[Operation], tile: tuple[int, int]) -> dict[str, float]:
    """How much of each thing that costs: constants of operations, values moved, work in tiles."""
    found: dict[str, float] = {RUN: 1.0}
    for op in ops:
        for name, amount in _amounts_of(op, tile):
            found[name] = found.get(name, 0.0) + amount
    return found


def _amounts_of(op: Operation, tile: tuple[int, int]) -> Iterator[tuple[str, float]]:
    if op.op in _FREE:
        return
    kind = _LIKE.get(op.op, op.op)
    yield kind + _CONSTANT, 1.0
    if not op.kernel:
        yield kind + _MOVED, float(op.moved)
        return
    positions, taps = _positions(op), math.prod(op.kernel[1:-1])
    yield kind + _WORK, float(positions * taps * _channel_pairs(op, tile))
    if len(op.kernel) > 2:
        yield kind + _GATHERED, float(positions * taps)


def _positions(op: Operation) -> int:
    """Places where the kernel is laid on: of the output, where it is transposed of the input."""
    return math.prod((op.inputs[0] if op.op == "TRANSPOSE_CONV" else op.output)[1:-1])


def _channel_pairs(op: Operation, tile: tuple[int, int]) -> int:
    """Multiply-accumulates for each tap, those of channels that only fill a tile included."""
    into, out = tile
    if op.op == "DEPTHWISE_CONV_2D":
        return _filled(op.kernel[-1], out)
    return _filled(op.kernel[-1], into) * _filled(op.kernel[0], out)


def _filled(channels: int, tile: int) -> int:
    return -(-channels // tile) * tile


def fit(
    target: str,
    unit: Unit,
    measured: Mapping[str, float],
    ops: Mapping[str, Sequence[Operation]],
) -> Latency:
    """The costs that explain ``measured`` (name → ms or instructions) with least relative errors.

    Of ``TILES`` that one is taken whose left-out errors have the least median.
    """
    fits = [_fit(target, unit, tile, measured, ops) for tile in TILES]
    return min(fits, key=lambda latency: latency.fit.left_out_median)


def _fit(
    target: str,
    unit: Unit,
    tile: tuple[int, int],
    measured: Mapping[str, float],
    ops: Mapping[str, Sequence[Operation]],
) -> Latency:
    names = list(measured)
    counted = [amounts(ops[name], tile) for name in names]
    things = sorted({thing for found in counted for thing in found})
    table = np.array([[found.get(thing, 0.0) for thing in things] for found in counted])
    # Rows are divided by what was measured, so that errors are relative; columns by their largest,
    # so that nanoseconds a value and microseconds an operation are numbers of one size.
    table /= np.array([measured[name] for name in names])[:, None]
    sizes = table.max(0)
    table /= sizes
    costs, _ = nnls(table, np.ones(len(names)))
    errors = np.abs(table @ costs - 1)
    left_out = np.abs([_without(table, row) for row in range(len(names))])
    return Latency(
        target=target,
        unit=unit,
        tile=tile,
        costs=dict(zip(things, (costs / sizes).tolist(), strict=True)),
        fit=Fit(
            generators=len(names),
            median=float(np.median(errors)),
            largest=float(errors.max()),
            left_out_median=float(np.median(left_out)),
            left_out_largest=float(left_out.max()),
            left_out_worst=names[int(left_out.argmax())],
        ),
    )


def _without(table: np.ndarray, row: int) -> float:
    """Relative error of one row's prediction by the others."""
    others = np.delete(table, row, axis=0)
    costs, _ = nnls(others, np.ones(len(others)))
    return float(table[row] @ costs - 1)
