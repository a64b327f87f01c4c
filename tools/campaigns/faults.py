"""What befalls work: a kill, a full disk, no memory, a folder that moves or cannot be written."""

import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

from deploy.errors import PocketganError
from pipeline.finished_run import open_run
from tools.campaigns.processes import Ending, Kill, kill_in, run_process

YEARS = 10 * 365 * 86400
NOBODY = 65534
"""A user who owns nothing."""
LEAST_FILE = 4096
"""Bytes of a message to a file, and more."""
MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Work in a folder of runs that a fault is about to befall."""

    runs: Path
    work: Callable[[Path], int]
    log: Path
    random: Random
    ending: Ending
    """How the work ends undisturbed."""
    size: int
    """Bytes that it writes then."""

    def run(self, change: Callable[[], object] = bool) -> Ending:
        """Do the work in a process of its own, which first changes something about itself."""

        def changed() -> int:
            change()
            return self.work(self.runs)

        return run_process(changed, self.log)


Fault = Callable[[Attempt], Ending]
"""Lets work be attempted under it; gives how that ended."""


def killed(attempt: Attempt) -> Ending:
    kill = kill_in(attempt.ending, attempt.random)
    return run_process(partial(attempt.work, attempt.runs), attempt.log, kill)


def child_killed(attempt: Attempt) -> Ending:
    """A worker, a measuring agent or the command's guarded child is killed."""
    soon = attempt.random.uniform(0, attempt.ending.seconds / 4)  # so that it comes before the end
    kill = Kill(seconds=soon, of_child=True)
    return run_process(partial(attempt.work, attempt.runs), attempt.log, kill)


def disk_full(attempt: Attempt) -> Ending:
    """On a file system with less room than the work needs."""
    room = int(attempt.random.random() * 1.1 * attempt.size)
    with _file_system(attempt.runs, room):
        return attempt.run()


def file_too_large(attempt: Attempt) -> Ending:
    """Where the system limits how large a file may become."""
    limit = LEAST_FILE + int(attempt.random.random() * 0.5 * attempt.size)
    return attempt.run(lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))


def memory_out(attempt: Attempt) -> Ending:
    """With less address space than the work needs."""
    most = int(1500 * attempt.random.random() ** 3) * MEBIBYTE  # mostly little

    def limit() -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        size = pages * resource.getpagesize() + most
        resource.setrlimit(resource.RLIMIT_AS, (size, size))

    return attempt.run(limit)


def read_only(attempt: Attempt) -> Ending:
    """In a folder that cannot be written: its file system's, or another user's."""
    if attempt.random.random() < 0.5:
        return attempt.run(lambda: os.setuid(NOBODY))
    _mount(["--bind", str(attempt.runs), str(attempt.runs)])
    try:
        _mount(["-o", "remount,ro,bind", str(attempt.runs)])
        return attempt.run()
    finally:
        _unmount(attempt.runs)


def clock_back(attempt: Attempt) -> Ending:
    """Killed, and what is there then comes from the future: the clock was set back."""
    ending = killed(attempt)
    for path in attempt.runs.rglob("*"):
        os.utime(path, (time.time() + YEARS,) * 2)
    return ending


def moved(attempt: Attempt) -> Ending:
    """Killed, moved, gone on with and killed there; then it comes back as a copy."""
    ending = killed(attempt)
    elsewhere = attempt.runs.with_name("elsewhere")
    attempt.runs.rename(elsewhere)
    further = killed(replace(attempt, runs=elsewhere))
    shutil.copytree(elsewhere, attempt.runs)
    shutil.rmtree(elsewhere)
    return ending if ending.code < 0 else further


def two_at_once(attempt: Attempt) -> Ending:
    """While the same work is done by another process, which is killed."""
    other = replace(attempt, log=attempt.log.with_name("other.txt"))
    with _beside(partial(killed, other)):
        return attempt.run()


def read_meanwhile(attempt: Attempt) -> Ending:
    """While another process opens the runs and their pages, over and over."""
    problems, done = attempt.log.with_name("problems.txt"), attempt.log.with_name("done")
    done.unlink(missing_ok=True)
    with _beside(partial(_read_until, done, attempt.runs, problems)):
        try:
            ending = attempt.run()
        finally:
            done.touch()
    read = tuple(problems.read_text().splitlines())
    return replace(ending, violations=(*ending.violations, *read))


def _read_until(done: Path, runs: Path, problems: Path) -> None:
    """Write to ``problems`` what no reader may find, a line each."""
    with problems.open("w", buffering=1) as file:
        while not done.exists():
            for name in ("light", "small", "tiny"):
                try:
                    with suppress(PocketganError, FileNotFoundError):  # it is being replaced
                        open_run(name, runs)
                except Exception as error:
                    file.write(f"{name} could not be opened: {error!r}\n")
            for page in runs.glob("*/**/*.html"):
                with suppress(FileNotFoundError):
                    if not page.read_text().rstrip().endswith("</html>"):
                        file.write(f"{page} was cut\n")


FAULTS: Mapping[str, Fault] = {
    "kill": killed,
    "kill of a child": child_killed,
    "full disk": disk_full,
    "limit of a file's size": file_too_large,
    "limit of memory": memory_out,
    "read-only folder": read_only,
    "clock set back": clock_back,
    "moved and copied": moved,
    "two at once": two_at_once,
    "read meanwhile": read_meanwhile,
}
CRASHING = ("limit of memory",)
"""Under these native code may crash; where a command has a parent, that makes one message of it."""


@contextmanager
def _beside(work: Callable[[], object]) -> Iterator[None]:
    """Work in a fork of this process meanwhile, which is waited for."""
    other = os.fork()
    if not other:
        try:
            work()
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.waitpid(other, 0)


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
