"""``benchmark.html``, and what any page shows of files on targets."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from deploy.agreement import SECOND_OPINION, SECOND_OPINION_DECIMALS
from deploy.jobs import Conditions, Measurement, OperationCost
from pipeline.report.benchmark import charts
from pipeline.report.benchmark.advice import limit_of, method, sentences
from pipeline.report.benchmark.grid import TargetColumn, columns, target_title
from pipeline.report.benchmark.schema import Benchmark, MeasuredFile
from pipeline.report.drawing import Plot, plots
from pipeline.report.page import render_page
from pipeline.report.quantities import NONE, lines, number


def render(benchmark: Benchmark) -> str:
    """The page as text."""
    measurements = benchmark.measurements
    return render_page(
        Path(__file__).with_name("benchmark.html.j2"),
        benchmark=benchmark,
        view=view(measurements, benchmark.files, benchmark.baseline, benchmark.bandwidth),
        histograms=plots(
            (f"{m.variant} on {target_title(m.title, m.threads)}", charts.histogram(m))
            for m in measurements
        ),
        profiles=plots(
            (name, charts.profile(name, costs)) for name, costs in _profiles(benchmark).items()
        ),
        machine=lines(benchmark.machine, none="not told"),
        plan=lines(benchmark.plan, none="none"),
        method=method(measurements, benchmark.plan),
    )


def _profiles(benchmark: Benchmark) -> dict[str, tuple[OperationCost, ...]]:
    """What each operation costs: as the target itself says, else by prefixes."""
    cut = {
        f"{name} on {target}": costs
        for target, by_file in benchmark.profiles.items()
        for name, costs in by_file.items()
    }
    own = {
        f"{m.variant} on {target_title(m.title, m.threads)}": m.profile
        for m in benchmark.measurements
        if m.profile
    }
    return cut | own


class Cell(NamedTuple):
    """A cell of a table: what stands there and what a pointer finds behind it."""

    text: str
    title: str = ""
    kind: str = ""
    """Its class in the page."""


@dataclass(frozen=True, kw_only=True)
class TargetsView:
    """What a page shows of files on targets; the run's report shows the same."""

    columns: list[TargetColumn]
    files: tuple[MeasuredFile, ...]
    baseline: str
    sentences: list[str]
    plots: list[Plot]
    headings: list[Cell]
    rows: list[tuple[str, list[Cell]]]
    """Every measurement: the file's name, and its cells below ``headings``."""


def view(
    measurements: Sequence[Measurement],
    files: tuple[MeasuredFile, ...],
    baseline: str,
    bandwidth: float | None,
) -> TargetsView:
    """Everything of the page's part: ``bandwidth`` is that of the memory, bytes a second."""
    grid = columns(measurements, files, baseline)
    by_name = {file.name: file for file in files}
    rows = [_cells(m, by_name.get(m.variant), bandwidth) for m in measurements]
    headings = rows[0].items() if rows else ()
    return TargetsView(
        columns=grid,
        files=files,
        baseline=baseline,
        sentences=sentences(grid, files),
        plots=plots((column.title, charts.target(column)) for column in grid),
        headings=[Cell(title, kind=cell.kind) for title, cell in headings],
        rows=[(m.variant, [*row.values()]) for m, row in zip(measurements, rows, strict=True)],
    )


