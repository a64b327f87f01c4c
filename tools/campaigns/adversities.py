"""What befalls work: a kill, a full disk, no memory, a folder that moves or cannot be written."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from tools.campaigns.victims import Ending, Moment, moment_by, run_victim

YEARS = 10 * 365 * 86400
NOBODY = 65534
"""A user who owns nothing."""
LEAST_FILE = 4096
"""Bytes of a message to a file, and more."""
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Strike:
    """Work in a folder of runs that is about to be struck."""

    runs: Path
    work: Callable[[Path], int]
    log: Path
    chance: Random
    whole: Ending
    """How the work ends where nothing strikes."""
    room: int
    """Bytes that it writes then."""

    def start(self, change: Callable[[], object] = bool) -> Ending:
        """The work in a process of its own, which first changes something about itself."""

        def changed() -> int:
            change()
            return self.work(self.runs)

        return run_victim(changed, self.log)


Adversity = Callable[[Strike], Ending]
"""Lets work be done under it; gives how that ended."""


def killed(strike: Strike) -> Ending:
    return run_victim(
        partial(strike.work, strike.runs), strike.log, moment_by(strike.chance, strike.whole)
    )


def child_killed(strike: Strike) -> Ending:
    """A worker, a measuring agent or the command's guarded child is killed."""
    soon = strike.chance.uniform(0, strike.whole.seconds / 4)  # so that many come before the end
    moment = Moment(seconds=soon, of_child=True)
    return run_victim(partial(strike.work, strike.runs), strike.log, moment)


def disk_full(strike: Strike) -> Ending:
    """On a file system with less room than the work needs."""
    room = int(strike.chance.random() * 1.1 * strike.room)
    with _file_system(strike.runs, room):
        return strike.start()


def file_too_large(strike: Strike) -> Ending:
    """Where the system limits how large a file may become."""
    limit = LEAST_FILE + int(strike.chance.random() * 0.5 * strike.room)
    return strike.start(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))


def memory_out(strike: Strike) -> Ending:
    """With less address space than the work needs."""
    most = int(1500 * strike.chance.random() ** 3) * MEBIBYTE  # mostly little

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        here = pages * resource.getpagesize() + most
        resource.setrlimit(resource.RLIMIT_AS, (here, here))

    return strike.start(limit)


def read_only(strike: Strike) -> Ending:
    """In a folder that cannot be written: its file system's, or another user's."""
    if strike.chance.random() < 0.5:
        return strike.start(lambda: os.setuid(NOBODY))
    _mount(["--bind", str(strike.runs), str(strike.runs)])
    try:
        _mount(["-o", "remount,ro,bind", str(strike.runs)])
        return strike.start()
    finally:
        _unmount(strike.runs)


def clock_back(strike: Strike) -> Ending:
    """Killed, and what is there then comes from the future: the clock was set back."""
    ending = killed(strike)
    for path in strike.runs.rglob("*"):
        os.utime(path, (time.time() + YEARS,) * 2)
    return ending


def moved(strike: Strike) -> Ending:
    """Killed, and moved away meanwhile; then it comes back as a copy."""
    ending = killed(strike)
    elsewhere = strike.runs.with_name("elsewhere")
    strike.runs.rename(elsewhere)
    further = killed(replace(strike, runs=elsewhere))
    shutil.copytree(elsewhere, strike.runs)
    shutil.rmtree(elsewhere)
    return ending if ending.was_killed else further


def two_at_once(strike: Strike) -> Ending:
    """While the same work is done by another process, which is killed."""
    other = os.fork()
    if not other:
        killed(replace(strike, log=strike.log.with_name("other.txt")))
        os._exit(0)
    try:
        return strike.start()
    finally:
        os.waitpid(other, 0)


ADVERSITIES: Mapping[str, Adversity] = {
    "kill": killed,
    "kill of a child": child_killed,
    "full disk": disk_full,
    "limit of a file's size": file_too_large,
    "limit of memory": memory_out,
    "read-only folder": read_only,
    "clock set back": clock_back,
    "moved and copied": moved,
    "two at once": two_at_once,
}


@contextmanager
def _file_system(folder: Path, room: int) -> Iterator[None]:
    """What is in ``folder`` lies on a file system of its own, with so many bytes left."""
    content = folder.with_name("content")
    folder.rename(content)
    folder.mkdir()
    _mount(["-t", "tmpfs", "-o", "size=1g", "tmpfs", str(folder)])
    try:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        state = os.statvfs(folder)
        used = (state.f_blocks - state.f_bfree) * state.f_frsize
        _mount(["-o", f"remount,size={used + room}", str(folder)])
        yield
        shutil.rmtree(content)
        shutil.copytree(folder, content)
    finally:
        _unmount(folder)
        folder.rmdir()
        content.rename(folder)


def _mount(words: Sequence[str]) -> None:
    subprocess.run(["mount", *words], check=True)


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", str(folder)], check=True)
