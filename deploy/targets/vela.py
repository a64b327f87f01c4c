"""Vela, Arm's compiler for the Ethos-U NPUs: what it says of a file.

It maps each operation to the NPU or leaves it to the CPU, compresses the weights (zeros and few
levels take few bits there), lays out the memory, and estimates cycles with a model of its own; it
runs nothing. All figures are read from the files that it writes: a summary (CSV), a database of
operations (XML with tables of CSV) and the compiled .tflite. Only why an operation stays on the CPU
is nowhere but in what it prints.

One system is compiled for in each family: weights in flash at 0.5 GB/s, maps in an SRAM that the
CPU shares, 500 MHz; so figures of two NPUs differ by the NPU.
"""

import csv
import re
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from deploy.errors import PocketganError, one_line, plain
from deploy.jobs import NpuOperation, NpuReport
from deploy.targets.installing import Environment
from deploy.targets.target import last_line, name_signal

PACKAGE, VERSION = "ethos-u-vela", "5.2.0"
ENVIRONMENT = Environment(
    name="npu",
    packages=(f"{PACKAGE}=={VERSION}",),
    module="ethosu.vela.vela",
    pythons=("3.11", "3.12", "3.13"),
    hashes=Path(__file__).with_name("npu_packages.txt"),
)
CONFIGURATION = "Arm/vela.ini"
MEMORY_MODE = "Shared_Sram"
SYSTEMS = {
    "ethos-u55": "Ethos_U55_High_End_Embedded",
    "ethos-u65": "Ethos_U65_Embedded",
    "ethos-u85": "Ethos_U85_SYS_Flash_High",
}
"""Family → the compiler's name of clock and memories."""
ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""What is behind the family's name are multiply-accumulates a cycle."""
COMPILE_SECONDS = 120.0

KIB, MS_PER_SECOND = 1024, 1000.0
ON_CPU = "Passthrough"
"""The compiler's name for what it leaves as it is."""
NO_REASON = "the compiler gives no reason"

# Warning (supported operators) operator: CUMSUM, ofm: 'Cumsum'
# Reason: Unsupported opType
# a second line, of some reasons, and an empty one
_REFUSAL = re.compile(
    r"^Warning \(supported operators\) operator: \w+, ofm: '(?P<output>.*)'\n"
    r"Reason: (?P<reason>.+(?:\n.+)?)",
    re.MULTILINE,
)

Row = Mapping[str, str]


def compile_file(path: Path, accelerator: str, *, time_limit: float = COMPILE_SECONDS) -> NpuReport:
    """What the compiler says of a .tflite for one of the ``ACCELERATORS``.

    Raises:
        PocketganError: the compiler is not installed, or cannot compile the file; says why.
    """
    if not ENVIRONMENT.ready:
        raise PocketganError(
            f"{PACKAGE} is not installed", f"Run: pocketgan targets install {ENVIRONMENT.name}"
        )
    with tempfile.TemporaryDirectory(prefix="pocketgan-npu-") as name:
        folder = Path(name)
        (folder / "file.tflite").symlink_to(path.resolve())
        text = _compile(path, folder, accelerator, time_limit)
        try:
            return _read(folder, accelerator, text)
        except (ValueError, LookupError, OSError, ElementTree.ParseError) as error:
            raise PocketganError(
                f"what {PACKAGE} {VERSION} says of {plain(path.name)} cannot be read: "
                f"{plain(one_line(error, 200))}"
            ) from error


