"""Independent pieces of work, side by side in processes of their own.

A worker is a fresh Python (TensorFlow does not survive a fork) with a fixed number of threads, so
that what a piece gives does not depend on how many workers there are. concurrent.futures neither
says which piece was being done by a process that died, nor ends one that is busy; so the processes
are those of multiprocessing, each at the end of a pipe.
"""

import math
import multiprocessing
import os
import pickle
import resource
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from deploy.errors import PocketganError
from deploy.machine import describe_machine, usable_memory
from pipeline import guard, progress
from pipeline.tensorflow_setup import use_threads

LEAST_MEMORY = 1 << 30
"""Bytes that a worker takes at least: TensorFlow alone fills 0.7 GiB."""
SECONDS_BETWEEN_SIGNS = 1.0
BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
"""Its sums are cut by threads, too; it reads them from the environment when NumPy is loaded."""

Shared = TypeVar("Shared")
Result = TypeVar("Result")


def most_workers(threads: int = 1, root: Path = Path("/")) -> int:
    """As many of so many threads as cores and free memory allow, and at least one.

    Each may become as large as this process has been. ``root`` is above the system's files.
    """
    machine = describe_machine(root)
    cores = min(machine.cores, machine.core_limit or math.inf)
    sizes = (machine.memory_free, machine.memory_limit)
    memory = min((size for size in sizes if size is not None), default=math.inf)
    return max(1, int(min(cores / threads, memory / max(LEAST_MEMORY, _peak_memory()))))


def _peak_memory() -> int:
    """Bytes that this process has filled at most."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def workers_in_words(count: int | None) -> str:
    """How many will work side by side, why, and what changes it."""
    if count is not None:
        return f"workers: {count} at most"
    machine = describe_machine()
    free = "" if machine.memory_free is None else f", {machine.memory_free / 1e9:.0f} GB free"
    cores = f"{machine.cores} core{'s' * (machine.cores > 1)}"
    return f"workers: {most_workers()} at most ({cores}{free}); --workers N changes that"


def refuse_too_many(count: int | None) -> None:
    """PocketganError for more workers than this machine has memory for; None asks for as many as
    fit."""
    memory = usable_memory()
    if count is None or memory is None:
        return
    most = max(1, memory // LEAST_MEMORY)
    if count > most:
        raise PocketganError(
            f"--workers {count}: this machine has memory for {most}.",
            f"Give at most {most}, or leave --workers out: as many as cores and memory allow.",
        )


@dataclass(frozen=True)
class Piece(Generic[Shared, Result]):
    """A piece of work. Its function goes to another process: it must be picklable."""

    name: str
    """As in "student 3": an error names it."""
    work: Callable[[Shared], Result]
    """Reads what all pieces share."""


class Workers(Generic[Shared]):
    """Up to ``count`` processes of so many ``threads`` each; None for as many as fit.

    ``shared`` makes, once in each worker, what all its pieces read. Workers start when there is
    work, and are killed when the ``with`` block ends, whatever ends it.
    """

    def __init__(self, count: int | None, *, threads: int, shared: Callable[[], Shared]) -> None:
        self.count = most_workers(threads) if count is None else count
        self._threads, self._shared = threads, pickle.dumps(shared)
        self._workers: list[_Worker] = []

    def __enter__(self) -> "Workers[Shared]":
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def results(
        self,
        pieces: Sequence[Piece[Shared, Result]],
        on_progress: Callable[[float], None] = lambda done: None,
    ) -> Iterator[tuple[int, Result]]:
        """The number of each piece and what it gave, in the order in which they end.

        ``on_progress`` is called every second, with how many pieces are done: of those that show a
        bar of progress the share that it shows counts. Raises what a piece raises, and
        PocketganError naming the piece whose worker died.
        """
        done = 0
        waiting = deque(enumerate(pieces))
        busy: dict[Connection, _Worker] = {}
        while waiting or busy:
            for worker in self._idle(len(waiting), busy):
                number, piece = waiting.popleft()
                worker.begin(number, piece)
                busy[worker.connection] = worker
            for connection in wait(list(busy), SECONDS_BETWEEN_SIGNS):
                worker = busy[cast(Connection, connection)]
                answer = worker.answer()
                if isinstance(answer, _Share):
                    worker.share = answer.done
                    continue
                del busy[worker.connection]
                done += 1
                yield worker.number, answer
            on_progress(done + sum(worker.share for worker in busy.values()))

    def _idle(self, wanted: int, busy: dict[Connection, "_Worker"]) -> "list[_Worker]":
        """As many as are wanted, some of them new."""
        new = min(self.count, len(busy) + wanted) - len(self._workers)
        for _ in range(new):
            try:
                self._workers.append(_Worker(self._threads, self._shared))
            except OSError as error:  # memory, or the number of processes, is at its limit
                if not self._workers:
                    raise PocketganError(
                        f"no process could be started to work in: {error.strerror}.",
                        "Give it more memory or more processes (`ulimit -a` says what is allowed).",
                    ) from error
                self.count = len(self._workers)  # they give the same, only later
                break
        return [one for one in self._workers if one.connection not in busy][:wanted]


class _Worker:
    """A process, and the piece that it is at."""

    number = -1
    share = 0.0
    _name = ""

    def __init__(self, threads: int, shared: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, threads, shared), daemon=True)
        with _environment(dict.fromkeys(BLAS_THREADS, str(threads))):
            self._process.start()
        theirs.close()  # so that its death is the end of the pipe

    def begin(self, number: int, piece: Piece[Any, Any]) -> None:
        self.number, self._name, self.share = number, piece.name, 0.0
        with suppress(BrokenPipeError):  # it is dead: the result will say so
            self.connection.send_bytes(pickle.dumps(piece.work))

    def answer(self) -> Any:
        """What the piece gave, or a share of it; raises what it raised."""
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionResetError) as error:
            self._process.join()
            raise _death(self._name, -(self._process.exitcode or 0)) from error
        if isinstance(answer, _Failure):
            raise answer.error
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self.connection.close()


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """What processes that are started meanwhile find in their environment."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@dataclass(frozen=True)
class _Failure:
    """What a piece raised."""

    error: Exception


