"""The students that a search may try: shapes are drawn, widths are solved for.

A budget is an equation: of a shape (block, rank, ratio of the widths, bits, zeros) the widest
student that keeps it is the one worth trying (as in CAT, Jin 2021, where the width is solved for).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from optuna.trial import BaseTrial

from deploy.errors import PocketganError
from pipeline.compression.bits import kernel_layers
from pipeline.compression.levels import FULL_BITS
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import DOUBLINGS
from pipeline.recipe import BudgetSettings, Recipe
from pipeline.search.budget import Budget, Cost
from pipeline.search.builder import HUNDREDTHS, SLIM, StudentBuilder
from pipeline.search.calibration import calibrated
from pipeline.search.cost import cost
from pipeline.search.latency import Latency

NARROWEST, WIDEST = 2, HUNDREDTHS
"""Channels of the first map; of a slim student hundredths of the teacher's channels."""
LEAST_RANK, MOST_RANK = 3, 64
TAPERS = (0.5, 1.0)
"""Range of the ratio of one map's channels to those of the smaller map before it."""
MOST_MIXERS = 2
ZEROS = (0.0, 0.3, 0.5)
SHARES = (0.5, 1.0)
"""Range of the budget that a trial uses: smaller students make the front of size and quality."""
WIDE_SHARES = (0.03, 1.0)
"""The same where the smallest file is wanted that is good enough."""


Price = Callable[[StudentSettings, CompressionSpec], Cost]


@dataclass(frozen=True)
class Proposal:
    """A student, how coarse its kernels get, and what its file is expected to cost."""

    student: StudentSettings
    spec: CompressionSpec
    cost: Cost


@dataclass(frozen=True)
class Space:
    """What may be drawn."""

    blocks: tuple[str, ...]
    bits: tuple[int, ...]
    zeros: tuple[float, ...]
    maps: int
    """Hidden maps of a purpose-built student; of a slim one, groups of channels."""
    groups: int
    latent: int
    """0 for a generator that reads pictures."""
    price: Price
    shares: tuple[float, float] = SHARES

    @property
    def smallest_wanted(self) -> bool:
        """Whether the search is for the smallest student that is good enough, not for the best."""
        return self.shares == WIDE_SHARES

    @property
    def most_rank(self) -> int:
        return max(LEAST_RANK, min(MOST_RANK, self.latent))

    def draw(self, trial: BaseTrial, budget: Budget) -> Proposal:
        """The widest student of a drawn shape, or of the next plainer one, that keeps its share of
        the budget.

        Raises PocketganError where even the narrowest of the plainest shape does not.
        """
        shape = self._shape(trial)
        spec = CompressionSpec(
            trial.suggest_categorical("bits", self.bits),
            trial.suggest_categorical("zeros", self.zeros),
        )
        share = trial.suggest_float("share", *self.shares, log=True)
        *plainer, plainest = _plainer(shape)
        for one in plainer:
            with suppress(PocketganError):
                return self.widest(one, spec, budget, share)
        return self.widest(plainest, spec, budget)

    def widest(
        self, shape: "Shape", spec: CompressionSpec, budget: Budget, share: float = 1.0
    ) -> Proposal:
        """Bisection over the width: a wider student costs more."""

        def at(width: int) -> Proposal:
            student = self.student(shape, width)
            return Proposal(student, spec, self.price(student, spec))

        low, high = NARROWEST, WIDEST
        best = at(low)
        if budget.share(best.cost) > share:
            raise PocketganError(
                f"the smallest {shape.block} student of that shape needs more than the budget.",
                "Give a larger budget.",
            )
        while low < high:
            middle = (low + high + 1) // 2
            proposal = at(middle)
            if budget.share(proposal.cost) <= share:
                low, best = middle, proposal
            else:
                high = middle - 1
        return best

    def smallest(self, budget: Budget) -> Proposal:
        """The student that uses least of the budget's tightest limit."""
        shapes = [Shape(block, LEAST_RANK, TAPERS[0], 0) for block in self.blocks]
        spec = CompressionSpec(min(self.bits), max(self.zeros))
        proposals = [
            Proposal(student, spec, self.price(student, spec))
            for student in (self.student(shape, NARROWEST) for shape in shapes)
        ]
        return min(proposals, key=lambda one: budget.share(one.cost))

    def student(self, shape: "Shape", width: int) -> StudentSettings:
        """A shape at a width."""
        if shape.block == SLIM:
            return StudentSettings(SLIM, shape.rank, (width,) * self.groups, 0)
        channels = [
            max(NARROWEST, round(width * shape.taper**number)) for number in range(self.maps)
        ]
        return StudentSettings(shape.block, shape.rank, tuple(channels), shape.mixers)

    def _shape(self, trial: BaseTrial) -> "Shape":
        block = trial.suggest_categorical("block", self.blocks)
        rank = 0
        if self.latent:
            rank = trial.suggest_int("rank", LEAST_RANK, self.most_rank, log=True)
        taper = trial.suggest_float("taper", *TAPERS)
        mixers = trial.suggest_int("mixers", 0, MOST_MIXERS)
        return Shape(block, rank, taper, mixers)


