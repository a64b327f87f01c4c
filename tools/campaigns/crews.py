"""Processes that do one work together: killed at random moments, and begun again."""

import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tools.campaigns.processes import attempt, print_to, status_by

LEADER, WORKER = "leader", "worker"
LEADERS_SHARE = 0.1
"""Of the kills."""
SLOWER, FASTER = 1.5, 0.9
"""By what the time between two kills grows, where nothing was done meanwhile, and else shrinks."""
LONGEST = 3600.0
"""Seconds that the work may take on a busy machine."""
SECONDS_TO_END = 1.0
"""In which a process may end because one that works for it was killed."""
PATIENCE = 120.0
"""Seconds in which workers end when the work is done."""

ScoreByWork = Mapping[object, object]
"""What is done of the work → what came of it."""


class CrewMember:
    """A process of a crew; its output goes to ``log``."""

    def __init__(self, role: str, work: Callable[[], int], log: Path) -> None:
        self.role, self._work, self._log = role, work, log
        self.code: int | None = None
        """Its exit code, once it ended; of one that was killed the negative signal."""
        self.begin()

    def begin(self) -> None:
        """Fork this process, which has imported all and run nothing."""
        self.code, self._pid = None, os.fork()
        if self._pid:
            return
        code = 1
        try:
            print_to(self._log)
            code = attempt(self._work)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended, or does so meanwhile."""
        if self.code is None:
            status = status_by(self._pid, time.monotonic() + seconds)
            self.code = None if status is None else os.waitstatus_to_exitcode(status)
        return self.code is not None

    def kill(self, random: Random) -> bool:
        """Kill it, or a process that works for it; whether there was one to kill."""
        if self.wait(0):
            return False
        victim = random.choice([self._pid, *self._children()])
        with suppress(ProcessLookupError):  # it has ended by itself
            os.kill(victim, signal.SIGKILL)
        self.wait(PATIENCE if victim == self._pid else SECONDS_TO_END)
        return True

    def end(self) -> None:
        if not self.wait(0):
            os.kill(self._pid, signal.SIGKILL)
            self.wait(PATIENCE)

    def _children(self) -> list[int]:
        """Those of multiprocessing, but for the one that only counts what is shared."""
        children = list[int]()
        with suppress(OSError):  # one ends meanwhile
            for one in Path(f"/proc/{self._pid}/task/{self._pid}/children").read_text().split():
                if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes():
                    children.append(int(one))
        return children


@dataclass(frozen=True)
class Kills:
    """How many processes of each role were killed, and what was lost by that."""

    counts: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def kill_until_done(
    leader: CrewMember,
    workers: Sequence[CrewMember],
    *,
    random: Random,
    pause: float,
    scores: Callable[[], ScoreByWork],
) -> Kills:
    """Kill one of them now and then, every ``pause`` seconds on average, until the leader is done.

    They are given longer where nothing was done between two kills. Whoever ended before that is
    begun again. ``scores`` reads what is done: nothing of it may go.
    """
    kills, end, last = Kills(), time.monotonic() + LONGEST, -1
    try:
        while not leader.wait(random.uniform(0, 2 * pause)) and time.monotonic() < end:
            before = scores()
            pause *= SLOWER if len(before) == last else FASTER
            last = len(before)
            one = leader if random.random() < LEADERS_SHARE else random.choice(workers)
            kills.counts[one.role] += one.kill(random)
            kills.violations.extend(
                f"the score of {key} is lost" for key in before.keys() - scores().keys()
            )
            for each in (leader, *workers):
                if each.wait(0) and (each.role == WORKER or each.code == -signal.SIGKILL):
                    each.begin()
        if leader.code:
            kills.violations.append(f"the leader ended with exit code {leader.code}")
        late = [one for one in workers if not one.wait(PATIENCE)]
        kills.violations.extend("a worker does not end with the search" for _ in late)
    finally:
        for one in (leader, *workers):
            one.end()
    return kills
