"""What the suite's figures say: which operation wins where, what int8 gains, how cost grows."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

from deploy.rounds import SPREAD_LIMIT
from pipeline.report.benchmark.grid import ALIKE, HEADLINES, MEDIAN
from pipeline.report.quantities import Quantity, listed, significant, times, times_of
from tools.experiments.suite.generators import DOUBLINGS
from tools.experiments.suite.measure import FLOAT, INT8, Result, Suite

# The median before the 90th percentile: few runs tell little of a tail, and a neighbour's visit
# moves that of one generator and not of another.
FIGURES = (MEDIAN, *(headline for headline in HEADLINES if headline is not MEDIAN))


@dataclass(frozen=True)
class View:
    """The suite as one target sees it. Costs are in the headline's unit; less is better."""

    target: str
    headline: Quantity
    results: tuple[Result, ...]

    def cost(self, result: Result, variant: str = INT8) -> float | None:
        measured = result.on(self.target, variant)
        value: float | None = getattr(measured, self.headline.name) if measured else None
        return None if value is None else value / self.headline.per_unit

    def per_mac(self, result: Result, variant: str = INT8) -> float | None:
        """Cost of a million multiply-accumulates."""
        cost = self.cost(result, variant)
        return None if cost is None else cost / (result.macs / 1e6)

    def ratio(self, result: Result) -> float | None:
        """The cost of int8 over that of float32."""
        int8, float32 = self.cost(result), self.cost(result, FLOAT)
        return None if int8 is None or float32 is None else int8 / float32

    @property
    def places(self) -> list["Place"]:
        """The results by pixels and width."""
        keyed = groupby(self.results, key=lambda r: (r.pixels, r.width))
        return [Place(pixels, width, tuple(results)) for (pixels, width), results in keyed]

    def families(self) -> list[str]:
        return list(dict.fromkeys(result.family for result in self.results))

    def of(self, family: str) -> list[Result]:
        return [result for result in self.results if result.family == family]

    def cheapest(self, place: "Place", cost: Callable[[Result], float | None]) -> list[Result]:
        """Of the families that share a schedule of maps, so not dense: the best and its equals.

        Empty where there is nothing to choose from, or one of them is missing.
        """
        shared = [family for family in self.families() if family in DOUBLINGS]
        costs = [(c, r) for r in place.results if r.family in shared and (c := cost(r))]
        if len(shared) < 2 or len(costs) < len(shared):
            return []
        least = min(cost for cost, _ in costs)
        alike = [candidate for candidate in costs if candidate[0] <= least * ALIKE]
        return [result for _, result in sorted(alike, key=lambda candidate: candidate[0])]


@dataclass(frozen=True)
class Place:
    """Pixels and width, and the families that were measured there."""

    pixels: int
    width: int
    results: tuple[Result, ...]

    def __str__(self) -> str:
        return f"{self.pixels} pixels, width {self.width}"

    def family(self, name: str) -> Result | None:
        return next((result for result in self.results if result.family == name), None)


def spoken(family: str) -> str:
    return family.replace("_", " ")


def views(suite: Suite) -> list[View]:
    """One for each target that gave a figure."""
    return [
        View(target, headline, tuple(r for r in suite.results if _measured(r, target, headline)))
        for target in suite.targets
        if (headline := _headline(suite, target)) is not None
    ]


def _headline(suite: Suite, target: str) -> Quantity | None:
    here = [m for r in suite.results for m in r.measurements if m.target == target]
    return next((h for h in FIGURES if any(m.figure(h.name) is not None for m in here)), None)


def _measured(result: Result, target: str, headline: Quantity) -> bool:
    return any(
        m.target == target and m.figure(headline.name) is not None for m in result.measurements
    )


def sentences(view: View) -> list[str]:
    """What the figures of one target say."""
    said = [winners(view), per_mac(view), predictor(view), gain(view), *growth(view)]
    return [sentence for sentence in said if sentence is not None]


def winners(view: View) -> str | None:
    """How often each operation is the cheapest, or as cheap, at equal maps and channels."""
    won = [winner for place in view.places if (winner := _winners_at(view, place))]
    if not won:
        return None
    counted = Counter(family for _, families in won for family in families).most_common()
    shares = [
        f"{spoken(family)} in {number} of {len(won)}"
        + ("" if rank == 0 else f" ({_places([place for place, f in won if family in f])})")
        for rank, (family, number) in enumerate(counted)
    ]
    by = " by the median" if view.headline is MEDIAN else ""
    ties = "" if all(len(families) == 1 for _, families in won) else _TIES
    return f"At equal maps and channels, int8 is cheapest{by} with {listed(shares)}{ties}."


_TIES = f"; within {ALIKE - 1:.0%} of the cheapest counts as cheapest"


def _winners_at(view: View, place: "Place") -> tuple["Place", list[str]] | None:
    families = [result.family for result in view.cheapest(place, view.cost)]
    return (place, families) if families else None


def _places(places: Sequence[Place], most: int = 4) -> str:
    rest = [f"{len(places) - most} more"] if len(places) > most else []
    return "; ".join([*map(str, places[:most]), *rest])


