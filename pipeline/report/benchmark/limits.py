"""How far a measurement is from what the machine could do at best."""

from typing import NamedTuple

from deploy.jobs import Measurement
from pipeline.report.benchmark.schema import MeasuredFile

# Multiply-accumulates of one vector instruction on 128-bit registers: SDOT sums 4 × 4 products of
# int8, SMLAL 8 of them, FMLA and VMLA 4 of float32 (Arm Architecture Reference Manual, A64 SIMD).
SDOT, SMLAL, FMLA = 16, 8, 4
DOT_PRODUCT_CORES = ("cortex-a76", "neoverse-n1")


class ShareOfLimit(NamedTuple):
    """The share of the best possible, 0 to 1; None where it is unknown."""

    share: float | None
    words: str
    """What the best possible is, or why it is unknown."""


def limit_of(
    measurement: Measurement, file: MeasuredFile | None, bandwidth: float | None
) -> ShareOfLimit:
    """The distance of ``measurement`` from its limit.

    On a counted core: the instructions that the multiply-accumulates alone need, over those
    executed. On this machine: the time that the file's tensors need to pass memory once at
    ``bandwidth`` (bytes a second, of one thread), over the median time; above 1 means that caches
    helped.
    """
    if file is None:
        return ShareOfLimit(None, "nothing is known of the file")
    if measurement.instructions is not None:
        return _of_instructions(measurement.target, measurement.instructions, file)
    if measurement.target.split(":")[0] == "local" and measurement.p50_ms is not None:
        return _of_memory(measurement.p50_ms, measurement.threads, file, bandwidth)
    return ShareOfLimit(None, "known for counted cores, and for one thread of this machine")


def _of_instructions(target: str, executed: int, file: MeasuredFile) -> ShareOfLimit:
    int8 = file.macs if file.macs_int8 is None and file.float_ops == 0 else file.macs_int8
    if not file.macs or int8 is None:
        return ShareOfLimit(None, "the file's multiply-accumulates are not known by their types")
    width, name = _int8_width(target)
    parts = [(int8, "int8", width, name), (file.macs - int8, "other", FMLA, "FMLA")]
    needed = sum(macs / each for macs, _, each, _ in parts)
    work = " and ".join(
        f"{macs:,} {kind} MACs, {each} each {by}" for macs, kind, each, by in parts if macs
    )
    return ShareOfLimit(needed / executed, f"{work}: at least {needed:,.0f} instructions")


def _of_memory(
    p50_ms: float, threads: int, file: MeasuredFile, bandwidth: float | None
) -> ShareOfLimit:
    if threads > 1:
        return ShareOfLimit(None, "the bandwidth of one thread is known, not that of several")
    if not file.traffic or not bandwidth:
        return ShareOfLimit(None, "the file's traffic or the memory's bandwidth is not known")
    needed_ms = 1000 * file.traffic / bandwidth
    words = f"{file.traffic:,} bytes at {bandwidth / 1e9:.1f} GB/s: {needed_ms:.4f} ms"
    return ShareOfLimit(needed_ms / p50_ms, words)


def _int8_width(target: str) -> tuple[int, str]:
    """MACs of the widest int8 instruction that the core has, and its name."""
    core = target.split(":")[1] if ":" in target else ""
    return (SDOT, "SDOT") if core in DOT_PRODUCT_CORES else (SMLAL, "SMLAL")
