"""What a page shows of files on targets: of a benchmark, and of a run's report."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from deploy import second_opinion
from deploy.jobs import Conditions, Measurement
from pipeline.report.benchmark import charts
from pipeline.report.benchmark.advice import sentences
from pipeline.report.benchmark.grid import Column, columns
from pipeline.report.benchmark.limits import limit_of
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.report.quantities import NONE, number


class Plot(NamedTuple):
    title: str
    drawn: Markup


class Told(NamedTuple):
    """A cell of a table: what stands there and what a pointer finds behind it."""

    text: str
    title: str = ""
    kind: str = ""
    """Its class in the page."""


class Line(NamedTuple):
    """A measurement as a row of the table of all."""

    name: str
    cells: list[Told]


class TargetsView(NamedTuple):
    """What a page shows of files on targets; the run's report shows the same."""

    columns: list[Column]
    files: tuple[MeasuredFile, ...]
    baseline: str
    sentences: list[str]
    plots: list[Plot]
    headings: list[Told]
    lines: list[Line]


def view(
    measurements: Sequence[Measurement],
    files: tuple[MeasuredFile, ...],
    baseline: str,
    bandwidth: float | None,
) -> TargetsView:
    grid = columns(measurements, files, baseline)
    by_name = {file.name: file for file in files}
    drawn = [(column.title, charts.target(column)) for column in grid]
    rows = [_cells(m, by_name.get(m.variant), bandwidth) for m in measurements]
    headings = [Told(title, kind=cell.kind) for title, cell in rows[0].items()] if rows else []
    return TargetsView(
        grid,
        files,
        baseline,
        sentences(grid, files),
        [Plot(title, Markup(chart)) for title, chart in drawn if chart],
        headings,
        [Line(m.variant, list(row.values())) for m, row in zip(measurements, rows, strict=True)],
    )


def _cells(m: Measurement, file: MeasuredFile | None, bandwidth: float | None) -> dict[str, Told]:
    """A row by its headings, what matters first."""
    runtime = f"{m.runtime or NONE} {m.runtime_version or ''}"
    return {
        "Target": Told(m.target, kind="text"),
        "Threads": Told(str(m.threads)),
        "Remarks": remarks(m),
        "p50, ms": figure(m, "p50_ms"),
        "p90, ms": figure(m, "p90_ms"),
        "Spread": share(m, "spread"),
        "p99, ms": figure(m, "p99_ms"),
        "Runs": figure(m, "runs"),
        "A second": figure(m, "per_second"),
        "Sustained, ms": _sustained(m),
        "Load, ms": figure(m, "init_ms"),
        "First, ms": figure(m, "first_ms"),
        "Clock, ns": figure(m, "overhead_ns"),
        "Memory, KiB": figure(m, "peak_rss_kb"),
        "Arena, bytes": figure(m, "arena_bytes"),
        "Instructions": figure(m, "instructions"),
        "Dot products": figure(m, "dot_products"),
        "Loads": figure(m, "loads"),
        "Stores": figure(m, "stores"),
        "Delegated": share(m, "delegated"),
        "Of the limit": _limit(m, file, bandwidth),
        "Output": output(m),
        "Governor": _conditions(m, "governor"),
        "MHz": _conditions(m, "mhz"),
        "°C": _conditions(m, "celsius"),
        "Processor": Told(m.cpu or NONE, kind="text"),
        "Runtime": Told(runtime.strip(), kind="text"),
    }


def remarks(m: Measurement) -> Told:
    told = [*([m.error] if m.error else []), *m.warnings]
    return Told("; ".join(told), kind="text remarks")


def figure(m: Measurement, name: str) -> Told:
    """A figure as it is written, or a dash with the reason behind it."""
    value = getattr(m, name)
    if value is None:
        return _absent(m, name)
    if m.target == second_opinion.THEIRS and name.endswith("_ms"):
        return Told(f"{value:.{second_opinion.DECIMALS}f}")
    return Told(number(value))


def share(m: Measurement, name: str) -> Told:
    value = getattr(m, name)
    return _absent(m, name) if value is None else Told(f"{value:.0%}")


def _absent(m: Measurement, name: str) -> Told:
    return Told(NONE, m.absent.get(name) or m.error or "")


def _sustained(m: Measurement) -> Told:
    found = m.sustained
    if found is None:
        return Told(NONE, m.error or "not asked for (--sustain), or this target cannot")
    text = f"{number(found.first_ms)} → {number(found.last_ms)}"
    return Told(text, f"the first and the last {found.stretch_s:.0f} s of {found.seconds:.0f} s")


def _limit(m: Measurement, file: MeasuredFile | None, bandwidth: float | None) -> Told:
    limit = limit_of(m, file, bandwidth)
    return Told(NONE if limit.share is None else f"{limit.share:.1%}", limit.words)


def output(m: Measurement) -> Told:
    """How far what was drawn lies from what this machine draws."""
    found = m.agreement
    if found is None:
        return Told(NONE, not_compared(m), "text")
    if found.equal:
        return Told(f"= {found.reference}", kind="text")
    within = "" if found.within_one is None else f", {found.within_one:.2%} within one step"
    text = f"≤ {found.largest:.2g} apart in {found.share:.2%}{within}"
    return Told(text, f"compared with {found.reference}", "text")


def not_compared(m: Measurement) -> str:
    """Why a measurement's outputs were compared with nothing."""
    if m.target == "local":
        return m.error or "what the others are compared with"
    if m.output_sha256 is None:
        return m.absent.get("output_sha256") or m.error or ""
    return "this machine's LiteRT draws nothing of the kind from this file"


def _conditions(m: Measurement, name: str) -> Told:
    """Before and after the measurement; once where it stayed."""
    before, after = (_condition(found, name) for found in (m.before, m.after))
    if before == after == NONE:
        return Told(NONE, m.error or "this target does not tell")
    return Told(before if before == after else f"{before} → {after}", "before and after")


def _condition(found: Conditions | None, name: str) -> str:
    value = getattr(found, name) if found else None
    if value is None:
        return NONE
    return value if isinstance(value, str) else number(value)
