"""Open damaged files in children that may crash, hang or take all memory."""

import faulthandler
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from deploy.errors import PocketganError

SECONDS = 120.0
"""That opening a tiny file may take on a busy machine."""
MEMORY = 1_500_000_000
"""Bytes that it may take besides those of TensorFlow."""
ENDLESS = ("/dev/zero", "/dev/tty")
"""What no file may make us open."""
_EXCEPTIONS = (PocketganError, OSError)
"""What the command line turns into one message and exit code 2."""


class Answer(NamedTuple):
    """How a damaged file was answered."""

    outcome: str
    """One of ``GOOD`` or a fault."""
    words: str
    """The message, or the traceback."""


GOOD = ("passes", "refused", "crash")
"""A crash of a native library becomes one message of the command's parent (``pipeline.guard``)."""


@dataclass(frozen=True)
class Opening:
    """A damaged file or folder to be opened by the reader of that name."""

    path: Path
    reader: str


def _generator(path: Path) -> None:
    """As `check` and `compress` open it; all that a file may leave open is said."""
    from pipeline.importers.teacher import load_teacher

    load_teacher(path, pixels=(-1.0, 1.0), input_pixels=(0.0, 1.0))


def _recipe(path: Path) -> None:
    from pipeline.recipe.reading import load_recipe

    load_recipe(str(path))


def _photos(path: Path) -> None:
    from pipeline.data import listing, reading

    files = listing.find(path)
    request = reading.Request(
        image_size=8,
        channels=3,
        folder=path,
        cache=path.parent / ".cache",
        test_fraction=0.5,
        seed=0,
        cut="whole",
    )
    reading.read([(file,) for file in files], reading.single, request)


READERS: Mapping[str, Callable[[Path], None]] = {
    "generator": _generator,
    "recipe": _recipe,
    "photos": _photos,
}


def answers(jobs: Sequence[Opening], elsewhere: Path) -> Iterator[Answer]:
    """One for each job, in order; ``elsewhere`` is a file that none of them may touch.

    Call it in a process that has imported TensorFlow and run nothing: children are forks of it.
    """
    done = 0
    while done < len(jobs):
        for answer in _of_child(jobs[done:], elsewhere):
            done += 1
            yield answer


def _of_child(jobs: Sequence[Opening], elsewhere: Path) -> Iterator[Answer]:
    """Those of one child, until it has to be replaced."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        _open_all(jobs, elsewhere, writing)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as pipe:
            for _job in jobs:
                if not select.select([pipe], [], [], SECONDS)[0]:
                    yield Answer("too long", f"more than {SECONDS:.0f} seconds")
                    return
                line = pipe.readline()
                if not line:
                    _, status = os.waitpid(child, 0)
                    child = 0
                    number = os.waitstatus_to_exitcode(status)
                    yield Answer("crash", signal.Signals(-number).name if number < 0 else "exit")
                    return
                answer = Answer(*json.loads(line))
                yield answer
                if answer.outcome == "memory":
                    return
    finally:
        if child:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _open_all(jobs: Sequence[Opening], elsewhere: Path, writing: int) -> None:
    """The child's work; it never returns."""
    try:
        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        faulthandler.disable()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        most = _data() + 4 * MEMORY  # far beyond what counts as a fault: for this machine's sake
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
        touched: list[str] = []
        forbidden = {str(elsewhere), *ENDLESS}
        sys.addaudithook(lambda event, values: _watch(event, values, forbidden, touched))
        for job in jobs:
            touched.clear()
            answer = _watched(job, elsewhere, touched)
            os.write(writing, json.dumps(answer).encode() + b"\n")
            if answer.outcome == "memory":
                break  # A new child opens the others; this one must not open them too.
    finally:
        os._exit(0)


def _watch(event: str, values: tuple[Any, ...], forbidden: set[str], touched: list[str]) -> None:
    if event == "open" and isinstance(values[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(values[0]))
        if path in forbidden:
            touched.append(path)


def _watched(job: Opening, elsewhere: Path, touched: list[str]) -> Answer:
    """Opened, and looked at what was taken or touched meanwhile."""
    before, memory = _state(elsewhere), _peak_memory()
    os.utime(elsewhere, ns=(0, elsewhere.stat().st_mtime_ns))  # any reading will set it
    try:
        READERS[job.reader](job.path)
        answer = Answer("passes", "")
    except _EXCEPTIONS as error:
        answer = Answer("refused", str(error))
    except BaseException:
        answer = Answer("traceback", traceback.format_exc())
    if touched or elsewhere.stat().st_atime_ns or _state(elsewhere) != before:
        return Answer("touched", f"{touched or elsewhere}; {answer.words}")
    if _peak_memory() - memory > MEMORY:
        return Answer("memory", f"{(_peak_memory() - memory) / 1e9:.1f} GB; {answer.words}")
    return answer


def _state(elsewhere: Path) -> tuple[list[str], int, int]:
    """The names beside the file that is not to be touched, its length and the time of a change."""
    stat = elsewhere.stat()
    return sorted(os.listdir(elsewhere.parent)), stat.st_size, stat.st_mtime_ns


def _peak_memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _data() -> int:
    """Bytes that the limit of data counts."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[5]
    return int(pages) * resource.getpagesize()
