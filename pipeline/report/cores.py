"""What a core can do at best: multiply-accumulates of one instruction, and of one cycle."""

from dataclasses import dataclass

# Multiply-accumulates of one vector instruction on 128-bit registers: SDOT sums 4 × 4 products of
# int8, SMLAL 8 of them, FMLA and VMLA 4 of float32 (Arm Architecture Reference Manual, A64 SIMD).
SDOT, SMLAL, FMLA = 16, 8, 4
DOT_PRODUCT_CORES = ("cortex-a76", "neoverse-n1")


@dataclass(frozen=True, kw_only=True)
class CyclePeak:
    """The most that a core does in a cycle, by the pipelines that LLVM schedules it by
    (llvm/lib/Target/AArch64/AArch64SchedA53.td and AArch64SchedNeoverseN1.td)."""

    instructions: int
    int8: int
    """Multiply-accumulates of int8 weights."""
    other: int
    """Those of floats."""


# An A53's vector unit is 64 bits wide: it takes two cycles for a 128-bit register. An A76 has the
# two vector pipelines of the N1.
_WIDE = CyclePeak(instructions=4, int8=2 * SDOT, other=2 * FMLA)
_PEAKS = {
    "cortex-a53": CyclePeak(instructions=2, int8=SMLAL // 2, other=FMLA // 2),
    "cortex-a76": _WIDE,
    "neoverse-n1": _WIDE,
}


def core_of(target: str) -> str:
    """The emulated core of a target's name, as in "cortex-a53"; empty where it names none."""
    kind, _, detail = target.partition(":")
    return detail.split(":")[0] if kind == "arm" else ""


def lacks_dot_product(target: str) -> bool:
    """Whether the target is a core without an instruction that sums int8 products."""
    core = core_of(target)
    return bool(core) and core not in DOT_PRODUCT_CORES


def cycle_peak(target: str) -> CyclePeak | None:
    """None where it is not known."""
    return _PEAKS.get(core_of(target))


def int8_instruction(target: str) -> tuple[int, str]:
    """Multiply-accumulates of int8 that one instruction of the core carries out, and its name."""
    return (SMLAL, "SMLAL") if lacks_dot_product(target) else (SDOT, "SDOT")


def needed_instructions(target: str, *, int8: int, other: int) -> float:
    """What so many multiply-accumulates, by the type of their weights, take at least there."""
    return int8 / int8_instruction(target)[0] + other / FMLA
