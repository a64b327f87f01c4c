"""The students that a search may try: shapes are drawn, widths are solved for.

A budget is an equation: of a shape (block, rank, ratio of the widths, bits, zeros) the widest
student that keeps it is the one worth trying (as in CAT, Jin 2021, where the width is solved for).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import tf_keras
from optuna.trial import BaseTrial

from deploy.errors import PocketganError, one_of
from deploy.targets import find_target
from deploy.targets.npu import Npu
from pipeline.compression.bits import kernel_layers
from pipeline.compression.int8_layers import FULL_BITS
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.networks.student import DOUBLINGS
from pipeline.networks.translators import FAMILIES, halvings
from pipeline.recipe.sections import BudgetSettings, SearchSettings
from pipeline.search.budget import Budget, FileCost
from pipeline.search.builder import PERCENT, SLIM, StudentBuilder
from pipeline.search.calibration import calibration_of
from pipeline.search.cost import predict_cost
from pipeline.search.flash import compiler_of
from pipeline.search.latency import Latency

NARROWEST, WIDEST = 2, PERCENT
"""Channels of the first map; of a slim student percent of the teacher's channels."""
LEAST_RANK, MOST_RANK = 3, 64
TAPERS = (0.5, 1.0)
"""Range of the ratio of channels, see StudentShape."""
MOST_MIXERS = 2
MOST_LEVELS = 5
DEPTHS = (2, 7)
"""Maps of a student that reads pictures."""
ZEROS = (0.0, 0.3, 0.5)
BUDGET_SHARES = (0.5, 1.0)
"""Range of the budget that a trial uses: smaller students make the front of size and quality."""
WIDE_BUDGET_SHARES = (0.03, 1.0)
"""The same where the smallest file is wanted that is good enough."""

CALIBRATED = 2
"""Inputs by which an untrained student's ranges are set: they decide no byte."""

CostModel = Callable[[StudentSettings, CompressionSpec], FileCost]


@dataclass(frozen=True, kw_only=True)
class StudentShape:
    """A student but for its width."""

    block: str
    rank: int
    taper: float
    """Ratio of one map's channels to those of the smaller map before it; of a slim student, of one
    group's share of the teacher's channels to that of the next."""
    mixers: int
    depth: int = 0
    """Maps of a student that reads pictures; of others their size decides."""


@dataclass(frozen=True)
class Proposal:
    """A student that may be tried, with the cost that its file is expected to have."""

    student: StudentSettings
    spec: CompressionSpec
    cost: FileCost


