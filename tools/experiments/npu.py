"""Docs' table of files on NPUs: pruned against dense against student, by the NPUs' compiler.

    pocketgan targets install npu
    python -m tools.experiments.npu runs/digits runs/digits-12kbgz [FILE.tflite …]

Prints Markdown: a row a file, and what zeros and a student save on each NPU. Of a run of
`pocketgan compress` the file that ships is taken, of others all. Flash is the compiled file,
"NPU reads" the weights and commands in it by the compiler's summary; its time is an estimate,
nothing was run. p50 is measured by the run, on `local` with one thread.

Its figures stand in docs/npu.md.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.jobs import NpuReport
from deploy.targets.vela import compile_file, cpu_operations
from pipeline.finished_run import read_report
from pipeline.report.quantities import listed, significant, times_of
from pipeline.report.run.columns import local_measurement
from pipeline.tflite.count import kernels, zero_share
from pipeline.tflite.read import read_model
from pipeline.variants import SHIPPED
from tools.console import run_as_program
from tools.tables import Table, cell, percent

ACCELERATORS = ("ethos-u55-128", "ethos-u85-256")
DENSE = "int8-qat"
KILO, KIB = 1000, 1024


@dataclass(frozen=True, kw_only=True)
class NpuRow:
    """A file, what it is without an NPU, and what the compiler says of it on each."""

    name: str
    bytes: int
    bytes_gzip: int
    zeros: float
    of_run: bool
    """Whether a run made it, so that it draws what the others of runs draw."""
    p50_ms: float | None
    reports: tuple[NpuReport, ...]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="+", type=Path, help="folders of finished runs, or files")
    parser.add_argument(
        "--npu", nargs="+", default=ACCELERATORS, help="accelerators to compile for"
    )
    options = parser.parse_args()
    rows = [row for path in options.paths for row in rows_of(path, options.npu)]
    print(table(rows, options.npu).markdown())
    return 0


def rows_of(path: Path, accelerators: Sequence[str]) -> Iterator[NpuRow]:
    """The files of a run, or the one file."""
    if path.is_file():
        yield NpuRow(**_of_file(path, accelerators), name=path.stem, of_run=False, p50_ms=None)
        return
    report = read_report(str(path), path.parent)
    student = report.search is not None
    for variant in report.variants:
        if not student or variant.name == SHIPPED:
            name = f"{report.recipe_name} {variant.name}" if student else variant.name
            file = path / variant.path
            timed = local_measurement(variant, 1)
            p50_ms = timed.p50_ms if timed else None
            yield NpuRow(**_of_file(file, accelerators), name=name, of_run=True, p50_ms=p50_ms)


def _of_file(file: Path, accelerators: Sequence[str]) -> dict[str, Any]:
    model = read_model(file)
    return {
        "bytes": model.size,
        "bytes_gzip": model.size_gzip,
        "zeros": zero_share(kernels(model)) or 0.0,
        "reports": tuple(compile_file(file, each) for each in accelerators),
    }


def table(rows: Sequence[NpuRow], accelerators: Sequence[str]) -> Table:
    """A row a file; below it what zeros and students save, and what stays on the CPU."""
    headings = ["file", "kB", "gzip kB", "zeros", "p50, ms"]
    for each in accelerators:
        name = each.removeprefix("ethos-")
        figures = ("flash, kB", "NPU reads, KiB", "SRAM, KiB", "compiler's estimate, ms")
        headings += [f"{name}: {figure}" for figure in (*figures, "operations on it")]
    lines = [[*_plain(row), *(text for each in row.reports for text in _npu(each))] for row in rows]
    return Table(headings, lines, [*savings(rows, accelerators), *_on_cpu(rows)])


def _plain(row: NpuRow) -> list[str]:
    return [
        f"`{row.name}`",
        significant(row.bytes / KILO),
        significant(row.bytes_gzip / KILO),
        percent(row.zeros),
        cell(row.p50_ms, significant),
    ]


def _npu(report: NpuReport) -> list[str]:
    count = len(report.operations)
    return [
        significant(report.flash_bytes / KILO),
        f"{report.npu_flash_bytes / KIB:.1f}",
        cell(report.sram_bytes, lambda size: f"{size / KIB:.1f}"),
        cell(report.estimated_ms, significant),
        f"{count - len(report.on_cpu)} of {count}",
    ]


def savings(rows: Sequence[NpuRow], accelerators: Sequence[str]) -> Iterator[str]:
    """What each file of a run that runs on the NPU takes of what the dense one does."""
    dense = next((row for row in rows if row.name == DENSE), None)
    if dense is None:
        return
    for row in rows:
        for number, accelerator in enumerate(accelerators):
            ours, theirs = row.reports[number], dense.reports[number]
            if row is dense or not row.of_run or not ours.estimated_ms or not theirs.estimated_ms:
                continue
            yield (
                f"`{row.name}` against `{DENSE}` on {accelerator}: "
                f"{times_of(ours.flash_bytes / theirs.flash_bytes)} the flash, "
                f"{times_of(ours.estimated_ms / theirs.estimated_ms)} the estimated time."
            )


def _on_cpu(rows: Sequence[NpuRow]) -> Iterator[str]:
    """Why operations stay on the CPU, once for all files of which it holds."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.reports[0].on_cpu:
            words = "; ".join(cpu_operations(row.reports[0]))
            names.setdefault(words, []).append(f"`{row.name}`")
    for words, files in names.items():
        yield f"On the CPU of {listed(files)}: {words}."


if __name__ == "__main__":
    run_as_program(main)