def space_of(recipe: Recipe, builder: StudentBuilder) -> Space:
    """The students that a recipe allows of a teacher.

    Raises PocketganError for a block that there is not, and where no block is left.
    """
    settings, limits = recipe.search, recipe.budget
    known = (*DOUBLINGS, SLIM)
    for block in settings.blocks:
        if block not in known:
            raise PocketganError(
                f"search.blocks: there is no block '{block}'.", f"Known: {', '.join(known)}."
            )
    blocks = [block for block in settings.blocks if block != SLIM or builder.groups]
    if not blocks:
        raise PocketganError(
            f"no student can be cut out of this teacher: {builder.why_not_slim}.",
            f"Allow others in search.blocks: {', '.join(DOUBLINGS)}.",
        )
    # Neither bits nor zeros change the raw file or its speed: they would only cost quality.
    coarse = limits.max_gzip_kb is not None or limits.max_quality_drop is not None
    return Space(
        tuple(blocks),
        tuple(settings.bits) if coarse else (FULL_BITS,),
        ZEROS if coarse else (0.0,),
        builder.maps,
        len(builder.groups),
        builder.teacher.latent,
        _pricing(builder, latency_of(limits)),
        SHARES if limits.max_quality_drop is None else WIDE_SHARES,
    )


def latency_of(limits: BudgetSettings) -> Latency | None:
    """What operations cost on the target, if its time is limited.

    Raises PocketganError for a target that counts instructions and tells no time.
    """
    if limits.max_ms is None:
        return None
    latency = calibrated(limits.target).latency
    if latency.unit != "ms":
        raise PocketganError(
            f"target {limits.target} counts {latency.unit} and tells no milliseconds.",
            "Give --max-ms with a target that times, or limit the work with --max-macs.",
        )
    return latency


def _pricing(builder: StudentBuilder, latency: Latency | None) -> Price:
    """What a student's file will cost; its time only where ``latency`` is given."""

    def price(student: StudentSettings, spec: CompressionSpec) -> Cost:
        model = builder.build(student)
        layers = kernel_layers(model)
        return cost(
            model,
            dict.fromkeys(layers, spec.bits),
            dict.fromkeys(layers[:-1], spec.sparsity),
            latency,
            trained=student.block == SLIM,
        )

    return price


def _plainer(shape: "Shape") -> list["Shape"]:
    """The shape itself, then without mixing, then with half the rank, and again."""
    shapes = [shape]
    if shape.mixers:
        shapes.append(replace(shape, mixers=0))
    while shapes[-1].rank > LEAST_RANK:
        shapes.append(replace(shapes[-1], rank=max(LEAST_RANK, shapes[-1].rank // 2)))
    return shapes


@dataclass(frozen=True)
class Shape:
    """A student but for its width."""

    block: str
    rank: int
    taper: float
    mixers: int
