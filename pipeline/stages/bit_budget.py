"""How many bits the weights of a student's layers get, within the bytes of its budget."""

import gzip
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import tf_keras

from pipeline.artifacts import read_student_facts
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
from pipeline.compression.int8_layers import FULL_BITS
from pipeline.search.budget import KILO
from pipeline.stage import StageContext
from pipeline.stages.provenance import with_student_provenance
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
    return None if limit is None else round(limit * KILO)


def gzip_bytes(ctx: StageContext, aware: tf_keras.Model) -> int:
    """Bytes of the gzipped file that will be written of a quantization-aware student."""
    return len(gzip.compress(student_file(ctx, aware), 9))


def student_file(ctx: StageContext, aware: tf_keras.Model) -> bytes:
    """The .tflite of a fine-tuned student."""
    content = to_int8_student(aware, ctx.recipe.convert.batch)
    pixels = read_student_facts(ctx.inputs["student"]).pixels
    return with_student_provenance(content, ctx, SHIPPED, pixels)


class RoundBytes(NamedTuple):
    """Gzipped bytes of a round's file: those that bits were fitted to, those that training left."""

    target: int
    written: int


def target_bytes(limit: int, earlier: Sequence[RoundBytes]) -> int:
    """Gzipped bytes to fit bits to: training will move weights, and the last round says how far.

    Half of that is expected again: what a first round took off, a second one does not quite.
    """
    drift = math.sqrt(earlier[-1].target / earlier[-1].written) if earlier else 1.0
    return round(limit * FILLED * drift)


def bits_for(
    ctx: StageContext, start: tf_keras.Model, inputs: np.ndarray, target: int | None
) -> dict[str, float]:
    """Bits by layer: what each layer of a student can bear within its budget.

    Layers whose bits the recipe names keep them. ``inputs`` float32 [N, …] is what the folded model
    ``start`` reads. ``target``: gzipped bytes that the file may have, if that is limited.
    """
    settings = ctx.recipe.quantize
    even = layer_bits(start, read_student_facts(ctx.inputs["student"]).tried.bits, settings.layers)
    if target is None and set(even.values()) == {FULL_BITS}:
        return even
    prices = per_weight(sensitivities(start, inputs[:PRICED]), start)
    for name, bits in settings.layers.items():
        prices[name] = {bits: prices[name][bits]}
    even_bytes = expected_bytes(prices, even)
    if target is None:
        return choose_bits(prices, even_bytes)
    return _fitted(ctx, start, prices=prices, first=even_bytes, limit=target, inputs=inputs)


def _fitted(
    ctx: StageContext,
    start: tf_keras.Model,
    *,
    prices: RoundingCosts,
    first: int,
    limit: int,
    inputs: np.ndarray,
) -> dict[str, float]:
    """Bits with which the gzipped file, written and weighed, is as near below ``limit`` as it can.

    What a file holds besides its weights is known only by writing one. Where that leaves the
    weights too little they take the least they can: training may still make them smaller, and
    where it does not the report says so.
    """
    least = least_bytes(prices)
    bits = choose_bits(prices, first)
    for _ in range(ATTEMPTS):
        written = gzip_bytes(ctx, quantization_aware(start, inputs[:1], bits))
        room = limit - written + expected_bytes(prices, bits)
        closer = choose_bits(prices, max(room, least))
        if closer == bits:
            break
        bits = closer
    return bits
