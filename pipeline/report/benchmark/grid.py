"""Files × targets: one figure each, the one that means something there, and which is best."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from deploy.agreement import SECOND_OPINION, SECOND_OPINION_DECIMALS
from deploy.jobs import Measurement
from deploy.rounds import SPREAD_LIMIT, TAIL_LIMIT, is_long_tail
from pipeline.report.benchmark.schema import MeasuredFile
from pipeline.report.quantities import NONE, QUANTITIES, Quantity, times_of

# Files whose figures differ by less are equally good.
ALIKE = 1.05
# Variants of one generator differ in multiply-accumulates by no more than this factor.
SAME_WORK = 2


HEADLINES = tuple(
    QUANTITIES[name]
    for name in ("p90_ms", "instructions", "arena_bytes", "flash_bytes", "p50_ms", "mean_ms")
)
"""The first of these that a target's measurements hold is what it is read by."""
MEDIAN = QUANTITIES["p50_ms"]
OF_NPU = (QUANTITIES["sram_bytes"], QUANTITIES["estimated_ms"])
"""What stands below the flash that an NPU needs."""
BY = {"p50_ms": ", by the median", "mean_ms": ", by the mean"}
"""What a sentence says of the figure that it goes by; nothing where that is exact."""
APART = f"the rounds' medians lie more than {SPREAD_LIMIT:.0%} apart"
LONG_TAIL = f"the 90th percentile is above {TAIL_LIMIT:g} medians"
WHY_DOUBTED = (APART, LONG_TAIL)
"""Why figures deserve no trust."""


class FileFigure(NamedTuple):
    """One file on one target. ``ratio`` is to the baseline there; both None: not measured."""

    measurement: Measurement | None
    value: float | None
    ratio: float | None
    reason: str
    """Why there is no value."""

    @property
    def spread(self) -> float:
        """How far the processes' medians lie apart; 0 where that is not known, or nothing timed."""
        return self.measurement.spread or 0.0 if self.measurement else 0.0

    @property
    def doubt(self) -> str:
        """Why the figure deserves no trust; empty where nothing speaks against it."""
        if self.why_doubted == APART:
            return f"not to be trusted: the rounds' medians lie {self.spread:.0%} apart"
        if self.why_doubted == LONG_TAIL:
            return "not to be trusted: others worked meanwhile, as the median is far below"
        return ""

    @property
    def why_doubted(self) -> str:
        """One of WHY_DOUBTED; empty where nothing speaks against the figure."""
        if self.measurement is None or self.value is None:
            return ""
        if self.spread > SPREAD_LIMIT:
            return APART
        is_p90 = self.value == self.measurement.p90_ms
        return LONG_TAIL if is_p90 and is_long_tail(self.measurement.p50_ms, self.value) else ""


class Reading(NamedTuple):
    """One figure of all files on a target."""

    headline: Quantity | None
    """None: nothing was measured."""
    cells: dict[str, FileFigure]

    @property
    def figures(self) -> dict[str, float]:
        """Of the files that were measured."""
        return {name: cell.value for name, cell in self.cells.items() if cell.value is not None}

    def figure(self, name: str) -> str:
        """Without its unit; a ~ before one that deserves no trust."""
        cell = self.cells[name]
        if self.headline is None or cell.value is None:
            return NONE
        return f"{'~' if cell.doubt else ''}{self.headline.write(cell.value)}"

    def text(self, name: str) -> str:
        """The figure, its unit and its ratio to the baseline."""
        cell = self.cells[name]
        if self.headline is None or cell.value is None:
            return NONE
        written = f"{self.figure(name)} {self.headline.unit}"
        return written if cell.ratio is None else f"{written} ({times_of(cell.ratio)})"


