"""What the reports of an NPU's compiler say, in sentences."""

from collections.abc import Sequence

from deploy.jobs import Measurement
from deploy.targets.vela import cpu_operations
from pipeline.report.benchmark.grid import TargetColumn
from pipeline.report.quantities import listed


def off_the_npu(column: TargetColumn) -> list[str]:
    """Of each file that an NPU does not run whole, which operations stay on the CPU, and why."""
    by_words: dict[str, list[str]] = {}
    for name, cell in column.cells.items():
        report = cell.measurement.npu if cell.measurement else None
        if report and report.on_cpu:
            count = f"{len(report.on_cpu)} of {len(report.operations)} operations"
            words = f"{count} stay on the CPU: {'; '.join(cpu_operations(report))}"
            by_words.setdefault(words, []).append(name)
    return [f"{column.target}: {listed(names)}: {words}." for words, names in by_words.items()]


def reckonings(measurements: Sequence[Measurement]) -> list[str]:
    """For each NPU what its compiler takes for granted."""
    return list(
        dict.fromkeys(
            f"For {m.npu.accelerator} files were compiled, not run: {m.runtime} "
            f"{m.runtime_version} reckons with {m.npu.system}, {m.npu.memory_mode}, "
            f"{m.npu.clock_hz / 1e6:.0f} MHz, and estimates the time."
            for m in measurements
            if m.npu
        )
    )