def per_mac(view: View) -> str | None:
    """What a million multiply-accumulates cost in each operation."""
    costs = {
        family: statistics.geometric_mean(values)
        for family in view.families()
        if family in DOUBLINGS and (values := _figures(view.of(family), view.per_mac))
    }
    if len(costs) < 2:
        return None
    ordered = sorted(costs, key=lambda family: costs[family])
    unit = view.headline.unit
    costs_in_words = [f"{spoken(family)} {significant(costs[family])} {unit}" for family in ordered]
    ratio = times(costs[ordered[-1]] / costs[ordered[0]])
    return (
        f"A million int8 MACs cost, in the geometric mean of all sizes, {listed(costs_in_words)}: "
        f"{ratio} between the ends."
    )


def predictor(view: View) -> str | None:
    """How well the number of MACs foretells the cost, and where it fails worst."""
    shared = [r for r in view.results if r.family in DOUBLINGS]
    points = [(math.log(r.macs), math.log(c)) for r in shared if (c := view.cost(r))]
    if len(points) < 4 or len({x for x, _ in points}) < 2:
        return None
    explained = statistics.correlation(*map(list, zip(*points, strict=True))) ** 2
    sentence = f"MACs explain {explained:.0%} of the int8 cost (of its logarithm)"
    worst = max(_equal_macs(view), default=None, key=lambda pair: pair[0])
    if worst is None:
        return sentence + "."
    ratio, cheap, dear = worst
    return (
        f"{sentence}; with the very same {cheap.macs / 1e6:,.1f} million, {dear.name} still costs "
        f"{times(ratio)} as much as {cheap.name}."
    )


def _equal_macs(view: View) -> Iterator[tuple[float, Result, Result]]:
    for place in view.places:
        priced = [(cost, r.name, r) for r in place.results if (cost := view.cost(r))]
        for (low, _, cheap), (high, _, dear) in combinations(sorted(priced), 2):
            if cheap.macs == dear.macs:
                yield high / low, cheap, dear


def gain(view: View) -> str | None:
    """What int8 gains over float32 in each family."""
    ratios = {
        family: statistics.geometric_mean(values)
        for family in view.families()
        if (values := _figures(view.of(family), view.ratio))
    }
    if not ratios:
        return None
    ordered = sorted(ratios, key=lambda family: ratios[family])
    ratios_in_words = [f"{times_of(ratios[family])} with {spoken(family)}" for family in ordered]
    dearer = [spoken(family) for family in ordered if ratios[family] > ALIKE]
    warning = f" With {listed(dearer)}, int8 buys bytes but costs more." if dearer else ""
    return f"int8 costs, of float32's {view.headline.title}, {listed(ratios_in_words)}.{warning}"


Axis = Callable[[Result], int]

_GROWTHS: tuple[tuple[str, Axis, Axis], ...] = (
    ("each side", lambda result: result.pixels, lambda result: result.width),
    ("the width", lambda result: result.width, lambda result: result.pixels),
)


def growth(view: View) -> list[str]:
    """What one doubling of the pixels, and of the width, does to the cost."""
    said = []
    for words, axis, other in _GROWTHS:
        factors = {
            family: statistics.geometric_mean(values)
            for family in view.families()
            if (values := list(_per_doubling(view, view.of(family), axis, other)))
        }
        if factors:
            each = [f"{spoken(family)} {times(factor)}" for family, factor in factors.items()]
            said.append(f"Doubling {words} multiplies the int8 cost: {listed(each)}.")
    return said


def _per_doubling(
    view: View,
    results: Sequence[Result],
    axis: Axis,
    other: Axis,
) -> Iterator[float]:
    """The factor between neighbouring sizes, where all else is equal and one is twice the other."""
    for small in results:
        for big in results:
            costs = view.cost(small), view.cost(big)
            doubled = axis(big) == 2 * axis(small) and other(big) == other(small)
            if doubled and costs[0] and costs[1]:
                yield costs[1] / costs[0]


def doubts(suite: Suite) -> list[str]:
    """What failed, and how many timings deserve little trust."""
    measurements = [m for result in suite.results for m in result.measurements]
    said = [f"{error}: {_hit(members)}." for error, members in _failures(suite).items()]
    timed = [m for m in measurements if m.spread is not None]
    wide = [m for m in timed if m.spread is not None and m.spread > SPREAD_LIMIT]
    if wide:
        said.append(
            f"{len(wide)} of {len(timed)} timings come from rounds whose medians lie more than "
            f"{SPREAD_LIMIT:.0%} apart: the machine was busy, trust ratios above that only."
        )
    return said


def _failures(suite: Suite) -> dict[str, dict[str, list[str]]]:
    """Error → variant → the generators whose file it hit."""
    failed: dict[str, dict[str, list[str]]] = {}
    for result in suite.results:
        for m in result.measurements:
            if m.error:
                hit = failed.setdefault(f"{m.target}: {m.error.rstrip('.')}", {})
                hit.setdefault(m.variant, []).append(result.name)
    return failed


def _hit(members: dict[str, list[str]]) -> str:
    """Few by their names, many by their number."""
    parts = []
    for variant, names in members.items():
        few = len(names) <= _FEW
        parts.append(f"{variant} of {', '.join(names) if few else f'{len(names)} generators'}")
    return "; ".join(parts)


_FEW = 3


def _figures(results: Sequence[Result], figure: Callable[[Result], float | None]) -> list[float]:
    return [value for result in results if (value := figure(result)) is not None]