class TargetColumn(NamedTuple):
    """One target with one number of threads, a cell a file."""

    target: str
    threads: int
    readings: tuple[Reading, ...]
    """The headline figure first, below it others."""
    baseline: str | None
    """What the files are compared with; None where they do not compare."""

    @property
    def label(self) -> str:
        """The target, as its owner's shelf calls it if one does."""
        present = [cell.measurement for cell in self.cells.values() if cell.measurement]
        return present[0].title if present else self.target

    @property
    def title(self) -> str:
        return target_title(self.label, self.threads)

    @property
    def headline(self) -> Quantity | None:
        return self.readings[0].headline

    @property
    def cells(self) -> dict[str, FileFigure]:
        return self.readings[0].cells

    @property
    def deciding(self) -> Reading:
        """What a choice goes by: the median where it stands below, else the headline.

        A neighbour's visit moves the 90th percentile of one file and not of another.
        """
        return self.readings[1] if self.has_median else self.readings[0]

    @property
    def has_median(self) -> bool:
        """Whether it stands below another headline."""
        return any(reading.headline is MEDIAN for reading in self.readings[1:])

    @property
    def estimated(self) -> bool:
        """Whether all is a compiler's report, and nothing was run."""
        return self.target.startswith("npu:")

    @property
    def by(self) -> str:
        headline = self.deciding.headline
        return BY.get(headline.name, "") if headline else ""

    @property
    def chooses(self) -> bool:
        """Whether there is something to choose from, and this target is one to choose for."""
        return self.baseline is not None and self.target != SECOND_OPINION

    def noise(self, one: str, other: str) -> float:
        """By how much two files' figures may differ by chance."""
        cells = self.deciding.cells
        return max(cells[one].spread, cells[other].spread)

    def apart(self, one: str, other: str) -> float:
        """By how much two files' figures differ: 0.5 where one is 1.5 times the other."""
        low, high = sorted(self.deciding.figures[name] for name in (one, other))
        return high / low - 1

    def alike(self, one: str, other: str) -> bool:
        """Whether two files are equally good here, or cannot be told apart."""
        return self.apart(one, other) < max(ALIKE - 1, self.noise(one, other))

    def best(self) -> list[str]:
        """The file with the smallest figure, and those that are as good; none: no choice."""
        figures = self.deciding.figures
        if not figures or not self.chooses:
            return []
        least = min(figures, key=lambda name: figures[name])
        return [name for name in figures if self.alike(name, least)]


def target_title(target: str, threads: int) -> str:
    """A target with a number of threads, in words."""
    return target if threads == 1 else f"{target}, {threads} threads"


def comparable(files: Sequence[MeasuredFile]) -> bool:
    """Whether these may be variants of one generator, by shapes and multiply-accumulates.

    Of a file that could not be read neither is known, and nothing speaks against it.
    """
    shapes = {(file.input_shapes, file.output_shapes) for file in files if file.input_shapes}
    macs = [file.macs for file in files if file.macs]
    return len(shapes) < 2 and (not macs or max(macs) <= SAME_WORK * min(macs))


def columns(
    measurements: Sequence[Measurement], files: Sequence[MeasuredFile], baseline: str
) -> list[TargetColumn]:
    """A column a target and number of threads, in the order in which they were measured."""
    targets = dict.fromkeys((m.target, m.threads) for m in measurements)
    base = baseline if len(files) > 1 and comparable(files) else None
    return [
        _column(target, measurements, [file.name for file in files], base) for target in targets
    ]


def _column(
    target: tuple[str, int],
    measurements: Sequence[Measurement],
    names: Sequence[str],
    baseline: str | None,
) -> TargetColumn:
    by_name = {m.variant: m for m in measurements if (m.target, m.threads) == target}
    here = {name: by_name[name] for name in names if name in by_name}
    headline = next(
        (h for h in HEADLINES if any(m.figure(h.name) is not None for m in here.values())), None
    )
    if headline and target[0] == SECOND_OPINION:
        headline = replace(headline, form=f"{{:.{SECOND_OPINION_DECIMALS}f}}".format)
    readings = [_reading(headline, here, names, baseline)]
    if headline and headline.name == "p90_ms":
        medians = _reading(MEDIAN, here, names, baseline)
        if medians.figures.keys() == readings[0].figures.keys():
            readings.append(medians)
    if headline and headline.name == "flash_bytes":
        below = [_reading(quantity, here, names, baseline) for quantity in OF_NPU]
        readings += [reading for reading in below if reading.figures]
    return TargetColumn(*target, tuple(readings), baseline)


def _reading(
    headline: Quantity | None,
    here: dict[str, Measurement],
    names: Sequence[str],
    baseline: str | None,
) -> Reading:
    base = here[baseline].figure(headline.name) if headline and baseline in here else None
    return Reading(headline, {name: _cell(here.get(name), headline, base) for name in names})


def _cell(
    measurement: Measurement | None, headline: Quantity | None, base: float | None
) -> FileFigure:
    if measurement is None:
        return FileFigure(None, None, None, "not measured")
    value = measurement.figure(headline.name) if headline else None
    if headline is None or value is None:
        reason = measurement.error or (measurement.reason(headline.name) if headline else "")
        return FileFigure(measurement, None, None, reason or "not measured")
    return FileFigure(measurement, value, value / base if base else None, "")
