"""The schema of ``benchmark.json``: files of any origin, and what each target measured of them."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from deploy.jobs import FrozenModel, Measurement, OperationCost, Size

SCHEMA: Literal["pocketgan.benchmark"] = "pocketgan.benchmark"
VERSION: Literal[2] = 2


class MeasuredFile(FrozenModel):
    """A .tflite, and what can be read off it without running it."""

    name: str
    """A row in every table."""
    path: str
    sha256: str
    bytes: Size
    bytes_gzip: Size
    bytes_zstd: Size
    signature: str | None = None
    """Which of its signatures is measured; None where it has none. All below is of that one."""
    parameters: Size | None = None
    macs: Size | None = None
    """Multiply-accumulates of one inference, zeros counted as work."""
    macs_unknown: str | None = None
    """Why they cannot be said: loops, custom operations."""
    macs_int8: Size | None = None
    """Those of them that int8 instructions may carry out."""
    float_ops: Size | None = None
    ops: dict[str, Size] = Field(default_factory=dict)
    traffic: Size | None = None
    """Bytes that one inference must move at least: weights and activations once."""
    input_shapes: tuple[tuple[Size, ...], ...] = ()
    output_shapes: tuple[tuple[Size, ...], ...] = ()
    problem: str | None = None
    """Why the file could not be read; it is given to the targets all the same."""


class Benchmark(FrozenModel):
    """All that ``pocketgan benchmark FILES`` found."""

    schema_: Literal["pocketgan.benchmark"] = Field(SCHEMA, alias="schema")
    version: Literal[2] = VERSION
    pocketgan: str
    date: str
    plan: dict[str, Any]
    """How it was measured; figures are carried over only between equal plans."""
    baseline: str
    """The file that the others are compared with."""
    machine: dict[str, Any]
    bandwidth: Annotated[float, Field(gt=0)] | None = None
    """Of this machine's memory, bytes a second."""
    files: tuple[MeasuredFile, ...]
    measurements: tuple[Measurement, ...]
    profiles: dict[str, dict[str, tuple[OperationCost, ...]]] = Field(default_factory=dict)
    """Target → file → what each of its operations costs."""
    remarks: tuple[str, ...] = ()
    """What a second opinion said of the figures, and which profiles could not be made."""
    complete: bool = False
    """False where the command was interrupted or a measurement failed."""


def dumps(benchmark: Benchmark) -> str:
    return benchmark.model_dump_json(by_alias=True, indent=1) + "\n"


def read_if_sound(path: Path) -> Benchmark | None:
    """What an earlier call left, or None: it can be measured again."""
    try:
        return Benchmark.model_validate_json(path.read_bytes(), strict=True)
    except (OSError, ValidationError):
        return None
