"""Do work in a process, end it with SIGKILL at a random moment, and see what it leaves."""

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
"""In the environment of the process, and so of all that it starts."""
LONGEST = 1800.0
"""Seconds that work may take on a busy machine."""
PATIENCE = 20.0
"""Seconds after which nothing that a killed process started may be left."""
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "shutil.rmtree")
"""Audit events of what changes a folder; the opening of a file to write is the other."""
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Kill:
    """When a process is killed: before its so manyth change of a folder, or after so many seconds;
    by neither, never."""

    change: int | None = None
    seconds: float | None = None
    of_child: bool = False
    """Whether one of the processes that it started is killed, by the seconds, and not itself."""


NEVER = Kill()


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a process ended."""

    code: int
    """Its exit code; the negative number of the signal that ended it."""
    changes: int
    """Changes of folders, where it ended of itself."""
    seconds: float
    output: str
    """The end of what it printed."""
    violations: tuple[str, ...] = ()
    """What may not be, whatever befell it."""


def kill_in(ending: Ending, random: Random) -> Kill:
    """A random moment in work that takes as long, and changes as much, as one that ended so."""
    if ending.changes and random.random() < 0.5:
        return Kill(change=random.randint(1, ending.changes))
    return Kill(seconds=random.uniform(0, ending.seconds))


def run_process(work: Callable[[], int], log: Path, kill: Kill = NEVER) -> Ending:
    """Do ``work``, which gives an exit code, in a fork of this process.

    This one has imported all and run nothing: TensorFlow that ran does not survive a fork.
    """
    mark, started = uuid.uuid4().hex, time.monotonic()
    changes = log.with_suffix(".changes")
    changes.touch()
    child = os.fork()
    if not child:
        _become(work, log, mark, kill)
    status = status_by(child, started + (LONGEST if kill.seconds is None else kill.seconds))
    if status is None and kill.of_child:
        _kill_one(mark, child, Random(kill.seconds))
        status = status_by(child, started + LONGEST)
    if status is None:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    seconds = time.monotonic() - started
    left = _end_all(mark)
    ending = Ending(
        code=os.waitstatus_to_exitcode(status),
        changes=int(changes.read_text() or 0),
        seconds=seconds,
        output=log.read_text(errors="replace")[-2000:] if log.exists() else "",
        violations=(f"{left} processes were left behind",) if left else (),
    )
    changes.unlink(missing_ok=True)
    return ending


def status_by(child: int, end: float) -> int | None:
    """The status of a child that ended; None where it did not until then."""
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status
        if time.monotonic() > end:
            return None
        time.sleep(0.002)


def _kill_one(mark: str, parent: int, random: Random) -> None:
    """Kill one of those that a process started, as soon as there is one or it has ended."""
    while not (others := sorted(pid for pid in _marked(mark) if _works(pid, parent))):
        if os.waitid(os.P_PID, parent, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.kill(random.choice(others), signal.SIGKILL)


def _works(pid: int, parent: int) -> bool:
    """Whether it is another process, and none that only counts what is shared."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return pid != parent and b"resource_tracker" not in command


def _become(work: Callable[[], int], log: Path, mark: str, kill: Kill) -> None:
    """The child's life; it never returns."""
    code = 1
    try:
        os.environ[MARK] = mark
        print_to(log)
        counted = os.open(log.with_suffix(".changes"), os.O_WRONLY)
        changes = _count_changes(kill.change)
        code = attempt(work)
        os.write(counted, str(changes()).encode())  # open before anything is forbidden
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def print_to(log: Path) -> None:
    """Let all that this process and its libraries print go to the end of a file from now on."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for number in (1, 2):
        os.dup2(descriptor, number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))


def attempt(work: Callable[[], int]) -> int:
    """The exit code that ``work`` gives; 1, its traceback printed, where it raises."""
    try:
        return work()
    except BaseException:
        traceback.print_exc()
        return 1


def _count_changes(last: int | None) -> Callable[[], int]:
    """Count this process's changes of folders from now on; it is killed before the ``last``."""
    count = 0

    def hear(event: str, values: tuple[Any, ...]) -> None:
        nonlocal count
        if event in CHANGES or (event == "open" and values[2] & WRITING):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)
    return lambda: count


def _marked(mark: str) -> Iterator[int]:
    """The processes with that mark in their environment."""
    wanted = f"{MARK}={mark}".encode()
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if wanted in environment.read_bytes().split(b"\0"):
                yield int(environment.parent.name)
        except OSError:  # it is gone, or somebody else's
            continue


def _end_all(mark: str) -> int:
    """How many are still there when patience ends; they are ended then."""
    end = time.monotonic() + PATIENCE
    while (left := [*_marked(mark)]) and time.monotonic() < end:
        time.sleep(0.05)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(left)
