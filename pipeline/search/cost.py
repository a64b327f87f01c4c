"""What a student's file will cost, predicted from the model alone."""

from collections.abc import Mapping
from types import MappingProxyType

import tf_keras

from pipeline.search.budget import FileCost
from pipeline.search.latency import Latency
from pipeline.search.operations import operations
from pipeline.search.size import AROUND, AROUND_GZIP, file_bytes, gzip_bytes


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
