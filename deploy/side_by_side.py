"""Machines that measure side by side: whose turn it is, who waits for whom, what became of a board.

Each machine has a lane of its own, a thread. Two addresses may turn out to be one machine: a job
runs only while no other job does on the same one. A board that was lost is tried again while other
lanes work, so that it costs nobody's time but its own.
"""

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets.target import Session, Target, TargetLostError

RETRY_S = 15.0
# A file during which a board is lost so often may be why.
MOST_LOSSES = 2

TAKEN_UP_AGAIN = "the board was lost in between and taken up again: ratios hold the drift"


class FairLock:
    """A lock that goes to who has waited longest; Python's own may starve somebody."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def take(self) -> Iterator[None]:
        """Wait for the lock, and have it."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
        try:
            with self._changed:
                self._changed.wait_for(lambda: self._queue[0] is ticket)
            yield
        finally:
            with self._changed:
                self._queue.remove(ticket)
                self._changed.notify_all()


class Lanes:
    """What the lanes of one call share."""

    def __init__(self) -> None:
        self._locks: defaultdict[str | None, FairLock] = defaultdict(FairLock)
        self._working = 0
        self._stopped = False
        self._changed = threading.Condition()

    def run(self, lanes: Sequence[Callable[[], object]]) -> None:
        """Call all ``lanes``, each in a thread of its own, a single one in this thread.

        Where one raises, or this thread is interrupted, none begins another job; what raised is
        raised when all have ended.
        """
        self._working = len(lanes)
        if len(lanes) == 1:
            self._lane(lanes[0])
            return
        with ThreadPoolExecutor(max(len(lanes), 1)) as pool:
            try:
                for done in as_completed([pool.submit(self._lane, lane) for lane in lanes]):
                    done.result()
            except BaseException:
                with self._changed:
                    self._stopped = True
                    self._changed.notify_all()
                raise

    def _lane(self, lane: Callable[[], object]) -> None:
        try:
            lane()
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._changed:
            self._working += change
            self._changed.notify_all()

    def lock_of(self, machine: str | None) -> FairLock:
        """Whoever has it may use ``machine``."""
        with self._changed:  # two lanes that ask for the first time must be given the same
            return self._locks[machine]

    def check(self) -> None:
        """Raise CancelledError once the call was stopped."""
        if self._stopped:
            raise CancelledError

    @contextmanager
    def away(self) -> Iterator[None]:
        """Meanwhile the lane does not count as one that works: two that are away wait for none."""
        self._count(-1)
        try:
            yield
        finally:
            self._count(+1)

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until no lane works any more; whether one does."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or not self._working, seconds)
            working = self._working > 0
        self.check()
        return working


class LastingSession:
    """A session on ``target`` that outlives its connection: a board that was lost is opened again.

    It is tried at once, and then every RETRY_S seconds for as long as other lanes work. Where the
    target cannot be opened, or stays away, every job fails at once with the reason.
    """

    def __init__(self, target: Target, lanes: Lanes) -> None:
        self._target, self._lanes = target, lanes
        self._connection = ExitStack()
        self._session: Session | None = None
        self._losses: list[str] = []
        self._refusal = ""
        self._given_up = False

    def open(self) -> bool:
        """Open the target unless it is open, with patience; whether it is open now."""
        if self._session is None and not self._given_up:
            self._try()
        if self._session is None and not self._given_up:
            with self._lanes.away():
                while self._session is None and not self._given_up:
                    if self._lanes.wait(RETRY_S):
                        self._try()
                    else:
                        self._given_up = True
        return self._session is not None

    def _try(self) -> None:
        self._lanes.check()
        try:
            self._session = self._connection.enter_context(self._target.open())
        except PocketganError as error:
            self._refusal = f"{error.problem} ({error.remedy})" if error.remedy else error.problem
            self._given_up = not isinstance(error, TargetLostError)

    def answer(self, job: Job, time_limit: float) -> Measurement:
        """Carry out ``job``, anew where the board was lost in the middle."""
        for _ in range(MOST_LOSSES):
            if not self.open():
                return failure(job, "; then: ".join([*self._losses[-1:], self._refusal]))
            assert self._session is not None
            with self._lanes.lock_of(self._target.machine).take():
                self._lanes.check()
                try:
                    return self._marked(self._session(job, time_limit))
                except TargetLostError as error:
                    self._losses.append(error.problem)
            with suppress(PocketganError):  # a connection that is gone may refuse
                self.close()
        return failure(job, f"{self._losses[-1]}, {MOST_LOSSES} times with this file")

    def _marked(self, measurement: Measurement) -> Measurement:
        if not self._losses or measurement.error is not None:
            return measurement
        warnings = (*measurement.warnings, TAKEN_UP_AGAIN)
        return measurement.model_copy(update={"warnings": warnings})

    def close(self) -> None:
        """Tidy up behind it."""
        self._session = None
        self._connection.close()
