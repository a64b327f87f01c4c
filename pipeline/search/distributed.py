"""The trials of a search on other machines: who waits for their scores, and who makes them."""

import hashlib
import itertools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from optuna.trial import TrialState

from deploy.errors import PocketganError
from pipeline.search.storage import require_storage
from pipeline.search.trials import SearchContext, TrialScore, TrialWork, reach_rung
from pipeline.search.work_study import DONE, SharedWork, WorkStudy, key_of

SECONDS_BETWEEN_BEATS = 5.0
SECONDS_UNTIL_LOST = 60.0
"""Without a beat a worker counts as dead, and its work waits for another one."""
SECONDS_BETWEEN_LOOKS = 0.5
MOST_ERRORS = 3
"""So many workers may fail at a work before the search gives up: it is not the worker then."""


class _Beats:
    """For how long nothing was heard of the workers, while this machine could hear them."""

    def __init__(self) -> None:
        self._silence: dict[int, tuple[object, float]] = {}
        """Number of a work → its last beat, and seconds since."""
        self._looked = time.monotonic()

    def silent(self, running: Sequence[SharedWork]) -> Iterator[SharedWork]:
        """Those that were not heard of for too long.

        While the storage was away nobody could be heard: a long time without a look is none.
        """
        now = time.monotonic()
        elapsed, self._looked = min(now - self._looked, SECONDS_BETWEEN_BEATS), now
        for one in running:
            number = one.trial.number
            beat, before = self._silence.get(number, (one.beat, -elapsed))
            silence = before + elapsed if beat == one.beat else 0.0
            self._silence[number] = one.beat, silence
            if silence > SECONDS_UNTIL_LOST:
                yield one


def results(
    study: WorkStudy,
    due: Sequence[TrialWork],
    on_look: Callable[[int], None] = lambda at_work: None,
) -> Iterator[tuple[TrialWork, TrialScore | None]]:
    """Each work with its score, as workers finish them; what was done before is not done again.

    ``on_look`` is called at each look with how many works workers are at. Raises PocketganError for
    a work at which MOST_ERRORS workers failed.
    """
    wanted = defaultdict[object, list[TrialWork]](list)
    for work in due:
        wanted[key_of(work)].append(work)
    beats, before = _Beats(), {one.trial.number for one in study.works([TrialState.FAIL])}
    while True:
        there = defaultdict[object, list[SharedWork]](list)
        for one in study.works():
            there[one.key].append(one)
        for key in list(wanted):
            done = next((one for one in there[key] if one.state in DONE), None)
            if done is not None:
                for work in wanted.pop(key):
                    yield work, done.score
            elif all(one.state is TrialState.FAIL for one in there[key]):
                _refuse_failing([one for one in there[key] if one.trial.number not in before])
                study.put(wanted[key][0])
        if not wanted:
            return
        running = [
            one for some in there.values() for one in some if one.state is TrialState.RUNNING
        ]
        for one in beats.silent(running):
            study.lose(one)
        on_look(len(running))
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _refuse_failing(lost: Sequence[SharedWork]) -> None:
    errors = [one for one in lost if one.error]
    if len(errors) >= MOST_ERRORS:
        last = errors[-1]
        raise PocketganError(
            f"{title(last.work)} failed {len(errors)} times, last on worker {last.worker}: "
            f"{last.error}",
            "Mend that there; what was done is kept, and the same command goes on.",
        )


def title(work: TrialWork) -> str:
    """As a person counts them."""
    return f"student {work.number + 1} of the search"


def serve(context: SearchContext, *, address: str, search: str, worker: str) -> int:
    """Run trials of a search until it is over; gives how many.

    A trial that raises is given back with its error, which is raised.
    """
    study, served = WorkStudy.join(require_storage(address), address, search), 0
    while True:
        one = study.take(worker)
        if one is not None:
            _do(study, one, context)
            served += 1
        elif study.is_over:
            return served
        else:
            time.sleep(SECONDS_BETWEEN_LOOKS)


def _do(study: WorkStudy, one: SharedWork, context: SearchContext) -> None:
    try:
        with _beating(study, one):
            # Its checkpoint is the student's, who may have had another number before.
            score = _reach(_of_student(context, one.work), replace(one.work, number=0))
    except Exception as error:
        study.lose(one, error)
        raise
    study.finish(one, score)


def _reach(context: SearchContext, work: TrialWork) -> TrialScore | None:
    """By the rungs that it reached elsewhere, where it was not left here.

    A student is settled where it is scored, so that the straight way gives another one.
    """
    first = work.rung
    if work.proposal is not None and not any(context.checkpoints.iterdir()):
        first = 1
    for rung in range(first, work.rung):
        reach_rung(context, replace(work, rung=rung))
    return reach_rung(context, work)


def _of_student(context: SearchContext, work: TrialWork) -> SearchContext:
    """With a folder that no other student writes to, whatever its number is in another study."""
    student = json.dumps(dict(work.parameters), sort_keys=True).encode()
    folder = context.checkpoints / hashlib.sha256(student).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    return replace(context, checkpoints=folder)


@contextmanager
def _beating(study: WorkStudy, one: SharedWork) -> Iterator[None]:
    """Say now and then that somebody works on it."""
    ended = threading.Event()

    def beat() -> None:
        with suppress(PocketganError):  # a storage that stays away is told where the work ends
            for count in itertools.count():
                study.beat(one, count)
                if ended.wait(SECONDS_BETWEEN_BEATS):
                    return

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
