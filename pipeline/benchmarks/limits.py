"""How far a measurement is from what the machine could do at best."""

from typing import NamedTuple

from deploy.jobs import Measurement
from pipeline.benchmarks.schema import File

# Multiply-accumulates of one vector instruction on 128-bit registers: SDOT sums 4 × 4 products of
# int8, SMLAL 8 of them, FMLA and VMLA 4 of float32 (Arm Architecture Reference Manual, A64 SIMD).
SDOT, SMLAL, FMLA = 16, 8, 4
DOT_PRODUCT_CORES = ("cortex-a76", "neoverse-n1")


class Limit(NamedTuple):
    """The share of the best possible, 0 to 1, and what the best possible is, in words."""

    share: float
    words: str


def limit_of(measurement: Measurement, file: File | None, bandwidth: float | None) -> Limit | None:
    """The distance of ``measurement`` from its limit; None where it cannot be told.

    On a counted core: the instructions that the multiply-accumulates alone need, over those
    executed. On this machine: the time that the file's tensors need to pass memory once at
    ``bandwidth`` (bytes a second), over the median time; above 1 means that caches helped.
    """
    if file is None:
        return None
    if measurement.instructions is not None and file.macs:
        width, name = _vector(measurement.target, file)
        needed = file.macs / width
        words = f"{file.macs:,} MACs, {width} each {name}: at least {needed:,.0f} instructions"
        return Limit(needed / measurement.instructions, words)
    here = measurement.target.split(":")[0] == "local"
    if here and measurement.p50_ms is not None and file.traffic and bandwidth:
        needed_ms = 1000 * file.traffic / bandwidth
        words = f"{file.traffic:,} bytes at {bandwidth / 1e9:.1f} GB/s: {needed_ms:.4f} ms"
        return Limit(needed_ms / measurement.p50_ms, words)
    return None


def _vector(target: str, file: File) -> tuple[int, str]:
    """MACs of the widest instruction that the core has for this file, and its name."""
    if file.float_ops:
        return FMLA, "FMLA"
    core = target.split(":")[1] if ":" in target else ""
    return (SDOT, "SDOT") if core in DOT_PRODUCT_CORES else (SMLAL, "SMLAL")
