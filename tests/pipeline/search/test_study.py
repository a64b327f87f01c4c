"""Which students a study proposes, and that its choice depends on nothing but their scores."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from optuna.trial import TrialState

from deploy.errors import PocketganError
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.recipe.sections import BudgetSettings, SearchSettings
from pipeline.search import study
from pipeline.search.budget import FileCost, budget_of
from pipeline.search.builder import StudentBuilder
from pipeline.search.candidates import Candidate
from pipeline.search.space import LEAST_RANK, WIDE_BUDGET_SHARES, Proposal, Space, space_of
from pipeline.search.study import BATCH, DESCENT, FIRST, LAST, Search, open_study
from pipeline.search.trials import TrialScore, TrialWork

BUDGET = budget_of(BudgetSettings(max_gzip_kb=6))
TRIALS = BATCH + 4
Runs = Iterator[tuple[TrialWork, TrialScore | None]]


@pytest.fixture(scope="module")
def space(builder: StudentBuilder) -> Space:
    settings = SearchSettings(blocks=["sub_pixel", "depthwise"])
    return space_of(settings, BudgetSettings(max_gzip_kb=6), builder)


def score_of(work: TrialWork) -> TrialScore:
    """No training: a student is as good as its parameters say, and better the longer it learns."""
    rank, share = (float(work.parameters.get(name, 1)) for name in ("rank", "share"))
    student = StudentSettings(work.parameters.get("block", "sub_pixel"), int(rank), (4, 2), 0)
    cost = FileCost(bytes=2000, bytes_gzip=round(1000 * share), macs=100)
    proposal = Proposal(student, CompressionSpec(8), cost)
    return TrialScore(proposal, 3**work.rung, abs(rank - 5) + share / work.rung)


def in_turn(due: Sequence[TrialWork]) -> Runs:
    for work in due:
        yield work, score_of(work)


def backwards(due: Sequence[TrialWork]) -> Runs:
    """As where the last to begin are the first to end."""
    yield from reversed([*in_turn(due)])


class KilledError(Exception):
    pass


class KilledAt:
    """Ends with the process at a result; those before it are there, and lost where it says so."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, due: Sequence[TrialWork]) -> Runs:
        for work in due:
            if not self._left:
                raise KilledError
            self._left -= 1
            yield work, score_of(work)


@pytest.fixture
def search(space: Space, tmp_path: Path) -> Search:
    return search_in(tmp_path / "study", space)


def search_in(journal: Path, space: Space) -> Search:
    return Search(
        study=open_study(journal, 1),
        space=space,
        budget=BUDGET,
        seed=1,
        trials=TRIALS,
        run=in_turn,
        alone=True,
    )


def test_candidates_do_not_depend_on_which_trial_ends_first(space: Space, tmp_path: Path) -> None:
    candidates = [
        replace(search_in(tmp_path / run.__name__, space), run=run).candidates()
        for run in (in_turn, backwards)
    ]
    assert candidates[0] == candidates[1]
    assert [one.number for one in candidates[0]] == [*range(TRIALS)]


@pytest.mark.parametrize("results", [0, 1, BATCH - 1, BATCH, BATCH + 1, BATCH + 2, BATCH + 5])
def test_killed_search_goes_on_and_ends_with_the_same_candidates(
    results: int, space: Space, tmp_path: Path
) -> None:
    whole = search_in(tmp_path / "whole", space).candidates()
    with pytest.raises(KilledError):
        replace(search_in(tmp_path / "study", space), run=KilledAt(results)).candidates()
    assert search_in(tmp_path / "study", space).candidates() == whole


