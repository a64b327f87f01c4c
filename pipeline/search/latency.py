"""How long a generator takes on a target, predicted from its operations by a linear model.

Each operation costs a constant, something for each value it moves or gathers, and something for
each multiply-accumulate, as convolution kernels carry them out: in tiles, so that four output
channels cost what sixteen do (Dukhan 2019, The Indirect Convolution Algorithm). The costs come from
a non-negative least squares fit to measurements of a small set of generators.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
from pydantic import Field
from scipy.optimize import nnls

from deploy.jobs import FrozenModel
from pipeline.search.operations import Operation

Tile = tuple[int, int]
TILES = ((1, 1), (2, 8), (4, 8), (8, 8), (4, 16), (8, 16))
"""Input by output channels of a tile, of common int8 kernels; the calibration chooses."""

# Rare operations share the cost of like ones: a few generators could not tell them apart.
_COST_NAMES = {
    "LOGISTIC": "TANH",
    "ADD": "ELEMENTWISE",
    "MUL": "ELEMENTWISE",
    "RSQRT": "ELEMENTWISE",
    "LEAKY_RELU": "ELEMENTWISE",
    "RELU": "ELEMENTWISE",
}
_FREE = ("RESHAPE",)  # nothing is moved: the same memory is read in another shape
RUN = "a run"
_CONSTANT, _MOVED, _GATHERED, _WORK = "", " moved", " gathered", " work"

Unit = Literal["ms", "instructions"]


class FitErrors(FrozenModel):
    """Relative errors of the predictions for the generators that they were fitted to.

    "Left out" is each generator predicted by a fit to all others.
    """

    generators: int
    median: float
    largest: float
    left_out_median: float
    left_out_largest: float
    left_out_worst: str
    """Name of the generator with the largest."""


class Latency(FrozenModel):
    """What each of the ``cost_features`` costs on one target, in ``unit``."""

    target: str
    unit: Unit
    tile: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]
    costs: dict[str, Annotated[float, Field(ge=0)]]
    fit: FitErrors

    def predict(self, ops: Sequence[Operation]) -> float:
        """The median of one picture, in ``unit``; what was never measured costs nothing."""
        features = cost_features(ops, self.tile)
        return sum(amount * self.costs.get(name, 0.0) for name, amount in features.items())


def cost_features(ops: Sequence[Operation], tile: Tile) -> dict[str, float]:
    """How much there is of what costs: operations by kind, values moved, work in tiles."""
    features = defaultdict(float, {RUN: 1.0})
    for op in ops:
        if op.op in _FREE:
            continue
        kind = _COST_NAMES.get(op.op, op.op)
        features[kind + _CONSTANT] += 1.0
        if not op.kernel:
            features[kind + _MOVED] += float(op.moved)
            continue
        # A kernel is applied for each output pixel, a transposed one for each input pixel.
        pixels = op.inputs[0] if op.op == "TRANSPOSE_CONV" else op.output
        positions, taps = math.prod(pixels[1:-1]), math.prod(op.kernel[1:-1])
        features[kind + _WORK] += float(positions * taps * _channel_pairs(op, tile))
        if len(op.kernel) > 2:
            features[kind + _GATHERED] += float(positions * taps)
    return features


def _channel_pairs(op: Operation, tile: Tile) -> int:
    """Multiply-accumulates for each tap, those of channels that only fill a tile included."""
    into, out = tile
    if op.op == "DEPTHWISE_CONV_2D":
        return _filled(op.kernel[-1], out)
    return _filled(op.kernel[-1], into) * _filled(op.kernel[0], out)


def _filled(channels: int, tile: int) -> int:
    return -(-channels // tile) * tile


def fit_latency(
    measured: Mapping[str, float],
    ops: Mapping[str, Sequence[Operation]],
    *,
    target: str,
    unit: Unit,
) -> Latency:
    """The costs that explain ``measured`` (name → ms or instructions) with least relative errors.

    Of ``TILES`` that one is taken whose left-out errors have the least median.
    """
    names = list(measured)

    def fit(tile: Tile) -> Latency:
        rows = [cost_features(ops[name], tile) for name in names]
        features = sorted({feature for row in rows for feature in row})
        table = np.array([[row.get(feature, 0.0) for feature in features] for row in rows])
        # Rows are divided by what was measured, so that errors are relative; columns by their
        # largest, so that nanoseconds a value and microseconds an operation are of one size.
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
            costs=dict(zip(features, (costs / sizes).tolist(), strict=True)),
            fit=FitErrors(
                generators=len(names),
                median=float(np.median(errors)),
                largest=float(errors.max()),
                left_out_median=float(np.median(left_out)),
                left_out_largest=float(left_out.max()),
                left_out_worst=names[int(left_out.argmax())],
            ),
        )

    return min(map(fit, TILES), key=lambda latency: latency.fit.left_out_median)


def _without(table: np.ndarray, row: int) -> float:
    """Relative error of one row's prediction by the others."""
    others = np.delete(table, row, axis=0)
    costs, _ = nnls(others, np.ones(len(others)))
    return float(table[row] @ costs - 1)
