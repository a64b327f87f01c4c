"""A search whose leader and workers are killed, and that a campaign says what was lost."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

import pytest

from tools.campaigns import light_search
from tools.campaigns.crews import LEADER, WORKER, CrewMember, Kills, ScoreByWork, kill_until_done
from tools.campaigns.workers import _scores, _without_score, _works, empty_storage


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a storage for a search of one batch."""
    monkeypatch.setattr(light_search, "STUDENTS", light_search.BATCH)
    return f"sqlite:///{tmp_path / 'storage.db'}"


def kill(folder: Path, address: str, scores: Callable[[], ScoreByWork] | None = None) -> Kills:
    storage = empty_storage(address)
    kills = kill_until_done(
        CrewMember(LEADER, partial(light_search.lead, folder, address), folder / "log.txt"),
        [CrewMember(WORKER, partial(light_search.work, folder, address), folder / "log.txt")],
        random=Random(1),
        pause=0.5,
        scores=scores or partial(_scores, storage),
    )
    assert _without_score(_works(storage)) == []
    return kills


def test_search_whose_processes_are_killed_ends_as_an_undisturbed_one(
    address: str, tmp_path: Path
) -> None:
    kills = kill(tmp_path, address)
    assert kills.counts[WORKER] > 0
    assert kills.violations == []
    assert [*light_search.violations(tmp_path)] == []
    (tmp_path / light_search.RESULT).write_text('{"0 1": 7.0}')
    assert len([*light_search.violations(tmp_path)]) == light_search.BATCH + light_search.ON


def test_score_that_goes_is_a_violation(address: str, tmp_path: Path) -> None:
    left = iter([{1: 0.5}, *[{}] * 10**6])
    assert kill(tmp_path, address, lambda: next(left)).violations == ["the score of 1 is lost"]


def test_leader_that_fails_is_a_violation(tmp_path: Path) -> None:
    kills = kill_until_done(
        CrewMember(LEADER, lambda: 3, tmp_path / "log.txt"),
        [],
        random=Random(1),
        pause=1000.0,
        scores=dict,
    )
    assert kills.violations == ["the leader ended with exit code 3"]
