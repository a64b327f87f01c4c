"""Files × targets: one figure a place, the one that means something there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from deploy.jobs import Measurement
from pipeline.report.quantities import NONE, significant, times


@dataclass(frozen=True)
class Headline:
    """The figure that a kind of target is read by; less is better for all of them."""

    field: str
    title: str
    unit: str
    per_unit: float
    """What one unit is in the measurement's own."""
    less: str
    same: str
    more: str
    """The words for fewer, for as much and for more of it."""
    how: str

    def write(self, value: float) -> str:
        return f"{significant(value / self.per_unit)} {self.unit}"


# The first of these that a target's measurements hold is its headline.
HEADLINES = (
    Headline(
        "p90_ms",
        "p90",
        "ms",
        1,
        "faster",
        "as fast as",
        "slower",
        "90th percentile of the time of one inference (MLPerf's single stream)",
    ),
    Headline(
        "instructions",
        "instructions",
        "M",
        1e6,
        "fewer instructions",
        "as many instructions as",
        "more instructions",
        "instructions executed by one inference on the emulated core, counted, not timed",
    ),
    Headline(
        "arena_bytes",
        "arena",
        "kB",
        1000,
        "less memory",
        "as much memory as",
        "more memory",
        "bytes of tensor arena that the microcontroller's runtime took",
    ),
    Headline(
        "p50_ms",
        "p50",
        "ms",
        1,
        "faster",
        "as fast as",
        "slower",
        "median time of one inference (this tool tells no 90th percentile)",
    ),
    Headline(
        "mean_ms",
        "mean",
        "ms",
        1,
        "faster",
        "as fast as",
        "slower",
        "mean time of one inference (this tool tells no percentiles)",
    ),
)


class Cell(NamedTuple):
    """One file on one target. ``ratio`` is to the baseline there; both None: not measured."""

    measurement: Measurement | None
    value: float | None
    ratio: float | None
    reason: str
    """Why there is no value."""


class Column(NamedTuple):
    """One target with one number of threads, a cell a file."""

    target: str
    threads: int
    headline: Headline | None
    cells: dict[str, Cell]

    @property
    def title(self) -> str:
        return self.target if self.threads == 1 else f"{self.target}, {self.threads} threads"

    def text(self, name: str) -> str:
        """What stands in the table: the figure and its ratio to the baseline."""
        cell = self.cells[name]
        if self.headline is None or cell.value is None:
            return NONE
        written = self.headline.write(cell.value)
        return written if cell.ratio is None else f"{written} ({times_of(cell.ratio)})"

    def best(self) -> str | None:
        """The file with the smallest figure; None where nothing was measured."""
        values = {name: cell.value for name, cell in self.cells.items() if cell.value is not None}
        return min(values, key=lambda name: values[name]) if values else None


def times_of(ratio: float) -> str:
    """A ratio that may be far below one: 0.21×, 1.31×."""
    return times(ratio) if ratio >= 9.95 else f"{ratio:.2f}×"


def columns(
    measurements: Sequence[Measurement], names: Sequence[str], baseline: str
) -> list[Column]:
    """A column a target and number of threads, in the order in which they were measured."""
    places = dict.fromkeys((m.target, m.threads) for m in measurements)
    return [_column(place, measurements, names, baseline) for place in places]


def _column(
    place: tuple[str, int], measurements: Sequence[Measurement], names: Sequence[str], baseline: str
) -> Column:
    here = {m.variant: m for m in measurements if (m.target, m.threads) == place}
    headline = next(
        (h for h in HEADLINES if any(_value(m, h) is not None for m in here.values())), None
    )
    base = _value(here[baseline], headline) if headline and baseline in here else None
    cells = {name: _cell(here.get(name), headline, base) for name in names}
    return Column(*place, headline, cells)


def _value(measurement: Measurement, headline: Headline) -> float | None:
    value: float | None = getattr(measurement, headline.field)
    return value


def _cell(measurement: Measurement | None, headline: Headline | None, base: float | None) -> Cell:
    if measurement is None:
        return Cell(None, None, None, "not measured")
    value = _value(measurement, headline) if headline else None
    if headline is None or value is None:
        reason = measurement.error or (measurement.absent.get(headline.field) if headline else "")
        return Cell(measurement, None, None, reason or "not measured")
    return Cell(measurement, value, value / base if base else None, "")