@pytest.mark.parametrize("call", range(1, 2 * BATCH, 3))
def test_search_killed_while_it_proposes_goes_on_with_the_same_proposals(
    call: int, space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search_in(tmp_path / "whole", space).candidates()
    calls, suggest = [0], Space.suggest

    def dying(*arguments: object) -> object:
        calls[0] += 1
        if calls[0] == call:
            raise KilledError
        return suggest(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Space, "suggest", dying)
    with pytest.raises(KilledError):
        search_in(tmp_path / "study", space).candidates()
    assert search_in(tmp_path / "study", space).candidates() == whole


def test_best_third_of_all_at_the_first_rung_goes_on(search: Search) -> None:
    candidates = search.candidates()
    first = candidates[:BATCH]
    early = sorted(first, key=lambda one: score_at_first_rung(search, one))
    assert {one.number for one in first if one.finished} == {one.number for one in early[:2]}
    assert {one.steps for one in candidates if one.finished} == {3**LAST}
    assert {one.steps for one in candidates if not one.finished} == {3**FIRST}


def score_at_first_rung(search: Search, candidate: Candidate) -> float:
    return search.study.trials[candidate.number].intermediate_values[FIRST]


def test_all_of_a_batch_are_proposed_from_what_was_there_before_it(search: Search) -> None:
    states = list[set[TrialState]]()

    def watching(due: Sequence[TrialWork]) -> Runs:
        states.append({trial.state for trial in search.study.trials})
        yield from in_turn(due)

    replace(search, run=watching).candidates()
    assert states[0] == states[1] == {TrialState.RUNNING}
    assert TrialState.RUNNING not in {trial.state for trial in search.study.trials}


def test_seeds_propose_other_students(space: Space, tmp_path: Path) -> None:
    one, other = (
        replace(search_in(tmp_path / str(seed), space), seed=seed).candidates() for seed in (1, 2)
    )
    assert one[:1] == other[:1]  # a start
    assert one != other


def test_trial_of_another_process_neither_counts_nor_is_taken_up(
    space: Space, tmp_path: Path
) -> None:
    shared = replace(search_in(tmp_path / "study", space), alone=False, trials=1)
    theirs = shared.study.ask()
    (one,) = shared.candidates()
    assert one.number != theirs.number
    assert shared.study.trials[theirs.number].state is TrialState.RUNNING


def test_study_that_is_gone_on_with_has_other_students(space: Space, tmp_path: Path) -> None:
    for trials in (2, 7, 9):
        candidates = replace(
            search_in(tmp_path / "study", space), alone=False, trials=trials
        ).candidates()
    assert len(candidates) == 9
    opened = open_study(tmp_path / "study", 1)
    assert len({str(trial.params) for trial in opened.trials}) == 9


def test_search_in_which_nothing_fits_says_so(search: Search) -> None:
    tight = replace(search, budget=budget_of(BudgetSettings(max_macs=10)), run=refusing)
    with pytest.raises(PocketganError, match="no student fits: the smallest"):
        tight.candidates()


def refusing(due: Sequence[TrialWork]) -> Runs:
    """Nothing fits but the smallest, which has no parameters."""
    for work in due:
        yield work, None if work.parameters else score_of(work)


def test_smallest_student_is_tried_where_chance_drew_none_that_fits(search: Search) -> None:
    (one,) = replace(search, run=refusing).candidates()
    assert one.number == TRIALS
    assert one.finished


def test_starts_are_only_those_of_the_space(search: Search) -> None:
    space = replace(search.space, bits=(8,), zeros=(0.0,), latent=2)
    study.enqueue_starts(search.study, space)
    study.enqueue_starts(search.study, space)
    (start,) = (trial.system_attrs["fixed_params"] for trial in search.study.trials)
    assert (start["block"], start["bits"], start["rank"]) == ("sub_pixel", 8, LEAST_RANK)


def test_search_for_the_smallest_starts_with_one_shape_at_ever_smaller_shares_and_ends_none_early(
    search: Search,
) -> None:
    wide = replace(search.space, shares=WIDE_BUDGET_SHARES)
    candidates = replace(search, space=wide, trials=len(DESCENT)).candidates()
    assert [one.cost.bytes_gzip for one in candidates] == [round(1000 * share) for share in DESCENT]
    assert {one.student.block for one in candidates} == {"sub_pixel"}
    assert all(one.finished for one in candidates)


def test_progress_counts_a_student_at_the_first_rung_in_part(search: Search) -> None:
    lines = list[tuple[float, str]]()
    replace(search, trials=3, on_progress=lambda *line: lines.append(line)).candidates()
    counts = [done for done, _ in lines]
    assert counts == pytest.approx([0, 1 / 3, 2 / 3, 1, 1, 5 / 3])
    assert lines[0][1] == "sub_pixel, depthwise"


def test_study_that_cannot_be_opened_is_named() -> None:
    with pytest.raises(PocketganError, match="the study at nowhere/study cannot be opened"):
        open_study("nowhere/study", 1)


def test_half_a_line_that_a_kill_or_a_full_disk_left_does_not_end_a_study(
    space: Space, tmp_path: Path
) -> None:
    whole = search_in(tmp_path / "whole", space).candidates()
    with pytest.raises(KilledError):
        replace(search_in(tmp_path / "study", space), run=KilledAt(BATCH + 1)).candidates()
    with (tmp_path / "study").open("ab") as journal:
        journal.write(b'{"op_code":8,"work')
    assert search_in(tmp_path / "study", space).candidates() == whole


def test_lock_that_a_killed_process_left_does_not_hold_up_a_study(
    space: Space, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "study.lock").symlink_to("runs/study")
    assert search_in("runs/study", space).candidates()


def test_journal_that_another_process_writes_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "study"
    opened = open_study(path, 1)
    other = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    with other:
        assert other.stdout is not None
        other.stdout.readline()
        opened.enqueue_trial({"rank": 1})
    assert len(open_study(path, 1).trials) == 1
    assert (tmp_path / "released").exists()


HOLDER = """
import fcntl, sys, time
from pathlib import Path
path = Path(sys.argv[1])
with path.open("ab") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(0.3)
    (path.parent / "released").touch()
"""
