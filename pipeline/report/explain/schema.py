"""The schema of ``pocketgan explain --json``: what each operation of a file costs on one target."""

from typing import Annotated, Literal

from pydantic import Field

from deploy.jobs import FrozenModel, NotNegative, Positive, Share, Size

SCHEMA: Literal["pocketgan.explain"] = "pocketgan.explain"
VERSION: Literal[1] = 1

CostUnit = Literal["instructions", "ms", "cycles"]
FastPath = Literal["XNNPACK", "NPU"]


class ExplainedOperation(FrozenModel):
    """One operation: what it is, and what it costs."""

    operation: str
    """e.g. "TRANSPOSE_CONV"."""
    layer: str
    shape: tuple[Size, ...]
    """Of its output."""
    dtype: str
    """Of its output."""
    weights: tuple[Size, ...] = ()
    """The shape of its kernel; empty where it has none."""
    macs: Size
    """Multiply-accumulates, zeros counted as work."""
    macs_int8: Size
    """Those of them that int8 instructions may carry out."""
    cost: NotNegative
    """In the explanation's unit."""
    on_fast_path: bool | None = None
    """Whether the explanation's fast path runs it; None where nobody can tell."""
    why_off: str = ""
    """Why it does not; empty where it does, or where nobody can tell."""
    size_is_computed: bool = False
    """Whether another operation works out its sizes while it runs."""
    enlarges: Size | None = None
    """How many times as many pixels it gives as it reads, to the next whole factor along a side; 0
    where a resizing has no such factor, None where nobody can tell."""


class ExplainedFile(FrozenModel):
    """A file and its operations in order."""

    name: str
    sha256: str
    bytes: Size
    precision: Literal["int8", "uint8", "int16x8", "float32", "mixed"]
    """What it computes in: "mixed" where some operations touch float and some do not."""
    macs: Size | None
    macs_int8: Size | None
    macs_unknown: str = ""
    """Why they cannot be said: loops, custom operations."""
    traffic: Size
    """Bytes that one inference must move at least: weights and activations once."""
    whole: Positive
    """What one inference of the whole file costs, in the explanation's unit."""
    dot_products: Size | None = None
    """Instructions that sum int8 products, among those counted."""
    operations: tuple[ExplainedOperation, ...]

    @property
    def total(self) -> float:
        """The sum of its operations' costs."""
        return sum(operation.cost for operation in self.operations)


class GpuFinding(FrozenModel):
    """What LiteRT's GPU delegate makes of an operation, or of the whole file."""

    operation: str
    layer: str
    reason: str
    source: str


class Explanation(FrozenModel):
    """Why a file costs what it costs on a target. ``other`` is what it is compared with."""

    schema_: Literal["pocketgan.explain"] = Field(SCHEMA, alias="schema")
    version: Literal[1] = VERSION
    pocketgan: str
    date: str
    target: str
    runtime: str
    unit: CostUnit
    """Instructions of one inference where they are counted, cycles where a compiler estimates
    them; else ms of the quickest one."""
    fast_path: FastPath = "XNNPACK"
    spread: NotNegative | None = None
    """How far the medians of the processes lie apart; None where nothing was timed."""
    bandwidth: Annotated[float, Field(gt=0)] | None = None
    """Of this machine's memory, bytes a second, where this machine is the target."""
    delegated: Share | None = None
    """The share of operations that XNNPACK takes there, as the target itself says."""
    file: ExplainedFile
    other: ExplainedFile | None
    other_is_twin: bool = False
    """Whether ``other`` was made of the file, with the same layers in the other type."""
    other_absent: str = ""
    """Why there is nothing to compare with."""
    left_by_gpu: tuple[GpuFinding, ...]
    """Operations that LiteRT's GPU delegate leaves to the CPU."""
    otherwise_on_gpu: tuple[GpuFinding, ...]
    """What it draws otherwise."""