def _cells(m: Measurement, file: MeasuredFile | None, bandwidth: float | None) -> dict[str, Cell]:
    """A row by its headings, what matters first."""
    runtime = f"{m.runtime or NONE} {m.runtime_version or ''}"
    return {
        "Target": Cell(m.title, m.target if m.label else "", kind="text"),
        "Threads": Cell(str(m.threads)),
        "Remarks": remarks(m),
        "p50, ms": figure(m, "p50_ms"),
        "p90, ms": figure(m, "p90_ms"),
        "Spread": share(m, "spread"),
        "p99, ms": figure(m, "p99_ms"),
        "Runs": figure(m, "runs"),
        "A second": figure(m, "per_second"),
        "Sustained, ms": _sustained(m),
        "Energy, mJ": _energy(m),
        "Load, ms": figure(m, "init_ms"),
        "First, ms": figure(m, "first_ms"),
        "Clock, ns": figure(m, "overhead_ns"),
        "Memory, KiB": figure(m, "peak_rss_kb"),
        "Arena, bytes": figure(m, "arena_bytes"),
        "Instructions": figure(m, "instructions"),
        "Dot products": figure(m, "dot_products"),
        "Loads": figure(m, "loads"),
        "Stores": figure(m, "stores"),
        "Flash, bytes": figure(m, "flash_bytes"),
        "SRAM, bytes": figure(m, "sram_bytes"),
        "Compiler's estimate, ms": figure(m, "estimated_ms"),
        "Delegated": share(m, "delegated"),
        "Of the limit": _limit(m, file, bandwidth),
        "Output": output(m),
        "Governor": _conditions(m, "governor"),
        "MHz": _conditions(m, "mhz"),
        "°C": _conditions(m, "celsius"),
        "Processor": Cell(m.cpu or NONE, kind="text"),
        "Runtime": Cell(runtime.strip(), kind="text"),
    }


def remarks(m: Measurement) -> Cell:
    return Cell("; ".join(filter(None, (m.error, *m.warnings))), kind="text remarks")


def figure(m: Measurement, name: str) -> Cell:
    """A figure as it is written, or a dash with the reason behind it."""
    value = m.figure(name)
    if value is None:
        return _absent(m, name)
    if m.target == SECOND_OPINION and name.endswith("_ms"):
        return Cell(f"{value:.{SECOND_OPINION_DECIMALS}f}")
    return Cell(number(value))


def share(m: Measurement, name: str) -> Cell:
    value = getattr(m, name)
    return _absent(m, name) if value is None else Cell(f"{value:.0%}")


def _absent(m: Measurement, name: str) -> Cell:
    return Cell(NONE, m.reason(name) or "told of NPUs only")


def _sustained(m: Measurement) -> Cell:
    sustained = m.sustained
    if sustained is None:
        return Cell(NONE, m.error or "not asked for (--sustain), or this target cannot")
    text = f"{number(sustained.first_ms)} → {number(sustained.last_ms)}"
    return Cell(
        text, f"the first and the last {sustained.stretch_s:.0f} s of {sustained.seconds:.0f} s"
    )


def _energy(m: Measurement) -> Cell:
    if m.energy_mj is not None:
        return Cell(number(m.energy_mj), m.energy_source or "")
    return Cell(NONE, m.reason("energy_mj") or "not looked for: nothing was timed, or it is older")


def _limit(m: Measurement, file: MeasuredFile | None, bandwidth: float | None) -> Cell:
    limit = limit_of(m, file, bandwidth)
    return Cell(NONE if limit.share is None else f"{limit.share:.1%}", limit.words)


def output(m: Measurement) -> Cell:
    """How far what was drawn lies from what this machine draws."""
    agreement = m.agreement
    if agreement is None:
        return Cell(NONE, not_compared(m), "text")
    if agreement.equal:
        return Cell(f"= {agreement.reference}", kind="text")
    within = "" if agreement.within_one is None else f", {agreement.within_one:.2%} within one step"
    text = f"≤ {agreement.largest:.2g} apart in {agreement.share:.2%}{within}"
    return Cell(text, f"compared with {agreement.reference}", "text")


def not_compared(m: Measurement) -> str:
    """Why a measurement's outputs were compared with nothing."""
    if m.target == "local":
        return m.error or "what the others are compared with"
    if m.output_sha256 is None:
        return m.absent.get("output_sha256") or m.error or ""
    return "this machine's LiteRT draws nothing of the kind from this file"


def _conditions(m: Measurement, name: str) -> Cell:
    """Before and after the measurement; once where it stayed."""
    before, after = (_condition(conditions, name) for conditions in (m.before, m.after))
    if before == after == NONE:
        return Cell(NONE, m.error or "this target does not tell")
    return Cell(before if before == after else f"{before} → {after}", "before and after")


def _condition(conditions: Conditions | None, name: str) -> str:
    value = getattr(conditions, name) if conditions else None
    if value is None:
        return NONE
    return value if isinstance(value, str) else number(value)
