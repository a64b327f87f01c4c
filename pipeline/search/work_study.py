"""Works of a search, as trials of an Optuna study that machines share.

A work waits, is taken (running), done (complete, or pruned where the student does not fit) or lost
(failed): that only one worker takes it is the database's promise. Who works on it counts on in an
attribute. Optuna has heartbeats of its own, but not behind its gRPC proxy, and by the clocks of
several machines; whoever waits for this count needs no clock but its own.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from grpc import RpcError
from optuna.exceptions import DuplicatedStudyError, StorageInternalError, UpdateFinishedTrialError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial
from pydantic import Field, TypeAdapter, ValidationError
from sqlalchemy.exc import SQLAlchemyError

from deploy.errors import PocketganError, guess, one_line
from deploy.jobs import FrozenModel
from pipeline.search.storage import redacted, without_secrets
from pipeline.search.trials import TrialScore, TrialWork

DONE = (TrialState.COMPLETE, TrialState.PRUNED)
SECONDS_OF_PATIENCE = 120.0
"""So long a storage may be away, while its server is started again."""
_FACTS, _OVER = "pocketgan", "over"
_WORK, _RESULT, _WORKER, _BEAT, _ERROR = "work", "result", "worker", "beat", "error"
_WORKS, _SCORES = TypeAdapter(TrialWork), TypeAdapter(TrialScore)
_AWAY = (StorageInternalError, SQLAlchemyError, RpcError)

Read = TypeVar("Read")


class FilesPlace(FrozenModel):
    """Where the file lies that all trials of a search read."""

    url: str
    """A path, or what fsspec understands."""
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class StudyFacts(FrozenModel):
    """What a worker needs to know of a search."""

    schema_version: Annotated[int, Field(alias="schema", ge=1, le=1)] = 1
    versions: dict[str, str]
    """Package → version: others would give other scores."""
    files: FilesPlace


@dataclass(frozen=True)
class SharedWork:
    """A work as the study holds it."""

    trial: FrozenTrial

    @property
    def state(self) -> TrialState:
        return self.trial.state

    @property
    def work(self) -> TrialWork:
        """PocketganError where it is none."""
        return _read(_WORKS, self.trial.user_attrs.get(_WORK), "work")

    @property
    def key(self) -> object:
        """Equal for the same work, whichever number its student has."""
        return _key(self.trial.user_attrs.get(_WORK))

    @property
    def score(self) -> TrialScore | None:
        """Of what is done; None where the student does not fit the budget."""
        if self.state is TrialState.PRUNED:
            return None
        return _read(_SCORES, self.trial.user_attrs.get(_RESULT), "result")

    @property
    def worker(self) -> str:
        """Who took it; empty where nobody has."""
        return str(self.trial.user_attrs.get(_WORKER, ""))

    @property
    def beat(self) -> object:
        """Another one as long as somebody works on it."""
        return self.trial.user_attrs.get(_BEAT)

    @property
    def error(self) -> str:
        """What the work raised; empty where it was lost in silence."""
        return str(self.trial.user_attrs.get(_ERROR, ""))


def key_of(work: TrialWork) -> object:
    """As ``SharedWork.key``."""
    return _key(_WORKS.dump_python(work, mode="json"))


def _key(values: Any) -> object:
    if not isinstance(values, Mapping):
        return None
    return json.dumps({**values, "number": 0}, sort_keys=True)


def _read(adapter: TypeAdapter[Read], value: object, name: str) -> Read:
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        raise PocketganError(
            f"the storage holds a {name} that cannot be read: {error.errors()[0]['msg']}.",
            "Was it written by another version? Give the search another storage.",
        ) from error


class WorkStudy:
    """The works of one search in a storage, which may be away for a while.

    Every method raises PocketganError where it stays away, or the search is removed from it.
    """

    def __init__(self, storage: BaseStorage, name: str, address: str) -> None:
        self.name = name
        self._storage, self._address = storage, address
        self._id = self._steadily(lambda: storage.get_study_id_from_name(name))

    @classmethod
    def begin(
        cls, storage: BaseStorage, name: str, *, address: str, facts: StudyFacts
    ) -> "WorkStudy":
        """The search's own, made or gone on with."""
        with suppress(DuplicatedStudyError):
            _steadily(lambda: storage.create_new_study([StudyDirection.MINIMIZE], name), address)
        study = cls(storage, name, address)
        study._set(_FACTS, value=facts.model_dump(by_alias=True))
        study._set(_OVER, value=False)
        return study

    @classmethod
    def join(cls, storage: BaseStorage, address: str, name: str | None) -> "WorkStudy":
        """The one search at an address that is not over, or that of a name.

        Raises PocketganError where there is none, or several and no name.
        """
        studies = {
            study.study_name: study.user_attrs
            for study in _steadily(storage.get_all_studies, address)
            if _FACTS in study.user_attrs
        }
        due = [one for one, attributes in studies.items() if not attributes.get(_OVER)]
        where = redacted(address)
        if name is not None and name not in studies:
            raise PocketganError(
                f"there is no search '{name}' at {where}.",
                f"{guess(name, studies)} Due there: {', '.join(due) or 'none'}.".strip(),
            )
        if name is None and len(due) != 1:
            raise PocketganError(
                f"at {where} {len(due) or 'no'} searches wait for workers"
                + (f": {', '.join(due)}." if due else "."),
                "Say which one: --search NAME."
                if due
                else f"Begin one first: pocketgan compress … --storage {where}\n"
                "  One that runs is there once its teacher is ready: give the same command then.",
            )
        return cls(storage, name or due[0], address)

    @property
    def facts(self) -> StudyFacts:
        """PocketganError where another version wrote them."""
        try:
            return StudyFacts.model_validate(self._attributes().get(_FACTS))
        except ValidationError as error:
            raise PocketganError(
                f"the search '{self.name}' at {redacted(self._address)} is of another version of "
                "pocketgan.",
                "Install the same version here as there.",
            ) from error

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return bool(self._attributes().get(_OVER))

    def _attributes(self) -> dict[str, Any]:
        return self._steadily(lambda: self._storage.get_study_user_attrs(self._id))

    def end(self) -> None:
        """Let the workers go."""
        self._set(_OVER, value=True)

    def _set(self, name: str, *, value: Any) -> None:
        self._steadily(lambda: self._storage.set_study_user_attr(self._id, name, value))

    def works(self, states: Sequence[TrialState] | None = None) -> list[SharedWork]:
        """All that were ever put here, in their order."""
        trials = self._steadily(
            lambda: self._storage.get_all_trials(
                self._id, deepcopy=False, states=None if states is None else tuple(states)
            )
        )
        return [SharedWork(trial) for trial in trials]

    def put(self, work: TrialWork) -> None:
        """Let a work wait for whoever takes it."""
        waiting = create_trial(
            state=TrialState.WAITING, user_attrs={_WORK: _WORKS.dump_python(work, mode="json")}
        )
        self._steadily(lambda: self._storage.create_new_trial(self._id, waiting))

    def take(self, worker: str) -> SharedWork | None:
        """A work that nobody else has; None where none waits."""
        for one in self.works([TrialState.WAITING]):
            if self._change(one, TrialState.RUNNING):
                self._note(one, _WORKER, worker)
                return one
        return None

    def beat(self, one: SharedWork, count: int) -> None:
        """Somebody works on it still."""
        self._note(one, _BEAT, count)

    def finish(self, one: SharedWork, score: TrialScore | None) -> None:
        """It is done, unless somebody else has done it meanwhile."""
        if score is None:
            self._change(one, TrialState.PRUNED)
            return
        self._note(one, _RESULT, _SCORES.dump_python(score, mode="json"))
        self._change(one, TrialState.COMPLETE, [score.score])

    def lose(self, one: SharedWork, error: BaseException | None = None) -> None:
        """Nobody works on it any more; ``error`` where it raised one."""
        if error is not None:
            self._note(one, _ERROR, one_line(error, 300))
        self._change(one, TrialState.FAIL)

    def give_back(self, worker: str) -> None:
        """Lose whatever a worker that ends has begun."""
        for one in self.works([TrialState.RUNNING]):
            if one.worker == worker:
                self.lose(one)

    def _note(self, one: SharedWork, name: str, value: Any) -> None:
        with suppress(UpdateFinishedTrialError):  # it was thought lost, and somebody else did it
            self._steadily(
                lambda: self._storage.set_trial_user_attr(one.trial._trial_id, name, value)
            )

    def _change(
        self, one: SharedWork, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Whether it was this call that changed the state."""
        try:
            return self._steadily(
                lambda: self._storage.set_trial_state_values(one.trial._trial_id, state, values)
            )
        except UpdateFinishedTrialError:
            return False

    def _steadily(self, ask: Callable[[], Read]) -> Read:
        return _steadily(ask, self._address)


def _steadily(ask: Callable[[], Read], address: str) -> Read:
    """What the storage answers, asked again while it is away.

    Raises PocketganError where it stays away, or what it is asked for is removed.
    """
    limit, pause = time.monotonic() + SECONDS_OF_PATIENCE, 0.1
    while True:
        try:
            return ask()
        except KeyError:  # Optuna's, of what there is not
            raise PocketganError(
                f"the search is gone from {redacted(address)}: somebody removed it there.",
                "Give the command that leads it again: it goes on with the scores that it has.",
            ) from None
        except _AWAY as error:
            if time.monotonic() + pause > limit:
                raise PocketganError(
                    f"the storage {redacted(address)} does not answer any more: "
                    f"{without_secrets(error, address)}",
                    "Start it again; the same command goes on from there.",
                ) from None
        time.sleep(pause)
        pause = min(2 * pause, 5.0)