def _compile(path: Path, folder: Path, accelerator: str, time_limit: float) -> str:
    """Leave the compiler's files beside file.tflite in ``folder``; returns what it printed."""
    options = {
        "accelerator-config": accelerator,
        "config": CONFIGURATION,
        "system-config": SYSTEMS[accelerator.rpartition("-")[0]],
        "memory-mode": MEMORY_MODE,
        "output-dir": str(folder),
    }
    command = [str(ENVIRONMENT.python), "-I", "-m", "ethosu.vela", str(folder / "file.tflite")]
    command += [f"--{name}={value}" for name, value in options.items()]
    problem = f"{PACKAGE} {VERSION} cannot compile {plain(path.name)} for {accelerator}"
    try:
        process = subprocess.run(
            [*command, "--enable-debug-db"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=time_limit,
        )
    except subprocess.TimeoutExpired as error:
        raise PocketganError(f"{problem}: no end after {time_limit:g} s") from error
    except OSError as error:
        raise _damaged() from error
    if process.returncode != 0:
        if not ENVIRONMENT.works():
            raise _damaged()
        raise PocketganError(f"{problem}: {explain(process)}", "Is it a whole .tflite file?")
    return process.stdout


def _damaged() -> PocketganError:
    again = f"pocketgan targets install {ENVIRONMENT.name}"
    return PocketganError(f"{PACKAGE} does not start; `{again}` installs it again", f"Run: {again}")


def explain(process: "subprocess.CompletedProcess[str]") -> str:
    """Why a compilation ended: its last words without Python's, and the signal that ended it."""
    words = last_line(process.stderr.strip() or process.stdout)
    words = plain(re.sub(r"^(RuntimeError: )?(Compilation failed: )?", "", words))
    if process.returncode < 0:
        return f"{words} It was ended by {name_signal(-process.returncode)}"
    return words


def _read(folder: Path, accelerator: str, text: str) -> NpuReport:
    """The report of what the compiler left in ``folder`` and of the ``text`` that it printed."""
    [summary_path] = folder.glob("file_summary_*.csv")
    with summary_path.open(encoding="utf-8", newline="") as file:
        [summary] = csv.DictReader(file)
    operations = read_operations(folder / "file_debug.xml", read_refusals(text))
    on_cpu = sum(not operation.on_npu for operation in operations)
    figures: dict[str, Any] = {
        "sram_bytes": round(float(summary["sram_memory_used"]) * KIB),
        "cycles": round(float(summary["cycles_total"])),
        "estimated_ms": float(summary["inference_time"]) * MS_PER_SECOND,
    }
    absent = {}
    if on_cpu:
        reason = (
            f"{on_cpu} of {len(operations)} operations stay on the CPU, of which the compiler "
            "counts neither memory nor time"
        )
        absent = dict.fromkeys(figures, reason)
        figures = dict.fromkeys(figures)
    flash = ("on_chip_flash_memory_used", "off_chip_flash_memory_used")
    return NpuReport(
        accelerator=accelerator,
        system=summary["system_config"],
        memory_mode=summary["memory_mode"],
        clock_hz=float(summary["core_clock"]),
        flash_bytes=(folder / "file_vela.tflite").stat().st_size,
        npu_flash_bytes=round(sum(float(summary[name]) for name in flash) * KIB),
        **figures,
        macs=round(float(summary["nn_macs"])),
        operations=operations,
        absent=absent,
    )


def read_refusals(text: str) -> dict[str, str]:
    """Name of an operation's output → why the operation stays on the CPU."""
    return {
        match["output"]: plain(match["reason"].replace("\n", ": "))
        for match in _REFUSAL.finditer(text)
    }


def read_operations(path: Path, refusals: Mapping[str, str]) -> tuple[NpuOperation, ...]:
    """The operations of the file, out of the compiler's database.

    Of one the compiler may make several, or none where only a shape changes.
    """
    tables = {
        table.get("name"): list(csv.DictReader((table.text or "").strip().splitlines()))
        for table in ElementTree.parse(path).iter("table")
    }
    parts = defaultdict[str, list[Row]](list)
    for row in tables["perf"]:
        parts[row["source_id"]].append(row)
    weights = {row["id"]: int(row["weight_total_bytes"] or 0) for row in tables["perf_debug"]}
    return tuple(
        _operation(source, parts[source["id"]], weights, refusals) for source in tables["source"]
    )


def _operation(
    source: Row, parts: Sequence[Row], weights: Mapping[str, int], refusals: Mapping[str, str]
) -> NpuOperation:
    names = [part["name"] for part in parts]
    common: dict[str, Any] = {
        "index": int(source["ext_key"]),
        "operation": source["operator"],
        "layer": plain(names[-1]) if names else "",
    }
    if any(part["operator"] == ON_CPU for part in parts):
        reason = next((refusals[name] for name in names if name in refusals), NO_REASON)
        return NpuOperation(**common, on_npu=False, reason=reason)
    return NpuOperation(
        **common,
        on_npu=True,
        cycles=sum(int(part["op_cycles"]) for part in parts),
        macs=sum(int(part["mac_count"]) for part in parts),
        weight_bytes=sum(weights.get(part["id"], 0) for part in parts),
    )


def cpu_operations(report: NpuReport) -> Iterator[str]:
    """For each reason the operations that stay on the CPU for it."""
    by_reason = defaultdict[str, list[str]](list)
    for operation in report.on_cpu:
        # The name of a tensor in brackets says no more than the layer's does.
        reason = re.sub(r" \(.*\)(?=:|$)", "", operation.reason or NO_REASON)
        by_reason[reason].append(operation.operation)
    for reason, names in by_reason.items():
        counts = Counter(names).items()
        words = (name if count == 1 else f"{name} ×{count}" for name, count in counts)
        yield f"{', '.join(words)} ({reason})"
