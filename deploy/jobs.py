"""What a target is asked and what it answers: one schema for all targets.

A job names one file and how to run it; a measurement holds the figures of one run of the agent, or
of several that were pooled. A number that could not be measured is absent, never 0, and ``absent``
says why. ``deploy/agent.py`` speaks the same schema in plain JSON: change both together and raise
the version.
"""

import gzip
import hashlib
import stat
from pathlib import Path
from typing import Annotated, Literal, Self

import zstandard
from pydantic import BaseModel, ConfigDict, Field, model_validator

from deploy.agent import COUNTS, TIMES
from deploy.errors import PocketganError

SCHEMA_VERSION: Literal[2] = 2

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]
Size = Annotated[int, Field(ge=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]


class FrozenModel(BaseModel):
    """Part of a file that programs read: no unknown keys, no infinite numbers."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Subject(FrozenModel):
    """What is measured: one variant's file on one target with one setting."""

    schema_version: Literal[2] = SCHEMA_VERSION
    target: str  # e.g. "local", "arm:cortex-a53"
    variant: str  # the file's stem, e.g. "int8"
    sha256: Sha256  # of the file
    bytes: Size
    bytes_gzip: Size  # level 9: what a download of the file costs
    bytes_zstd: Size  # level 19
    threads: Count
    delegate: Literal["xnnpack", "none"]


class Job(Subject):
    """Measure ``path``.

    Inputs are the rows of ``latents`` (a .npy file, float32 [N, L]), quantized to the input's type,
    or, without one, random by ``seed`` over what the input can hold. The clock runs over the first
    of them; ``output_sha256`` covers all.
    """

    path: str
    warmup: Size  # most runs before the clock counts; fewer once they no longer become faster
    runs: Count
    seed: Size = 0
    latents: str | None = None
    keep_samples: bool = False  # answer with the time of each run
    keep_outputs: bool = False  # answer with what was drawn, for comparison with another target
    count: bool = False  # mark each run for an emulator that counts; nothing is timed
    sustain_s: Positive | None = None  # then run this long without a pause, seconds
    energy_s: Positive | None = None  # then run at most this long to meter the energy, seconds
    budget_s: Positive | None = None  # fewer timed runs if all would take longer than this


class Output(FrozenModel):
    """The values of one output tensor for all inputs in turn, or for the first of them."""

    name: str
    dtype: str  # numpy's name, e.g. "int8"
    shape: tuple[Size, ...]  # of all inputs together, e.g. [64, 28, 28, 1]
    data: str  # base64 of zlib of the little-endian bytes


class Agreement(FrozenModel):
    """How far a target's outputs lie from the desktop's for the same inputs.

    ``largest`` is in steps of the quantized type for integers, in real units for floats.
    """

    reference: str  # whose outputs, e.g. "local"
    equal: bool  # bit by bit
    largest: Annotated[float, Field(ge=0)]
    share: Share  # of values that differ at all
    within_one: Share | None = None  # of values at most one step apart; None for floats


class Conditions(FrozenModel):
    """What the processor was doing; None where the system does not tell."""

    governor: str | None = None
    mhz: float | None = None
    celsius: float | None = None


class Sustained(FrozenModel):
    """Speed while the target ran without a pause: medians of the first and last stretch, ms."""

    seconds: Positive
    stretch_s: Positive
    runs: Count
    first_ms: Positive
    last_ms: Positive


class Histogram(FrozenModel):
    """How many runs took how long: ``counts[i]`` lie in [edges_ms[i], edges_ms[i + 1])."""

    edges_ms: tuple[Positive, ...]
    counts: tuple[Size, ...]


class OperationCost(FrozenModel):
    """What one operation of the file costs, in ms; on a counted target in instructions, of an NPU
    in cycles."""

    operation: str  # e.g. "TRANSPOSE_CONV"
    layer: str  # as `pocketgan inspect` names it
    cost: Annotated[float, Field(ge=0)]
    unit: Literal["ms", "instructions", "cycles"]


class NpuOperation(FrozenModel):
    """One operation of a file, as an NPU's compiler maps it."""

    index: Size  # in the file
    operation: str  # as the compiler calls it, e.g. "TransposeConv2D"
    layer: str  # its output; "" of an operation that the compiler took away
    on_npu: bool
    reason: str | None = None  # why it stays on the CPU, in the compiler's words
    cycles: Size | None = None  # estimated; None on the CPU, of which the compiler knows nothing
    macs: Size | None = None
    weight_bytes: Size | None = None  # as the NPU reads them, compressed


class NpuReport(FrozenModel):
    """What an NPU's compiler says of a file. Nothing was run: times are its estimates.

    Where operations stay on the CPU it counts neither their memory nor their time, so that what
    holds of the whole file is absent.
    """

    accelerator: str  # e.g. "ethos-u55-128"
    system: str  # the compiler's name for the clock and the memories that it reckons with
    memory_mode: str
    clock_hz: Positive
    flash_bytes: Count  # of the compiled file, which is what a device stores
    npu_flash_bytes: Size  # of them what the NPU reads: weights and commands
    sram_bytes: Count | None
    cycles: Count | None  # estimated, of one inference
    estimated_ms: Positive | None
    macs: Size  # on the NPU, as it carries them out
    operations: tuple[NpuOperation, ...]
    absent: dict[str, str] = {}

    @property
    def on_cpu(self) -> tuple[NpuOperation, ...]:
        return tuple(operation for operation in self.operations if not operation.on_npu)


class Measurement(Subject):
    """The answer to a job. Times of one inference in ms; see ``deploy/agent.py`` for the method.

    With an ``error`` the figures are missing, or cover the rounds that went well.
    """

    label: str | None = None  # what its owner's shelf calls the target
    device: str | None = None
    cpu: str | None = None
    runtime: str | None = None  # "ai-edge-litert" or "tflite-runtime"
    runtime_version: str | None = None

    init_ms: Positive | None = None  # interpreter created, tensors allocated
    first_ms: Positive | None = None  # the first inference, right after
    p50_ms: Positive | None = None
    p90_ms: Positive | None = None
    p99_ms: Positive | None = None
    mean_ms: Positive | None = None
    min_ms: Positive | None = None
    overhead_ns: Count | None = None  # median of the timing loop around nothing; not subtracted
    runs: Count | None = None  # timed runs of all rounds
    rounds: Count = 1  # fresh processes pooled
    spread: Annotated[float, Field(ge=0)] | None = None  # (max - min) / median of the rounds' p50
    samples_ns: tuple[Count, ...] | None = None  # only where the job asks to keep them

    per_second: Positive | None = None  # inferences, back to back

    peak_rss_kb: Count | None = None  # above an idle interpreter with numpy, after warm-up
    arena_bytes: Count | None = None  # exact, from a runtime that tells (TFLite Micro)
    instructions: Count | None = None  # per inference, as are the next three
    dot_products: Size | None = None  # int8 dot-product and matrix instructions among them
    loads: Size | None = None
    stores: Size | None = None
    delegated: Share | None = None  # share of the file's operations that the delegate took
    output_sha256: Sha256 | None = None
    energy_mj: Positive | None = None  # of one inference, what the meter's device draws at rest too
    energy_source: str | None = None  # the meter, e.g. "RAPL package-0"

    outputs: tuple[Output, ...] | None = None  # only where the job asks to keep them
    agreement: Agreement | None = None  # with the desktop
    plain_agreement: Agreement | None = None  # with it without XNNPACK, where that is no equality
    histogram: Histogram | None = None
    sustained: Sustained | None = None  # only where the job asks for it
    before: Conditions | None = None
    after: Conditions | None = None
    profile: tuple[OperationCost, ...] | None = None
    npu: NpuReport | None = None  # of a compiler's targets only, where nothing is run

    absent: dict[str, str] = {}  # figure -> why it is missing
    warnings: tuple[str, ...] = ()
    error: str | None = None

    @property
    def title(self) -> str:
        """What a person calls the target."""
        return self.label or self.target

    def figure(self, name: str) -> float | None:
        """A figure of its own or of its NPU report; None where it is missing."""
        holder = self if name in Measurement.model_fields else self.npu
        value: float | None = getattr(holder, name, None)
        return value

    def reason(self, name: str) -> str:
        """Why a figure is missing."""
        holder = self if name in Measurement.model_fields else self.npu
        return (holder and holder.absent.get(name)) or self.error or ""

    @model_validator(mode="after")
    def _missing_figures_have_reasons(self) -> Self:
        if self.error is not None:
            return self
        missing = {name for name in FIGURES if getattr(self, name) is None}
        optional = {name for name in WHERE_ASKED_FOR if getattr(self, name) is None}
        explained = set(self.absent)
        if unclear := (missing - explained) | (explained - missing - optional):
            wrong = ", ".join(sorted(unclear))
            raise ValueError(f"a figure is either present or absent with a reason: {wrong}")
        return self


FIGURES = (
    *TIMES,
    *("runs", "spread", "peak_rss_kb", "arena_bytes"),
    *COUNTS,
    *("delegated", "output_sha256"),
)
# Absent with a reason only where a job asks for them.
WHERE_ASKED_FOR = ("energy_mj",)


NAME_A_FILE = "Name a .tflite file that exists."
# The offsets of a flatbuffer, which a .tflite is, reach no further.
MOST_BYTES = (1 << 31) - 1


def describe_file(path: Path, *, packed: bool = True) -> dict[str, str | int]:
    """The fields of a job that tell of its file: path (absolute), sha256, bytes, bytes_gzip,
    bytes_zstd. Without ``packed`` the last two are as long as the file, which takes no time.

    Raises:
        PocketganError: the file cannot be read, is none (a pipe or a device might never end), is
            larger than a .tflite can be, or its name cannot be written in JSON.
    """
    try:
        str(path).encode()
        absolute = path.resolve()
        str(absolute).encode()
    except UnicodeEncodeError as error:
        raise PocketganError(f"the name {str(path)!a} is not UTF-8", "Rename it.") from error
    except (OSError, RuntimeError, ValueError) as error:  # e.g. links in a circle, a zero byte
        raise PocketganError(f"cannot find {path}: {error}", NAME_A_FILE) from error
    try:
        about = absolute.stat()
        if not stat.S_ISREG(about.st_mode):
            raise PocketganError(f"{path} is not a file", NAME_A_FILE)
        if about.st_size > MOST_BYTES:
            raise PocketganError(f"{path} is larger than 2 GB, no .tflite is", NAME_A_FILE)
        content = absolute.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise PocketganError(f"cannot read {path}: {reason}", NAME_A_FILE) from error
    return {"path": str(absolute), **weigh(content, packed=packed)}


def weigh(content: bytes, *, packed: bool = True) -> dict[str, str | int]:
    """sha256, bytes, and the bytes that gzip (level 9) and zstd (level 19) leave of a file."""
    about: dict[str, str | int] = {
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
    }
    if not packed:
        return about | dict.fromkeys(("bytes_gzip", "bytes_zstd"), len(content))
    return about | {
        "bytes_gzip": len(gzip.compress(content, compresslevel=9)),
        "bytes_zstd": len(zstandard.ZstdCompressor(level=19).compress(content)),
    }


def failure(subject: Subject, error: str) -> Measurement:
    """The measurement of a job, or of what else has that subject, whose agent gave no answer."""
    fields = subject.model_dump(include=set(Subject.model_fields))
    return Measurement(**fields, error=error)
