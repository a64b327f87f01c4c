"""The search: Optuna proposes students, short distillations rank them, and bad ones end early."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import tf_keras
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.search.budget import Budget, FileCost
from pipeline.search.builder import StudentBuilder
from pipeline.search.candidates import Candidate
from pipeline.search.scorers import Scorer
from pipeline.search.space import Proposal, Space
from pipeline.training.distillation_set import DistillationSet
from pipeline.training.distiller import Distiller

REDUCTION = 3
"""Of the students at a rung one in so many goes on, for so many times as long (Jamieson 2016)."""
RUNGS = 2
WORST = 1e6
"""Score of a student whose pictures are not finite."""
RATE, BATCH = 2e-3, 128
PICTURE_RATE, PICTURE_AVERAGE = 3e-3, 0.999
PICTURE_BATCH, PIXELS_AT_ONCE, FEWEST_AT_ONCE = 32, 2**17, 8


@dataclass(frozen=True, kw_only=True)
class SearchContext:
    """What all trials share."""

    builder: StudentBuilder
    space: Space
    budget: Budget
    distillation_set: DistillationSet
    scorer: Scorer
    steps_of: Callable[[FileCost], int]
    """Updates of a student of that cost which reaches the last rung."""
    seed: int


def open_study(path_or_url: Path | str, seed: int) -> optuna.Study:
    """The study in a file (a journal that several processes may share) or at a database's URL.

    Raises PocketganError where it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        name = str(path_or_url)
        storage = RDBStorage(name) if "://" in name else JournalStorage(JournalFileBackend(name))
        return optuna.create_study(
            study_name="students",
            storage=storage,
            sampler=_sampler(seed),
            pruner=optuna.pruners.SuccessiveHalvingPruner(1, REDUCTION, 0),
            load_if_exists=True,
        )
    except Exception as error:  # a database's driver raises what it likes
        raise PocketganError(
            f"the study at {path_or_url} cannot be opened: {' '.join(str(error).split())[:200]}",
            "Give a file's path, or a database's URL such as sqlite:///study.db.",
        ) from error


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=6)


_WHOLE: dict[str, Any] = {"zeros": 0.0, "share": 1.0}
STARTS: tuple[dict[str, Any], ...] = (
    {"block": "slim", "rank": 24, "taper": 1.0, "mixers": 0, "bits": 4, **_WHOLE},
    {"block": "slim", "rank": 24, "taper": 1.0, "mixers": 0, "bits": 5, **_WHOLE},
    {"block": "sub_pixel", "rank": 12, "taper": 0.8, "mixers": 1, "bits": 5, **_WHOLE},
)
"""Shapes that were good for digits and clothes alike; a search starts there."""
PICTURE_STARTS: tuple[dict[str, Any], ...] = (
    {"block": "residual", "taper": 1.0, "depth": 5, "bits": 8, **_WHOLE},
    {"block": "residual", "taper": 1.0, "depth": 7, "bits": 6, **_WHOLE},
    {"block": "unet", "taper": 0.5, "depth": 3, "bits": 6, **_WHOLE},
    {"block": "unet_half", "taper": 0.5, "depth": 4, "bits": 6, **_WHOLE},
    {"block": "unet_half_separable", "taper": 0.8, "depth": 5, "bits": 6, **_WHOLE},
    {"block": "residual_half", "taper": 1.0, "depth": 5, "bits": 6, **_WHOLE},
)
"""The same for students that read pictures."""
DESCENT = (1.0, 0.4, 0.2, 0.1, 0.06, 0.04)
"""Shares of the budget with which it starts where the smallest file is wanted that will do."""


def enqueue_starts(study: optuna.Study, space: Space) -> None:
    """Let a new study start with those of the STARTS that this space has."""
    if study.trials:
        return
    shapes = STARTS if space.latent else PICTURE_STARTS
    starts = [start for start in shapes if start["block"] in space.blocks]
    if space.smallest_wanted and starts:
        finest = max(starts, key=lambda start: int(start["bits"]))
        starts = [finest | {"share": share} for share in DESCENT]
    for start in starts:
        nearest = min(space.bits, key=lambda bits: abs(bits - start["bits"]))
        fitting = {"bits": nearest}
        if "rank" in start:
            fitting["rank"] = min(start["rank"], space.most_rank)
        study.enqueue_trial(start | fitting, skip_if_exists=True)


