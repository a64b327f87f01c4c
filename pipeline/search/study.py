"""The study: Optuna proposes students, their trials are run, and bad ones end early.

Students are proposed in batches, each from what all earlier ones gave. So the choice depends
neither on how many of a batch are tried at the same time nor on which of them ends first.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, Trial, TrialState

from deploy.errors import PocketganError
from pipeline.search.budget import Budget
from pipeline.search.candidates import Candidate
from pipeline.search.journal import JournalLock
from pipeline.search.space import Proposal, Space
from pipeline.search.trials import REDUCTION, RUNGS, TrialScore, TrialWork

BATCH = 8
"""Students that are proposed at once: the more, the more workers have something to do."""
BEFORE_LEARNING = 6
"""Finished students before proposals are no longer drawn at random."""
FIRST, LAST = 1, RUNGS
SHARE_OF_WORK = {FIRST: 1 / REDUCTION, LAST: 1 - 1 / REDUCTION}
"""Rung → share of a trial's work that leads to it from the one before."""
_SMALLEST = "smallest"

RunTrials = Callable[[Sequence[TrialWork]], Iterator[tuple[TrialWork, TrialScore | None]]]
"""Runs trials, in any order and side by side; gives each with its score as it ends."""


def open_study(path: Path | str, seed: int) -> optuna.Study:
    """The study in a file, a journal that several processes may share.

    Raises PocketganError where it cannot be opened.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        return optuna.create_study(
            study_name="students",
            storage=_journal(path),
            sampler=_sampler(seed),
            load_if_exists=True,
        )
    except Exception as error:  # a damaged journal makes its reader raise anything
        raise PocketganError(
            f"the study at {path} cannot be opened: {' '.join(str(error).split())[:200]}",
            "Give the path of a file that can be written.",
        ) from error


def _journal(path: Path | str) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(path), JournalLock(Path(path))))


def _sampler(seed: int) -> optuna.samplers.BaseSampler:
    return optuna.samplers.TPESampler(seed=seed, n_startup_trials=BEFORE_LEARNING)


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
    if any(trial.state is not TrialState.WAITING for trial in study.trials):
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


def finished_trials(study: optuna.Study) -> list[FrozenTrial]:
    """Those that count: trained to a rung, or refused as too large."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


