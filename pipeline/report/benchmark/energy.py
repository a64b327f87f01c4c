"""The energy of an inference: what metered it, and where and why it is absent."""

from collections.abc import Sequence

from deploy.jobs import Measurement
from pipeline.report.benchmark.grid import TargetColumn
from pipeline.report.quantities import listed


def looked_for(column: TargetColumn) -> bool:
    """Whether a meter was looked for on this target."""
    return any(m.energy_mj or m.absent.get("energy_mj") for m in _measurements(column))


def absences(columns: Sequence[TargetColumn]) -> list[str]:
    """Each reason why the energy is absent, with the targets and, if not all, the files."""
    by_reason: dict[str, list[str]] = {}
    for column in columns:
        here = _measurements(column)
        for reason in dict.fromkeys(m.absent.get("energy_mj", "") for m in here):
            names = [m.variant for m in here if m.absent.get("energy_mj", "") == reason]
            of = "" if len(names) == len(here) else f" ({', '.join(names)})"
            if reason:
                by_reason.setdefault(reason, []).append(f"{column.label}{of}")
    return [
        f"No energy from {listed(list(dict.fromkeys(where)))}: {reason}."
        for reason, where in by_reason.items()
    ]


def meters(measurements: Sequence[Measurement]) -> list[str]:
    """What metered the energy on each target, and what is in it."""
    by_source: dict[str, list[str]] = {}
    for m in measurements:
        if m.energy_source:
            by_source.setdefault(m.energy_source, []).append(m.title)
    if not by_source:
        return []
    sources = "; ".join(
        f"{source} on {listed(list(dict.fromkeys(titles)))}" for source, titles in by_source.items()
    )
    return [
        f"Energy is the mean power of inferences back to back times the time of one, what is drawn "
        f"at rest included, by {sources}."
    ]


def _measurements(column: TargetColumn) -> list[Measurement]:
    return [cell.measurement for cell in column.cells.values() if cell.measurement]
