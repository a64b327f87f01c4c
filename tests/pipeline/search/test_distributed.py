"""A search waits for scores of workers; workers take trials, fail, fall silent, and go on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.search import distributed
from pipeline.search.budget import FileCost
from pipeline.search.distributed import results, serve
from pipeline.search.space import Proposal
from pipeline.search.storage import open_storage
from pipeline.search.study import STARTS
from pipeline.search.trials import SearchContext, TrialScore, TrialWork, reach_rung
from pipeline.search.work_study import FilesPlace, SharedWork, StudyFacts, WorkStudy

PARAMETERS = {**STARTS[-1], "rank": 8}
COST = FileCost(bytes=2000, bytes_gzip=1000, macs=100)
SCORE = TrialScore(Proposal(StudentSettings(), CompressionSpec(4), COST), 9, 0.5)
FACTS = StudyFacts(versions={}, files=FilesPlace(url="nowhere", sha256="0" * 64))
DUE = [TrialWork(number=number, parameters={"rank": number}, rung=1) for number in range(3)]
Worker = Callable[[int], None]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "SECONDS_BETWEEN_LOOKS", 0.01)


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'storage.db'}"


@pytest.fixture
def study(address: str) -> WorkStudy:
    return WorkStudy.begin(open_storage(address), "one", address=address, facts=FACTS)


@pytest.fixture
def worker(study: WorkStudy) -> Worker:
    """Does a work whenever the search looks."""

    def work(_: int) -> None:
        one = study.take("worker")
        if one is not None:
            study.finish(one, None if one.work.number == 1 else SCORE)

    return work


def test_scores_come_as_workers_finish_and_nothing_is_done_twice(
    study: WorkStudy, worker: Worker
) -> None:
    expected = [(DUE[0], SCORE), (DUE[1], None), (DUE[2], SCORE)]
    assert [*results(study, DUE, worker)] == expected
    assert [*results(study, DUE)] == expected  # by no worker
    assert len(study.works()) == 3


def test_works_that_are_the_same_are_done_once(study: WorkStudy, worker: Worker) -> None:
    same = replace(DUE[0], number=7)
    assert [*results(study, [DUE[0], same], worker)] == [(DUE[0], SCORE), (same, SCORE)]
    assert len(study.works()) == 1


def test_work_of_a_worker_that_fell_silent_waits_for_another(
    study: WorkStudy, worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "SECONDS_UNTIL_LOST", 0.05)
    looks: Iterator[Worker] = iter([lambda _: study.take("silent"), *[worker] * 10**6])  # type: ignore[list-item]
    assert [*results(study, DUE[:1], lambda count: next(looks)(count))] == [(DUE[0], SCORE)]
    assert [one.state for one in study.works()] == [TrialState.FAIL, TrialState.COMPLETE]


def test_worker_keeps_its_work_while_the_storage_is_away(
    study: WorkStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(distributed, "time", clock)
    taken = list[SharedWork]()

    def look(_: int) -> None:
        if not taken:
            clock.now = 0.0
        elif clock.now < distributed.SECONDS_UNTIL_LOST:
            clock.now = 2 * distributed.SECONDS_UNTIL_LOST  # so long the next answer takes
        else:
            study.finish(taken[-1], SCORE)
        one = study.take("worker")
        if one is not None:
            taken.append(one)

    assert [*results(study, DUE[:1], look)] == [(DUE[0], SCORE)]
    assert [one.state for one in study.works()] == [TrialState.COMPLETE]


class Clock:
    """Stands in for the module time."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_worker_that_is_heard_of_keeps_its_work(
    study: WorkStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distributed, "SECONDS_UNTIL_LOST", 0.05)

    def work(looks: Iterator[int]) -> Worker:
        taken = []

        def look(_: int) -> None:
            number = next(looks)
            if not number:
                taken.append(study.take("slow"))
            assert taken[0] is not None
            study.beat(taken[0], number)
            if number == 20:  # after four times as long
                study.finish(taken[0], SCORE)

        return look

    assert [*results(study, DUE[:1], work(iter(range(21))))] == [(DUE[0], SCORE)]
    assert [one.state for one in study.works()] == [TrialState.COMPLETE]


def test_work_at_which_workers_fail_again_and_again_ends_the_search(study: WorkStudy) -> None:
    def fail(_: int) -> None:
        one = study.take("broken")
        if one is not None:
            study.lose(one, MemoryError("of no use"))

    words = r"student 1 of the search failed 3 times, last on worker broken: .*of no use"
    for _ in range(2):  # what failed before counts no more: it may be mended
        before = len(study.works())
        with pytest.raises(PocketganError, match=words):
            [*results(study, DUE[:1], fail)]
        assert len(study.works()) == before + 3


def proposed_twice(
    context: SearchContext, folder: Path
) -> tuple[TrialWork, TrialWork, SearchContext]:
    """A student's first rung, done here; its second under another number; a worker elsewhere."""
    first = TrialWork(number=0, parameters=PARAMETERS, rung=1)
    here = reach_rung(context, first)
    assert here is not None
    folder.mkdir()
    second = replace(first, number=5, rung=2, proposal=here.proposal)
    return first, second, replace(context, checkpoints=folder)


def test_worker_that_never_had_a_student_gives_the_score_of_the_one_that_had(
    study: WorkStudy, address: str, context: SearchContext, tmp_path: Path
) -> None:
    _, second, elsewhere = proposed_twice(context, tmp_path / "elsewhere")
    study.put(second)
    study.end()
    assert serve(elsewhere, address=address, search="one", worker="elsewhere") == 1
    (one,) = study.works()
    assert one.worker == "elsewhere"
    assert one.beat is not None
    assert one.score == reach_rung(context, replace(second, number=0))


def test_worker_that_had_a_student_under_another_number_gives_the_same_score(
    study: WorkStudy, address: str, context: SearchContext, tmp_path: Path
) -> None:
    first, second, elsewhere = proposed_twice(context, tmp_path / "elsewhere")
    study.put(first)
    study.put(second)  # proposed again later, when it was good enough to go on
    study.end()
    assert serve(elsewhere, address=address, search="one", worker="elsewhere") == 2
    assert study.works()[1].score == reach_rung(context, replace(second, number=0))


def test_worker_whose_trial_raises_gives_it_back_and_ends(
    study: WorkStudy, address: str, context: SearchContext
) -> None:
    study.put(TrialWork(number=0, parameters={"block": "none such"}, rung=1))
    with pytest.raises(ValueError, match="none such"):
        serve(context, address=address, search="one", worker="me")
    (one,) = study.works()
    assert one.state is TrialState.FAIL
    assert "none such" in one.error
