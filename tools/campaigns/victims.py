"""Start work in a process, end it with SIGKILL at a moment of chance, and see what it leaves."""

import os
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

MARK = "POCKETGAN_CAMPAIGN"
"""In the environment of a victim, and so of all that it starts."""
LONGEST = 1800.0
"""Seconds that work may take on a busy machine."""
PATIENCE = 20.0
"""Seconds after which nothing that a killed process started may be left."""
CHANGING = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
"""Audit events of what changes a folder; the opening of a file to write is the other."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

Deed = Callable[[], int]
"""What a victim does; gives its exit code."""


@dataclass(frozen=True)
class Moment:
    """When a victim is killed: before its so manyth change of a folder, or after so many seconds;
    by neither, never."""

    change: int | None = None
    seconds: float | None = None
    of_child: bool = False
    """Whether one of the processes that it started is killed, by the seconds, and not itself."""


NEVER = Moment()


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a victim ended."""

    code: int
    """Its exit code; the negative number of the signal that ended it."""
    changes: int
    """Changes of folders, where it ended of itself."""
    seconds: float
    words: str
    """The end of what it printed."""
    left: int = 0
    """Processes that it started and that are still there."""

    @property
    def was_killed(self) -> bool:
        return self.code == -signal.SIGKILL


def moment_by(chance: Random, whole: Ending) -> Moment:
    """A moment in work that took as long, and changed as much, as ``whole`` did."""
    if whole.changes and chance.random() < 0.5:
        return Moment(change=chance.randint(1, max(1, whole.changes)))
    return Moment(seconds=chance.uniform(0, whole.seconds))


def run_victim(work: Deed, log: Path, moment: Moment = NEVER) -> Ending:
    """Do ``work`` in a fork of this process, which has imported all and run nothing."""
    mark, started = uuid.uuid4().hex, time.monotonic()
    changes = log.with_suffix(".changes")
    changes.touch()
    child = os.fork()
    if not child:
        _be_victim(work, log, mark, moment)
    end = started + (LONGEST if moment.seconds is None else moment.seconds)
    status = _wait(child, end)
    if status is None and moment.of_child:
        _kill_one(mark, child, Random(moment.seconds))
        status = _wait(child, started + LONGEST)
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - started
    code = os.waitstatus_to_exitcode(status)
    ending = Ending(
        code=code,
        changes=int(changes.read_text() or 0),
        seconds=seconds,
        words=log.read_text(errors="replace")[-2000:] if log.exists() else "",
        left=len(_left(mark)),
    )
    changes.unlink(missing_ok=True)
    return ending


def _wait(child: int, end: float) -> int | None:
    """The status of a child that ended; None where it did not until then."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > end:
            return None
        time.sleep(0.002)


def _kill_one(mark: str, victim: int, chance: Random) -> None:
    """Kill one of those that the victim started, as soon as there is one or it has ended."""
    while not (others := sorted(pid for pid in marked(mark) if _works(pid, victim))):
        if os.waitid(os.P_PID, victim, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(chance.choice(others), signal.SIGKILL)


def _works(pid: int, victim: int) -> bool:
    """Whether it is another process, and none that only counts what is shared."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return pid != victim and b"resource_tracker" not in command


def _be_victim(work: Deed, log: Path, mark: str, moment: Moment) -> None:
    """The child's life; it never returns."""
    code = 1
    try:
        os.environ[MARK] = mark
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in (1, 2):
            os.dup2(descriptor, number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        counted = os.open(log.with_suffix(".changes"), os.O_WRONLY)
        changes = _counted(moment.change)
        code = _attempt(work)
        os.write(counted, str(changes()).encode())  # open before anything is forbidden
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _attempt(work: Deed) -> int:
    try:
        return work()
    except BaseException:
        traceback.print_exc()
        return 1


def _counted(last: int | None) -> Callable[[], int]:
    """Count this process's changes of folders from now on; it is killed before the ``last``."""
    count = 0

    def hear(event: str, values: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGING or (event == "open" and values[2] & WRITING):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    return lambda: count


def marked(mark: str) -> Iterator[int]:
    """The processes with that mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)
        except OSError:  # it is gone, or somebody else's
            continue


def _left(mark: str) -> list[int]:
    """Those that are still there when patience ends."""
    end = time.monotonic() + PATIENCE
    while (left := [*marked(mark)]) and time.monotonic() < end:
        time.sleep(0.05)
    return left