def requeue_interrupted(study: optuna.Study) -> None:
    """Try again what a killed process was trying. Only where no other works in this study."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(trial.number, state=TrialState.FAIL)
        study.enqueue_trial(trial.params)


def finished_trials(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Those that count: trained to a rung, or refused as too large."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def search(
    study: optuna.Study, context: SearchContext, trials: int, on_trial: Callable[[int, str], None]
) -> list[Candidate]:
    """Try students until the study holds ``trials`` that are finished; gives all that were trained.

    ``on_trial`` is called with the number of finished trials and a description of the next student.
    Raises PocketganError where no student fits the budget.
    """
    enqueue_starts(study, context.space)
    while (done := len(finished_trials(study))) < trials:
        _try_one(study, context, context.space.draw, partial(on_trial, done))
    if not candidates_of(study):  # chance drew none that fits
        smallest, budget = context.space.smallest(context.budget), context.budget
        if budget.share(smallest.cost) > 1:
            limit = budget.tightest(smallest.cost).description
            raise PocketganError(
                f"no student fits: the smallest needs more than {limit}.", "Give a larger budget."
            )
        _try_one(study, context, lambda *_: smallest, partial(on_trial, done))
    return candidates_of(study)


def _try_one(
    study: optuna.Study,
    context: SearchContext,
    propose: Callable[[optuna.Trial, Budget], Proposal],
    on_proposal: Callable[[str], None],
) -> None:
    """Ask the study for a trial, run it, and tell what came out."""
    trial = study.ask()
    # A process that goes on with a study must not draw again what the first one drew.
    failed = len(study.get_trials(deepcopy=False, states=(TrialState.FAIL,)))
    study.sampler = _sampler(context.seed + trial.number - failed)
    try:
        value = _run_trial(trial, context, propose, on_proposal)
    except optuna.TrialPruned:
        study.tell(trial, state=TrialState.PRUNED)
    except BaseException as error:
        study.tell(trial, state=TrialState.FAIL)
        if isinstance(error, KeyboardInterrupt):
            study.enqueue_trial(trial.params)
        raise
    else:
        study.tell(trial, value)


def _run_trial(
    trial: optuna.Trial,
    context: SearchContext,
    propose: Callable[[optuna.Trial, Budget], Proposal],
    on_proposal: Callable[[str], None],
) -> float:
    """The score of one student, trained to the last rung or to that where it is pruned."""
    try:
        proposal = propose(trial, context.budget)
    except PocketganError as error:  # it does not fit
        raise optuna.TrialPruned from error
    attribute = {
        "student": asdict(proposal.student),
        "bits": proposal.spec.bits,
        "zeros": proposal.spec.sparsity,
        "cost": asdict(proposal.cost),
    }
    trial.set_user_attr("proposal", attribute)
    on_proposal(describe_proposal(proposal))
    steps = context.steps_of(proposal.cost)
    distiller, current_score = start_distillation(
        context, proposal.student, proposal.spec, steps=steps
    )
    score = WORST
    for rung, until in enumerate(rungs(steps)):
        distiller.train(until)
        value = current_score()
        score = value if value < WORST else WORST  # NaN is not below it
        trial.set_user_attr("steps", distiller.step)
        trial.report(score, rung + 1)
        # Where the smallest is wanted, small ones are not pruned because large ones are better.
        if rung + 1 < RUNGS and not context.space.smallest_wanted and trial.should_prune():
            raise optuna.TrialPruned
    return score


def rungs(steps: int) -> list[int]:
    """After how many updates a student is scored: the last time after ``steps``."""
    return [math.ceil(steps / REDUCTION ** (RUNGS - 1 - rung)) for rung in range(RUNGS)]


def start_distillation(
    context: SearchContext, settings: StudentSettings, spec: CompressionSpec, *, steps: int
) -> tuple[Distiller, Callable[[], float]]:
    """The short training of a trial, not begun yet, and a function that scores its student."""
    student, pixels = context.builder.build(settings), context.builder.pixels(settings)
    distiller = Distiller(
        student,
        context.distillation_set,
        pixels=pixels,
        steps=steps,
        rate=RATE if context.space.latent else PICTURE_RATE,
        batch=distillation_batch(context.distillation_set),
        average=distillation_average(student, context.distillation_set),
        seed=context.seed,
        spec=spec,
    )

    def current_score() -> float:
        distiller.settle()
        with distiller.compressed():
            return context.scorer(student, pixels)

    return distiller, current_score


def distillation_batch(pairs: DistillationSet) -> int:
    """Pairs an update: of pictures fewer, the larger they are."""
    if pairs.input_pixels is None:
        return BATCH
    return picture_batch(math.prod(pairs.inputs.shape[1:3]))


def distillation_average(student: tf_keras.Model, pairs: DistillationSet) -> float:
    """Decay of the moving average by which a student is judged; 0 for none.

    Students for pictures gain by it where they have batch norm, and by it alone (decisions.md).
    """
    normalized = any(
        isinstance(layer, tf_keras.layers.BatchNormalization) for layer in student.layers
    )
    return PICTURE_AVERAGE if normalized and pairs.input_pixels is not None else 0.0


def picture_batch(pixels: int) -> int:
    """Pictures of so many pixels an update: the fewer, the larger they are."""
    return max(FEWEST_AT_ONCE, min(PICTURE_BATCH, PIXELS_AT_ONCE // pixels))


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """Every trained trial, in the order of their numbers."""
    return [
        Candidate(
            number=trial.number,
            **trial.user_attrs["proposal"],
            steps=trial.user_attrs["steps"],
            score=trial.intermediate_values[max(trial.intermediate_values)],
            finished=trial.state is TrialState.COMPLETE,
        )
        for trial in finished_trials(study)
        if trial.intermediate_values
    ]


def describe_proposal(proposal: Proposal) -> str:
    """A student in few words, for the progress display."""
    student = proposal.student
    widths = "→".join(map(str, student.channels))
    rank = f" rank {student.rank}" if student.rank else ""
    return f"{student.block} {widths}{rank}, {proposal.spec.bits} bits"
