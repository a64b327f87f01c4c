"""What the figures say, in sentences: which file to ship where, and what to beware of."""

from collections.abc import Sequence

from deploy.jobs import Agreement, Measurement
from pipeline.benchmarks.grid import Column, times_of
from pipeline.benchmarks.limits import DOT_PRODUCT_CORES
from pipeline.benchmarks.schema import File
from pipeline.report.quantities import times
from pipeline.variants import SHIPPED

# Files whose figures differ by less are equally fast.
ALIKE = 1.05


def ship(column: Column, files: Sequence[File], baseline: str) -> str:
    """Which file to ship on this target, and what it gains."""
    values = _deciding(column)
    if not values:
        reasons = dict.fromkeys(cell.reason for cell in column.cells.values())
        return f"{column.title}: nothing could be measured ({'; '.join(reasons)})."
    limit = min(values.values()) * ALIKE
    alike = [file for file in files if file.name in values and values[file.name] <= limit]
    small = min(alike, key=lambda file: file.bytes_gzip).name
    best = min(values, key=lambda name: values[name])
    told = f"{column.title}: ship {small}{_gain(column, small, baseline)}"
    if small == best or baseline not in column.cells:
        return f"{told}."
    return f"{told}; {best} is as good within {ALIKE - 1:.0%}, but bigger."


def _deciding(column: Column) -> dict[str, float]:
    """File → the figure that a choice goes by; less is better.

    That is the median where there is one: a neighbour's visit moves the 90th percentile of one file
    and not of another.
    """
    cells = {name: cell for name, cell in column.cells.items() if cell.value is not None}
    medians = {name: m.p50_ms for name, cell in cells.items() if (m := cell.measurement)}
    timed = {name: median for name, median in medians.items() if median is not None}
    if len(timed) == len(cells):
        return timed
    return {name: cell.value for name, cell in cells.items() if cell.value is not None}


def _ratio(column: Column, name: str | None, baseline: str) -> float | None:
    values = _deciding(column)
    if name not in values or baseline not in values:
        return None
    return values[name] / values[baseline]


def _gain(column: Column, name: str, baseline: str) -> str:
    ratio = _ratio(column, name, baseline)
    headline = column.headline
    if name == baseline or ratio is None or headline is None:
        return ""
    if 1 / ALIKE < ratio < ALIKE:
        return f", {headline.same} {baseline}"
    words = headline.less if ratio < 1 else headline.more
    return f", {times(max(ratio, 1 / ratio))} {words} than {baseline}"


def int8_costs_more(column: Column, files: Sequence[File], baseline: str) -> str | None:
    """A warning where the int8 file gains nothing: a surprise to most people."""
    name = _int8(files)
    ratio = _ratio(column, name, baseline)
    if ratio is None or column.headline is None:
        return None
    if column.headline.field == "arena_bytes":
        what, least, instead = "arena", 1.0, "bytes, not memory"
    elif column.headline.field == "instructions":
        what, least, instead = "instructions", 1.0, "bytes and memory, not speed"
    else:
        what, least, instead = "time", ALIKE, "bytes and memory, not speed"
    if ratio <= least:
        return None
    core = column.target.split(":")[1] if column.target.startswith("arm:") else ""
    why = " (this core has no dot-product instruction)" if core and _lacks_dot(core) else ""
    return (
        f"{column.title}: {name} costs {times_of(ratio)} the {what} of {baseline}{why}: there int8 "
        f"buys {instead}."
    )


def _lacks_dot(core: str) -> bool:
    return core not in DOT_PRODUCT_CORES


def _int8(files: Sequence[File]) -> str | None:
    """The int8 file: the one called so, or the only one without float operations."""
    if any(file.name == SHIPPED for file in files):
        return SHIPPED
    whole = [file.name for file in files if file.float_ops == 0]
    return whole[0] if len(whole) == 1 else None


def drawn_alike(measurements: Sequence[Measurement], target: str) -> str | None:
    """Whether this target draws what the desktop draws, or what it draws without XNNPACK."""
    found = {m.variant: m.agreement for m in measurements if m.target == target and m.agreement}
    if not found:
        return None
    equal = [name for name, agreement in found.items() if agreement.equal]
    told = [f"{', '.join(equal)} drew bit for bit what this machine draws"] if equal else []
    apart = {name: agreement for name, agreement in found.items() if not agreement.equal}
    floats = {name: each.largest for name, each in apart.items() if each.within_one is None}
    if floats:
        verb = "lie" if len(floats) > 1 else "lies"
        told.append(f"{', '.join(floats)} {verb} within {max(floats.values()):.2g} of it")
    for name, each in apart.items():
        if each.within_one is not None:
            told.append(f"{name} lies at most {_steps(each)} from it")
    plain = [m.variant for m in measurements if m.target == target and _plain(m)]
    if plain:
        told.append(f"{', '.join(plain)} drew bit for bit what this machine draws without XNNPACK")
    return f"{target}: {'; '.join(told)}."


def _steps(agreement: Agreement) -> str:
    """For instance "4 steps (99.97% of the values within one)"."""
    if agreement.largest <= 1:
        return f"one step (in {agreement.share:.2%} of the values)"
    return f"{agreement.largest:g} steps ({agreement.within_one:.2%} of the values within one)"


def _plain(measurement: Measurement) -> bool:
    return measurement.plain_agreement is not None and measurement.plain_agreement.equal


def failures(measurements: Sequence[Measurement]) -> list[str]:
    """What went wrong where, each error once."""
    told: dict[str, list[str]] = {}
    for m in measurements:
        if m.error:
            told.setdefault(f"{m.target}: {m.error}", []).append(m.variant)
    return [f"{error} ({', '.join(dict.fromkeys(names))})" for error, names in told.items()]


def sentences(columns: Sequence[Column], files: Sequence[File], baseline: str) -> list[str]:
    """All of the above, target by target, then what failed."""
    measurements = [c.measurement for column in columns for c in column.cells.values()]
    made = [m for m in measurements if m is not None]
    told: list[str | None] = []
    for column in columns:
        told += [ship(column, files, baseline), int8_costs_more(column, files, baseline)]
    told += [drawn_alike(made, target) for target in dict.fromkeys(c.target for c in columns)]
    return [*filter(None, told), *failures(made)]