@dataclass(frozen=True, kw_only=True)
class Search:
    """Trials of a study until it holds as many finished ones as wanted."""

    study: optuna.Study
    space: Space
    budget: Budget
    seed: int
    trials: int
    run: RunTrials
    alone: bool
    """No other process works in the study: what is running there was left by a killed one."""
    on_progress: Callable[[float, str], None] = lambda done, words: None
    """Called with the number of finished trials, and what is being tried."""

    def candidates(self) -> list[Candidate]:
        """Try students until there are enough; gives all that were trained.

        Raises PocketganError where no student fits the budget.
        """
        enqueue_starts(self.study, self.space)
        while len(finished_trials(self.study)) < self.trials:
            self._try(self._next_batch())
        if not candidates_of(self.study):  # chance drew none that fits
            self._refuse_smallest()
            self._try(self._left_running() or [self._smallest()])
        return candidates_of(self.study)

    def _next_batch(self) -> list[Trial]:
        """The students that are due, those first that a killed process had begun."""
        finished, batch = len(finished_trials(self.study)), self._left_running()
        begun = finished + len(batch)
        first = (begun - 1 if batch else begun) // BATCH * BATCH
        wanted = min(first + BATCH if self.alone else begun + BATCH, self.trials) - begun
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        for _ in range(wanted - len(waiting)):
            # At once, so that whoever is killed here goes on with the same proposal.
            self.study.enqueue_trial(self._proposed())
        batch += [self.study.ask() for _ in range(wanted)]
        for trial in batch:
            self.space.suggest(trial)
        return batch

    def _left_running(self) -> list[Trial]:
        if not self.alone:
            return []
        left = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [Trial(self.study, trial._trial_id) for trial in left]

    def _proposed(self) -> dict[str, Any]:
        """The parameters of the next student, as they follow from the finished trials alone."""
        earlier = optuna.create_study(sampler=_sampler(self.seed + len(self.study.trials)))
        earlier.add_trials(finished_trials(self.study))
        trial = earlier.ask()
        self.space.suggest(trial)
        return trial.params

    def _smallest(self) -> Trial:
        trial = self.study.ask()
        trial.set_user_attr(_SMALLEST, value=True)
        return trial

    def _refuse_smallest(self) -> None:
        smallest = self.space.smallest(self.budget)
        if self.budget.share(smallest.cost) > 1:
            limit = self.budget.tightest(smallest.cost).description
            raise PocketganError(
                f"no student fits: the smallest needs more than {limit}.", "Give a larger budget."
            )

    def _try(self, batch: Sequence[Trial]) -> None:
        """Run the trials of a batch to the first rung, and the best of them to the last."""
        # Where the smallest is wanted, small ones do not end early because large ones are better.
        proposals: dict[int, Proposal] = {}
        for rung in (LAST,) if self.space.smallest_wanted else (FIRST, LAST):
            due = {trial.number: trial for trial in batch if rung == FIRST or self._goes_on(trial)}
            self._tell_progress(due)
            work = [_work(one, rung, proposals.get(one.number)) for one in due.values()]
            for done, score in self.run(work):
                if score is not None:
                    proposals[done.number] = score.proposal
                    self._report(due[done.number], rung, score)
                self._tell_progress(due)
        for trial in batch:
            values = self._stored(trial).intermediate_values
            if LAST in values:
                self.study.tell(trial, values[LAST])
            else:
                self.study.tell(trial, state=TrialState.PRUNED)

    def _goes_on(self, trial: Trial) -> bool:
        """Whether a student is one of the best at the first rung, of all that were there."""
        if self.space.smallest_wanted:
            return True
        there = [
            (other.intermediate_values[FIRST], other.number)
            for other in self.study.get_trials(deepcopy=False)
            if FIRST in other.intermediate_values
        ]
        best = sorted(there)[: max(1, len(there) // REDUCTION)]
        return trial.number in {number for _, number in best}

    def _report(self, trial: Trial, rung: int, score: TrialScore) -> None:
        """Let the study know what came of a trial at a rung, unless it does."""
        if rung in self._stored(trial).intermediate_values:
            return
        proposal = {
            "student": asdict(score.proposal.student),
            "bits": score.proposal.spec.bits,
            "zeros": score.proposal.spec.sparsity,
            "cost": asdict(score.proposal.cost),
        }
        trial.set_user_attr("proposal", proposal)
        trial.set_user_attr("steps", score.steps)
        trial.report(score.score, rung)

    def _stored(self, trial: Trial) -> FrozenTrial:
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _tell_progress(self, due: Mapping[int, Trial]) -> None:
        """A trial at the first rung has done a part of its work; one that ended there, all."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        at_rung = [max(trial.intermediate_values, default=0) for trial in running]
        parts = [sum(SHARE_OF_WORK[rung] for rung in SHARE_OF_WORK if rung <= at) for at in at_rung]
        done = len(finished_trials(self.study)) + sum(parts)
        blocks = dict.fromkeys(trial.params.get("block", _SMALLEST) for trial in due.values())
        self.on_progress(done, ", ".join(blocks))


def _work(trial: Trial, rung: int, proposal: Proposal | None) -> TrialWork:
    parameters = {} if trial.user_attrs.get(_SMALLEST) else trial.params
    return TrialWork(number=trial.number, parameters=parameters, rung=rung, proposal=proposal)


def candidates_of(study: optuna.Study) -> list[Candidate]:
    """Every trial that was trained, in the order of their numbers."""
    return [
        Candidate(
            number=trial.number,
            **trial.user_attrs["proposal"],
            steps=trial.user_attrs["steps"],
            score=trial.intermediate_values[max(trial.intermediate_values)],
            finished=LAST in trial.intermediate_values,
        )
        for trial in study.get_trials(deepcopy=False)
        if trial.intermediate_values
    ]
