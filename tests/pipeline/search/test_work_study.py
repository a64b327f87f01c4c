"""Works in a storage: who takes one, what it gave, and what becomes of it where nobody ends it."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, GrpcStorageProxy
from optuna.trial import TrialState

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.search import work_study
from pipeline.search.budget import FileCost
from pipeline.search.space import Proposal
from pipeline.search.storage import open_storage
from pipeline.search.trials import TrialScore, TrialWork
from pipeline.search.work_study import FilesPlace, StudyFacts, WorkStudy, key_of

PARAMETERS = {"block": "slim", "rank": 24, "taper": 0.1 + 0.2, "bits": 4}
WORK = TrialWork(number=3, parameters=PARAMETERS, rung=1)
COST = FileCost(bytes=2000, bytes_gzip=1000, macs=100, p50_ms=0.1)
PROPOSAL = Proposal(StudentSettings("slim", 3, (4, 2), 0), CompressionSpec(4, 0.5), COST)
SCORE = TrialScore(PROPOSAL, 9, 0.1 + 0.7)
FACTS = StudyFacts(
    versions={"pocketgan": "1"}, files=FilesPlace(url="s3://bucket/file", sha256="0" * 64)
)

Proxy = Callable[[str], AbstractContextManager[str]]


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'storage.db'}"


@pytest.fixture
def storage(address: str) -> BaseStorage:
    return open_storage(address)


@pytest.fixture
def begin(storage: BaseStorage, address: str) -> Callable[..., WorkStudy]:
    return lambda name="one": WorkStudy.begin(storage, name, address=address, facts=FACTS)


def test_work_and_score_come_back_as_they_went(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    second = TrialWork(number=3, parameters=PARAMETERS, rung=2, proposal=PROPOSAL)
    for work in (WORK, second):
        study.put(work)
    for work, score in ((WORK, SCORE), (second, None)):
        one = study.take("me")
        assert one is not None
        assert one.work == work
        study.finish(one, score)
    assert study.take("me") is None
    assert [one.score for one in study.works()] == [SCORE, None]
    assert [one.worker for one in study.works()] == ["me", "me"]


def test_work_is_the_same_whatever_number_its_student_has(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    study.put(WORK)
    (one,) = study.works()
    assert one.key == key_of(WORK) == key_of(TrialWork(number=8, parameters=PARAMETERS, rung=1))
    assert one.key != key_of(TrialWork(number=3, parameters=PARAMETERS, rung=2))


def test_work_is_taken_by_one_only(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    study.put(WORK)
    (waiting,) = study.works([TrialState.WAITING])
    assert study.take("first") is not None
    assert not study._change(waiting, TrialState.RUNNING)  # as who saw it waiting, but came late


@pytest.mark.parametrize("kind", ["database", "proxy", "proxy before a database"])
def test_storages_of_other_machines_keep_the_same_promises(
    kind: str, request: pytest.FixtureRequest, proxy: Proxy, address: str
) -> None:
    place = request.getfixturevalue("database") if "database" in kind else address
    with proxy(place) if "proxy" in kind else nullcontext(place) as there:
        storage, elsewhere = open_storage(there), open_storage(there)
        study = WorkStudy.begin(storage, kind, address=there, facts=FACTS)
        joined = WorkStudy.join(elsewhere, there, kind)
        assert joined.facts == FACTS
        for _ in range(2):
            study.put(WORK)
        done, lost = joined.take("one"), study.take("other")
        assert done is not None
        assert lost is not None
        assert done.trial.number != lost.trial.number
        assert joined.take("late") is None
        joined.beat(done, 1)
        joined.finish(done, SCORE)
        study.lose(lost)
        study.finish(lost, SCORE)
        assert [one.state for one in joined.works()] == [TrialState.COMPLETE, TrialState.FAIL]
        assert [one.beat for one in study.works()] == [1, None]
        assert study.works()[0].score == SCORE
        study.end()
        assert joined.is_over
        storage.delete_study(study._id)
        with pytest.raises(PocketganError, match="the search is gone from"):
            _ = joined.is_over
        for one in (storage, elsewhere):
            _close(one)


def _close(storage: BaseStorage) -> None:
    """What is left open would be warned of in whichever test comes next."""
    if isinstance(storage, GrpcStorageProxy):
        storage.close()
    else:
        storage._backend.engine.dispose()  # type: ignore[attr-defined]


def test_what_was_lost_and_is_done_late_changes_nothing(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    study.put(WORK)
    one = study.take("slow")
    assert one is not None
    study.lose(one, ValueError("first\nline"))
    study.beat(one, 9)
    study.finish(one, SCORE)
    (lost,) = study.works()
    assert lost.state is TrialState.FAIL
    assert lost.error == "first line"
    assert lost.beat is None


def test_worker_that_ends_gives_back_its_own(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    for _ in range(2):
        study.put(WORK)
    for name in ("mine", "other"):
        assert study.take(name) is not None
    study.give_back("mine")
    assert [one.state for one in study.works()] == [TrialState.FAIL, TrialState.RUNNING]


def test_worker_joins_the_one_search_that_is_not_over(
    begin: Callable[..., WorkStudy], storage: BaseStorage, address: str
) -> None:
    begin("early").end()
    begin("due")
    joined = WorkStudy.join(storage, address, None)
    assert joined.name == "due"
    assert not joined.is_over
    assert joined.facts == FACTS
    assert WorkStudy.join(storage, address, "early").is_over
    assert not begin("early").is_over  # gone on with


def test_worker_for_whom_there_is_no_search_or_several_is_told(
    begin: Callable[..., WorkStudy], storage: BaseStorage, address: str
) -> None:
    with pytest.raises(PocketganError, match=r"no searches wait .*\n  Begin one first: pocketgan"):
        WorkStudy.join(storage, address, None)
    begin("digits")
    with pytest.raises(PocketganError, match=r"'digit' at .*\n  Did you mean 'digits'\?"):
        WorkStudy.join(storage, address, "digit")
    begin("clothes")
    with pytest.raises(PocketganError, match=r"2 searches wait for workers: digits, clothes"):
        WorkStudy.join(storage, address, None)


@pytest.mark.parametrize("values", [None, {"schema": 2}, FACTS.model_dump() | {"more": 1}])
def test_search_of_another_version_is_refused(values: Any, begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    study._set("pocketgan", value=values)
    with pytest.raises(PocketganError, match=r"'one' at .* is of another version"):
        _ = study.facts


def test_work_that_is_none_is_refused(begin: Callable[..., WorkStudy]) -> None:
    study = begin()
    study.put(WORK)
    one = study.take("me")
    assert one is not None
    study._note(one, "work", {"number": 0, "rung": "first"})
    (one,) = study.works()
    with pytest.raises(PocketganError, match="holds a work that cannot be read"):
        _ = one.work


def test_storage_that_is_away_for_a_moment_is_asked_again(
    begin: Callable[..., WorkStudy], storage: BaseStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, answer, left = begin(), storage.get_all_trials, [2]

    def away(*arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            raise StorageInternalError("the server is being started again")
        return answer(*arguments, **named)

    monkeypatch.setattr(storage, "get_all_trials", away)
    assert study.works() == []
    left[0] = 10**6
    monkeypatch.setattr(work_study, "SECONDS_OF_PATIENCE", 0.05)
    with pytest.raises(PocketganError, match="does not answer any more"):
        study.works()
