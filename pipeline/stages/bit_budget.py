"""How many bits the weights of a run's layers get: as the recipe says, or as its budget allows."""

import gzip
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tf_keras

from pipeline.compression.bits import (
    RoundingCosts,
    choose_bits,
    expected_bytes,
    layer_bits,
    least_bytes,
    per_weight,
    sensitivities,
)
from pipeline.compression.fake_quantization import quantization_aware
from pipeline.compression.levels import FULL_BITS
from pipeline.run import StageContext
from pipeline.search.budget import KILO
from pipeline.stages.provenance import with_provenance
from pipeline.stages.student import student_pixels, taught_student
from pipeline.tflite.convert import to_int8_student
from pipeline.variants import SHIPPED

PRICED = 256
"""Latents by which it is judged what a layer can bear."""
FILLED = 0.97
"""Share of a limit that is aimed at."""
ATTEMPTS = 3


def gzip_limit(ctx: StageContext) -> int | None:
    """Bytes that a student's gzipped file may take; None without such a budget."""
    limit = ctx.recipe.budget.max_gzip_kb
    return None if "student" not in ctx.inputs or limit is None else round(limit * KILO)


def gzip_bytes(ctx: StageContext, aware: tf_keras.Model) -> int:
    """Bytes of the gzipped file that will be made of a student."""
    return len(gzip.compress(shipped(ctx, aware), 9))


def shipped(ctx: StageContext, aware: tf_keras.Model) -> bytes:
    """The file of a fine-tuned student."""
    content = to_int8_student(aware, ctx.recipe.convert.batch)
    return with_provenance(content, ctx, SHIPPED, student_pixels(ctx.inputs["student"]))


class Weighed(NamedTuple):
    """Gzipped bytes of a file: those that its bits were fitted to, and those that training left."""

    aimed: int
    bytes: int


def aim(limit: int, earlier: Sequence[Weighed]) -> int:
    """Gzipped bytes to fit bits to: training will move weights, and the last round says how far.

    Half of that is expected again: what a first round took off, a second one does not quite.
    """
    drift = math.sqrt(earlier[-1].aimed / earlier[-1].bytes) if earlier else 1.0
    return round(limit * FILLED * drift)


def bits_for(
    ctx: StageContext, start: tf_keras.Model, seen: np.ndarray, aimed: int | None
) -> dict[str, float]:
    """Bits by layer: the recipe's; of a student what each layer can bear within its budget.

    Layers whose bits the recipe names keep them. ``seen`` float32 [N, …] is what the folded model
    ``start`` is asked to draw. ``aimed``: gzipped bytes that the file may have, if that is limited.
    """
    settings = ctx.recipe.quantize
    if "student" not in ctx.inputs:
        return layer_bits(start, settings.bits, settings.layers)
    even = layer_bits(start, taught_student(ctx.inputs["student"]).bits, settings.layers)
    if aimed is None and set(even.values()) == {FULL_BITS}:
        return even
    prices = per_weight(sensitivities(start, seen[:PRICED]), start)
    for name, bits in settings.layers.items():
        prices[name] = {bits: prices[name][bits]}
    target = expected_bytes(prices, even)
    if aimed is None:
        return choose_bits(prices, target)
    return _fitted(ctx, start, seen, prices, target, aimed)


def _fitted(
    ctx: StageContext,
    start: tf_keras.Model,
    seen: np.ndarray,
    prices: RoundingCosts,
    target: int,
    limit: int,
) -> dict[str, float]:
    """Bits with which the gzipped file, written and weighed, is as near below ``limit`` as it can.

    What a file holds besides its weights is known only by writing one. Where that leaves the
    weights too little they take the least they can: training may still make them smaller, and
    where it does not the report says so.
    """
    least = least_bytes(prices)
    bits = choose_bits(prices, target)
    for _ in range(ATTEMPTS):
        written = gzip_bytes(ctx, quantization_aware(start, seen[:1], bits))
        room = limit - written + expected_bytes(prices, bits)
        closer = choose_bits(prices, max(room, least))
        if closer == bits:
            break
        bits = closer
    return bits