@dataclass(frozen=True, kw_only=True)
class Space:
    """The students that a search may propose."""

    blocks: tuple[str, ...]
    bits: tuple[int, ...]
    zeros: tuple[float, ...]
    maps: int
    """Hidden maps of a purpose-built student."""
    groups: int
    """Groups of channels that a slim student is cut by."""
    latent: int
    """Length of the latent without the classes; 0 for a generator that reads pictures."""
    cost_of: CostModel
    shares: tuple[float, float] = BUDGET_SHARES
    halvings: int = 0
    """How often the pictures that are read may be halved; 0 for a generator of latents."""

    @property
    def smallest_wanted(self) -> bool:
        """Whether the search is for the smallest student that is good enough, not for the best."""
        return self.shares == WIDE_BUDGET_SHARES

    @property
    def most_rank(self) -> int:
        return max(LEAST_RANK, min(MOST_RANK, self.latent))

    def draw(self, trial: BaseTrial, budget: Budget) -> Proposal:
        """The widest student of a shape drawn at random that keeps a drawn share of the budget.

        Where none does, of the next plainer shape; PocketganError where not even the narrowest of
        the plainest does.
        """
        first, spec, share = self.suggest(trial)
        *shapes, plainest = _ever_plainer(first)
        for shape in shapes:
            with suppress(PocketganError):
                return self.widest(shape, spec, budget, share=share)
        return self.widest(plainest, spec, budget)

    def suggest(self, trial: BaseTrial) -> tuple[StudentShape, CompressionSpec, float]:
        """What is drawn of a student: its shape, its compression, its share of the budget."""
        block = trial.suggest_categorical("block", self.blocks)
        rank = mixers = depth = 0
        if self.latent:
            rank = trial.suggest_int("rank", LEAST_RANK, self.most_rank, log=True)
        taper = trial.suggest_float("taper", *TAPERS)
        if self.latent:
            mixers = trial.suggest_int("mixers", 0, MOST_MIXERS)
        else:
            depth = trial.suggest_int("depth", *DEPTHS)
        spec = CompressionSpec(
            trial.suggest_categorical("bits", self.bits),
            trial.suggest_categorical("zeros", self.zeros),
        )
        share = trial.suggest_float("share", *self.shares, log=True)
        shape = StudentShape(block=block, rank=rank, taper=taper, mixers=mixers, depth=depth)
        return shape, spec, share

    def widest(
        self, shape: StudentShape, spec: CompressionSpec, budget: Budget, *, share: float = 1.0
    ) -> Proposal:
        """Bisection over the width: a wider student costs more."""
        low, high = NARROWEST, WIDEST
        best = self._propose(shape, low, spec)
        if budget.share(best.cost) > share:
            raise PocketganError(
                f"the smallest {shape.block} student of that shape needs more than "
                f"{budget.tightest(best.cost).description}.",
                "Give a larger budget.",
            )
        while low < high:
            middle = (low + high + 1) // 2
            proposal = self._propose(shape, middle, spec)
            if budget.share(proposal.cost) <= share:
                low, best = middle, proposal
            else:
                high = middle - 1
        return best

    def smallest(self, budget: Budget) -> Proposal:
        """The student that uses least of the budget's tightest limit."""
        spec = CompressionSpec(min(self.bits), max(self.zeros))
        students = [self.narrowest(block) for block in self.blocks]
        proposals = [Proposal(one, spec, self.cost_of(one, spec)) for one in students]
        return min(proposals, key=lambda one: budget.share(one.cost))

    def narrowest(self, block: str) -> StudentSettings:
        """The smallest student of a block."""
        # A slim student's later groups, and maps that are halved, grow by 1/taper.
        shape = StudentShape(
            block=block, rank=LEAST_RANK, taper=max(TAPERS), mixers=0, depth=DEPTHS[0]
        )
        return self.student(shape, NARROWEST)

    def _propose(self, shape: StudentShape, width: int, spec: CompressionSpec) -> Proposal:
        student = self.student(shape, width)
        return Proposal(student, spec, self.cost_of(student, spec))

    def student(self, shape: StudentShape, width: int) -> StudentSettings:
        """A shape at a width."""
        if shape.block == SLIM:
            return StudentSettings(SLIM, shape.rank, self._percentages(shape, width), 0)
        if not self.latent:
            return StudentSettings(shape.block, 0, self._translator_channels(shape, width), 0)
        channels = [
            max(NARROWEST, round(width * shape.taper**number)) for number in range(self.maps)
        ]
        return StudentSettings(shape.block, shape.rank, tuple(channels), shape.mixers)

    def _percentages(self, shape: StudentShape, width: int) -> tuple[int, ...]:
        """Percent of each group's channels; behind latents more of the later, which cost least."""
        growth = 1 / shape.taper if self.latent else 1.0
        shares = (round(width * growth**number) for number in range(self.groups))
        return tuple(min(PERCENT, share) for share in shares)

    def _translator_channels(self, shape: StudentShape, width: int) -> tuple[int, ...]:
        """The first map's first: alike at one size, more where maps are halved (by 1/taper)."""
        family = FAMILIES[shape.block]
        if not family.halved:
            return (width,) * shape.depth
        levels = min(shape.depth, MOST_LEVELS, self.halvings + 2 - family.reduce)
        return tuple(round(width / shape.taper**level) for level in range(levels))


def _translators(most: int) -> list[str]:
    """The blocks for pictures that may be halved so often: only some can do without."""
    needed = {name: family.halved + family.reduce - 1 for name, family in FAMILIES.items()}
    return [name for name, count in needed.items() if count <= most]


def _halvings(settings: SearchSettings, builder: StudentBuilder) -> int:
    """How often pictures may be halved; 0 for a generator of latents."""
    if builder.teacher.latent:
        return 0
    most = halvings(builder.translator_shape.source[:2])
    return most if settings.halvings is None else min(most, settings.halvings)


