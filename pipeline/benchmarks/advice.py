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
    best = column.best()
    if best is None or column.headline is None:
        reasons = dict.fromkeys(cell.reason for cell in column.cells.values())
        return f"{column.title}: nothing could be measured ({'; '.join(reasons)})."
    small = _smallest_alike(column, files)
    gain = _gain(column, small, baseline)
    if small == best or baseline not in column.cells:
        return f"{column.title}: ship {small}{gain}."
    return (
        f"{column.title}: ship {small}{gain}; {best} is as good within {ALIKE - 1:.0%}, but bigger."
    )


def _smallest_alike(column: Column, files: Sequence[File]) -> str:
    """Of the files that are as fast as the best: the one that is shortest to download."""
    values = {name: cell.value for name, cell in column.cells.items() if cell.value is not None}
    limit = min(values.values()) * ALIKE
    alike = [file for file in files if file.name in values and values[file.name] <= limit]
    return min(alike, key=lambda file: file.bytes_gzip).name


def _gain(column: Column, name: str, baseline: str) -> str:
    ratio = column.cells[name].ratio
    headline = column.headline
    if name == baseline or ratio is None or headline is None:
        return ""
    if 1 / ALIKE < ratio < ALIKE:
        return f", {headline.same} {baseline}"
    words = headline.less if ratio < 1 else headline.more
    return f", {times(max(ratio, 1 / ratio))} {words} than {baseline}"


def int8_costs_more(column: Column, files: Sequence[File], baseline: str) -> str | None:
    """A warning where the int8 file is no gain in speed: a surprise to most people."""
    name = _int8(files)
    ratio = column.cells[name].ratio if name in column.cells else None
    if name is None or ratio is None or ratio < ALIKE or column.headline is None:
        return None
    told = (
        f"{column.title}: {name} costs {times_of(ratio)} the {column.headline.title} of {baseline}"
    )
    core = column.target.split(":")[1] if column.target.startswith("arm:") else ""
    why = " (this core has no dot-product instruction)" if core and _lacks_dot(core) else ""
    return f"{told}{why}: there int8 buys bytes and memory, not speed."


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
    here = [m for m in measurements if m.target == target and m.agreement is not None]
    if not here:
        return None
    equal = [m.variant for m in here if m.agreement and m.agreement.equal]
    told = [f"{', '.join(equal)} drew bit for bit what this machine draws"] if equal else []
    for m in here:
        if m.agreement and not m.agreement.equal:
            told.append(f"{m.variant} differs by at most {_written(m.agreement)}")
    plain = [m.variant for m in here if m.plain_agreement and m.plain_agreement.equal]
    if plain:
        told.append(f"{', '.join(plain)} drew bit for bit what this machine draws without XNNPACK")
    return f"{target}: {'; '.join(told)}."


def _written(agreement: Agreement) -> str:
    return f"{agreement.largest:.2g} in {agreement.share:.2%} of the values"


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