@dataclass(frozen=True)
class _Share:
    """How much of a piece is done, 0 to 1."""

    done: float


def _death(name: str, number: int) -> PocketganError:
    return PocketganError(
        f"{name}: the process that worked on it ended: {guard.cause_of_death(number)}.",
        "What was done is kept, and the same command goes on from there. If it ends there again, "
        "give it more memory, or --workers 1.",
    )


def _serve(connection: Connection, threads: int, shared: bytes) -> None:
    """The life of a worker: piece after piece, until its parent has no more or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, who ends this
    threading.Thread(target=_end_with_parent, daemon=True).start()
    use_threads(threads)
    progress.report_to(lambda done: connection.send(_Share(done)))
    common: list[Any] = []

    def answer(work: bytes) -> Any:
        if not common:
            common.append(pickle.loads(shared)())
        return pickle.loads(work)(common[0])

    with suppress(EOFError, ConnectionResetError, BrokenPipeError):
        while True:
            connection.send_bytes(_attempt(answer, connection.recv_bytes()))


def _attempt(answer: Callable[[bytes], Any], work: bytes) -> bytes:
    """What the piece gives or raises, pickled."""
    try:
        return pickle.dumps(answer(work))
    except Exception as error:
        words = traceback.format_exc()
        error.add_note(words)
        try:
            message = pickle.dumps(_Failure(error))
            pickle.loads(message)  # some errors cannot be made again of what they are pickled to
        except Exception:
            message = pickle.dumps(_Failure(RuntimeError(words)))
        return message


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGKILL)
