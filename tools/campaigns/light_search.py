"""A search without TensorFlow: all but the trials is real, so that a kill costs little."""

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.atomic import write_text
from pipeline.compression.spec import CompressionSpec
from pipeline.networks.settings import StudentSettings
from pipeline.search import distributed
from pipeline.search.budget import FileCost
from pipeline.search.space import Proposal
from pipeline.search.storage import open_storage, require_storage
from pipeline.search.trials import SearchContext, TrialScore, TrialWork
from pipeline.search.work_study import FilesPlace, StudyFacts, WorkStudy

STUDENTS, BATCH, ON = 40, 8, 2
"""All, those of a batch, and those of a batch that go on to the second rung."""
SECONDS = 0.3
"""Of a trial up to the first rung; from there to the second it is twice as long."""
RESULT = "scores.json"
NAME = "light"
PROPOSAL = Proposal(StudentSettings(), CompressionSpec(4), FileCost(bytes=9, bytes_gzip=9, macs=9))
FACTS = StudyFacts(versions={}, files=FilesPlace(url="nowhere", sha256="0" * 64))


def prepare(folder: Path) -> None:
    """Forget what was found."""
    (folder / RESULT).unlink(missing_ok=True)


def lead(folder: Path, address: str) -> int:
    """As the stage search leads: batches, of which the best go on to the second rung."""
    _hurry()
    study = WorkStudy.begin(open_storage(address), NAME, address=address, facts=FACTS)
    scores = dict[str, float]()
    for first in range(0, STUDENTS, BATCH):
        due = [_work(number, rung=1) for number in range(first, first + BATCH)]
        for rung in (1, 2):
            by_number = {
                work.number: score.score for work, score in distributed.results(study, due) if score
            }
            scores |= {f"{number} {rung}": score for number, score in by_number.items()}
            best = sorted(by_number, key=lambda number: by_number[number])[:ON]
            due = [_work(number, rung=2) for number in best]
    study.end()
    write_text(folder / RESULT, json.dumps(scores))
    return 0


def work(folder: Path, address: str) -> int:
    """As a worker process of `pocketgan worker`."""
    _hurry()
    setattr(distributed, "reach_rung", _reach_rung)  # noqa: B010  mypy: it is imported there
    folder.joinpath("checkpoints").mkdir(exist_ok=True)
    shared: Mapping[str, Any] = dict.fromkeys(SearchContext.__dataclass_fields__)
    context = SearchContext(**{**shared, "checkpoints": folder / "checkpoints"})
    WorkStudy.join(require_storage(address), address, NAME)
    distributed.serve(context, address=address, search=NAME, worker="light")
    return 0


def wait_and_work(folder: Path, address: str) -> int:
    """The same, from when the search has begun."""
    storage = open_storage(address)
    while not any(study.user_attrs for study in storage.get_all_studies()):
        time.sleep(0.1)
    return work(folder, address)


def violations(folder: Path) -> Iterator[str]:
    """What was found otherwise than where nobody is killed."""
    expected = dict[str, float]()
    for first in range(0, STUDENTS, BATCH):
        numbers = sorted(range(first, first + BATCH), key=_score)
        expected |= {f"{number} 1": _score(number) for number in numbers}
        expected |= {f"{number} 2": _score(number) / 2 for number in numbers[:ON]}
    actual = json.loads((folder / RESULT).read_bytes())
    yield from (f"{key} has another score" for key in expected if actual.get(key) != expected[key])
    yield from (f"{key} was not asked for" for key in actual.keys() - expected.keys())


def _hurry() -> None:
    """A worker counts as dead after two seconds of silence, not after a minute."""
    distributed.SECONDS_BETWEEN_BEATS = 0.2
    distributed.SECONDS_UNTIL_LOST = 2.0
    distributed.SECONDS_BETWEEN_LOOKS = 0.05


def _work(number: int, *, rung: int) -> TrialWork:
    proposal = PROPOSAL if rung == 2 else None
    return TrialWork(number=number, parameters={"number": number}, rung=rung, proposal=proposal)


def _reach_rung(context: SearchContext, work: TrialWork) -> TrialScore:
    time.sleep(SECONDS * work.rung)
    number = work.parameters["number"]
    (context.checkpoints / f"trial-{work.number}.npz").touch()
    return TrialScore(PROPOSAL, 9, _score(number) / work.rung)


def _score(number: int) -> float:
    """Another one for each student, in no order."""
    return (number * 7919 % 101) / 101
