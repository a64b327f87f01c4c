"""Commands that read files of others work in a child process, so that nothing ends unsaid.

A native library may crash on a foreign file, never end, or take all memory. The parent imports none
of them: it starts the command again as its child, is told which step the child is at, and turns
its death into one message. Who calls the package's functions has no guard, and steps cost nothing.
"""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from deploy.errors import PocketganError

GUARDED = frozenset(
    {
        "check",
        "compress",
        "run",
        "quantize",
        "convert",
        "evaluate",
        "benchmark",
        "inspect",
        "explain",
    }
)
"""The commands that load, draw or convert files of others."""
SECONDS = 900.0
"""The longest that one step may take."""
MEMORY = 0.75
"""Share of the machine's memory that a step may fill."""
_SOCKET = "POCKETGAN_GUARD"
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_SHELLS = 128
"""What shells add to the number of the signal that ended a program."""
GOES_ON = (
    "What was done is kept, and the same command goes on from there. If it ends there again, give "
    "it more memory or less to do."
)


@dataclass(frozen=True)
class GuardedStep:
    """What a child does with a foreign file, and how long it may take."""

    verb: str
    """As in "it is loaded"."""
    path: str
    remedy: str
    seconds: float


class _Child:
    """The child's side: its end of the socket, and the steps that it is in."""

    parent: socket.socket | None = None
    steps: list[GuardedStep] = []  # noqa: RUF012  one process has one


@contextmanager
def step(verb: str, path: Path | str, remedy: str, seconds: float = SECONDS) -> Iterator[None]:
    """Tell the parent what is done with the file ``path``; keep memory within its limit meanwhile.

    ``verb`` goes on after "it was being", as "loaded"; ``remedy`` is for a crash in it. Raises
    PocketganError where memory runs out.
    """
    try:
        with _watched(GuardedStep(verb, str(path), remedy, seconds)):
            yield
    except MemoryError as error:
        raise PocketganError(
            f"{path}: memory ran out while it was being {verb}.", remedy
        ) from error


@contextmanager
def _watched(current: GuardedStep) -> Iterator[None]:
    """The parent is told, and memory limited; without a parent nothing is done."""
    if _Child.parent is None:
        yield
        return
    _Child.steps.append(current)
    _tell()
    try:
        with _limited_memory():
            yield
    finally:
        _Child.steps.pop()
        _tell()


def _tell() -> None:
    current = asdict(_Child.steps[-1]) if _Child.steps else None
    assert _Child.parent is not None
    with suppress(OSError):  # the parent is gone: the thread below ends this process
        _Child.parent.sendall(json.dumps(current).encode() + b"\n")


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Let allocations fail beyond a share of the machine's memory, before the system kills."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = int(MEMORY * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    if soft != resource.RLIM_INFINITY:
        most = min(most, soft)  # a person's own limit (`ulimit -d`) holds
    with suppress(ValueError, OSError):  # where the system has no such limit
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
    try:
        yield
    finally:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def is_child() -> bool:
    """Whether this process is one that ``run_in_child`` started; it ends when its parent does."""
    descriptor = os.environ.pop(_SOCKET, None)
    if descriptor is not None:
        parent = _Child.parent = socket.socket(fileno=int(descriptor))
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    return _Child.parent is not None


def _end_with(parent: socket.socket) -> None:
    with suppress(OSError):
        parent.recv(1)  # the parent says nothing; this returns when it is gone
    os.killpg(0, signal.SIGKILL)


def run_in_child(arguments: Sequence[str]) -> int:
    """The command's exit code; PocketganError where a step took too long or the child was killed.

    The child has this process's input and output; signals are passed on.
    """
    ours, childs = socket.socketpair()
    with ours:
        child = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            env={**os.environ, _SOCKET: str(childs.fileno())},
            pass_fds=[childs.fileno()],
            process_group=0,  # so that a Ctrl-C comes once, from here
        )
        childs.close()
        for number in _FORWARDED:
            if signal.getsignal(number) != signal.SIG_IGN:  # as in a shell's background
                signal.signal(number, lambda number, _: _send(child, number))
        clock = _Clock()
        signal.signal(signal.SIGTSTP, lambda *_: _suspend(child, clock))
        last = _watch(ours, child, clock)
    end = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if end is None or end.si_code != os.CLD_EXITED:
        _send(child, signal.SIGKILL)  # what it had started; until it is waited for its number holds
    code = child.wait()
    if code >= 0 or -code in _FORWARDED:
        return code if code >= 0 else _SHELLS - code
    raise _death(arguments, last, signal.Signals(-code))


class _Clock:
    """Seconds, without those in which a person had suspended the command."""

    suspended = 0.0

    def now(self) -> float:
        return time.monotonic() - self.suspended


def _watch(
    ours: socket.socket, child: "subprocess.Popen[bytes]", clock: _Clock
) -> GuardedStep | None:
    """The step at which the child ended; PocketganError, and the child killed, where it is long."""
    current, deadline, unread = None, None, b""
    while True:
        ours.settimeout(None if deadline is None else max(1e-3, deadline - clock.now()))
        try:
            received = ours.recv(1 << 16)
        except TimeoutError:
            assert current is not None
            assert deadline is not None
            if clock.now() < deadline:
                continue
            _send(child, signal.SIGKILL)
            child.wait()
            raise PocketganError(
                f"{current.path} was being {current.verb} for more than {current.seconds:.0f} "
                "seconds.",
                current.remedy,
            ) from None
        except ConnectionResetError:
            received = b""
        if not received:
            return current
        *lines, unread = (unread + received).split(b"\n")
        for line in lines:
            values: dict[str, Any] | None = json.loads(line)
            current = None if values is None else GuardedStep(**values)
            deadline = None if current is None else clock.now() + current.seconds


def _send(child: "subprocess.Popen[bytes]", number: int) -> None:
    """To all processes of the child, unless they are gone."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, number)


def _suspend(child: "subprocess.Popen[bytes]", clock: _Clock) -> None:
    """Ctrl-Z: both stop, and go on together."""
    since = time.monotonic()
    _send(child, signal.SIGSTOP)
    os.kill(os.getpid(), signal.SIGSTOP)
    clock.suspended += time.monotonic() - since
    _send(child, signal.SIGCONT)


def _death(
    arguments: Sequence[str], at: GuardedStep | None, number: signal.Signals
) -> PocketganError:
    how = cause_of_death(number)
    if at is None:
        return PocketganError(f"pocketgan {arguments[0]} ended early: {how}.", GOES_ON)
    return PocketganError(f"{at.path}: {how} while it was being {at.verb}.", at.remedy)


def cause_of_death(number: int) -> str:
    """What it means that a process of ours was ended by the signal ``number``; 0: by none."""
    if number == signal.SIGKILL:
        return "the system killed it, as it does where memory runs out"
    name = signal.Signals(number).name if number > 0 else "of itself"
    return f"a native library crashed ({name})"