def space_of(
    settings: SearchSettings,
    limits: BudgetSettings,
    builder: StudentBuilder,
    latency: Latency | None = None,
) -> Space:
    """The students that a recipe allows of a teacher.

    ``latency``: of the target, where it is known; else it is measured if its time is limited.
    Raises PocketganError for a block that there is not, and where no block is left.
    """
    most = _halvings(settings, builder)
    suitable = DOUBLINGS if builder.teacher.latent else _translators(most)
    for block in settings.blocks:
        if block not in (*DOUBLINGS, *FAMILIES, SLIM):
            raise PocketganError(
                f"search.blocks: there is no block '{block}'.",
                one_of(block, (*DOUBLINGS, *FAMILIES, SLIM)),
            )
    blocks = [
        block
        for block in settings.blocks
        if block in suitable or (block == SLIM and builder.groups)
    ]
    if not blocks:
        reads = "latents" if builder.teacher.latent else "pictures"
        raise PocketganError(
            f"no student can be cut out of this teacher: {builder.why_not_slim}."
            if SLIM in settings.blocks
            else f"none of {', '.join(settings.blocks)} reads {reads} as this teacher does.",
            f"Allow others in search.blocks: {', '.join(suitable)}.",
        )
    # Neither bits nor zeros change the raw file or its speed: they would only cost quality.
    packed = (limits.max_gzip_kb, limits.max_flash_kb, limits.max_quality_drop)
    matters = any(limit is not None for limit in packed)
    return Space(
        blocks=tuple(blocks),
        bits=tuple(settings.bits) if matters else (FULL_BITS,),
        zeros=ZEROS if matters else (0.0,),
        maps=builder.map_count,
        groups=len(builder.groups),
        latent=builder.teacher.latent,
        halvings=most,
        cost_of=cost_model(builder, limits, latency),
        shares=BUDGET_SHARES if limits.max_quality_drop is None else WIDE_BUDGET_SHARES,
    )


def latency_of(limits: BudgetSettings) -> Latency | None:
    """What operations cost on the target, if its time is limited.

    Raises PocketganError for a target that counts instructions and tells no time.
    """
    if limits.max_ms is None:
        return None
    if isinstance(find_target(limits.target), Npu):
        raise PocketganError(
            f"target {limits.target} tells no time but its compiler's estimate.",
            "Give --max-flash-kb there, or --max-ms with a target that times.",
        )
    latency = calibration_of(limits.target).latency
    if latency.unit != "ms":
        raise PocketganError(
            f"target {limits.target} counts {latency.unit} and tells no milliseconds.",
            "Give --max-ms with a target that times, or limit the work with --max-macs.",
        )
    return latency


def cost_model(
    builder: StudentBuilder, limits: BudgetSettings, latency: Latency | None = None
) -> CostModel:
    """Predicts a student's costs; its time and its flash only where they are limited.

    ``latency`` as of ``space_of``. Raises PocketganError for a target that cannot tell these, or is
    not there.
    """
    predict = network_costs(builder, limits, latency)

    @cache
    def cost_of(student: StudentSettings, spec: CompressionSpec) -> FileCost:
        return predict(builder.build(student), spec, trained=student.block == SLIM)

    return cost_of


class NetworkCosts(Protocol):
    """Predicts what the int8 file of a network will cost."""

    def __call__(
        self, model: tf_keras.Model, spec: CompressionSpec, *, trained: bool
    ) -> FileCost: ...


def network_costs(
    builder: StudentBuilder, limits: BudgetSettings, latency: Latency | None = None
) -> NetworkCosts:
    """As ``cost_model``, of any network that reads what the teacher reads."""
    latency, compiler = latency or latency_of(limits), compiler_of(limits)
    inputs = builder.teacher.random_inputs(CALIBRATED) if compiler else None

    def predict(model: tf_keras.Model, spec: CompressionSpec, *, trained: bool) -> FileCost:
        layers = kernel_layers(model)
        cost = predict_cost(
            model,
            bits=dict.fromkeys(layers, spec.bits),
            sparsity=dict.fromkeys(layers[:-1], spec.sparsity),
            latency=latency,
            trained=trained,
        )
        if compiler is None or inputs is None:
            return cost
        report = compiler.report(model, inputs, spec, trained=trained)
        return replace(cost, flash_bytes=report.flash_bytes)

    return predict


def _ever_plainer(shape: StudentShape) -> list[StudentShape]:
    """The shape itself, then without mixing, then with half the rank, and again."""
    shapes = [shape]
    if shape.mixers:
        shapes.append(replace(shape, mixers=0))
    while shapes[-1].rank > LEAST_RANK:
        shapes.append(replace(shapes[-1], rank=max(LEAST_RANK, shapes[-1].rank // 2)))
    return shapes
