"""A board reached by ssh: a Raspberry Pi, or any other Linux machine that has Python.

The OpenSSH client does the talking, so that the user's configuration, keys and known hosts apply.
It may ask nothing (BatchMode): an unknown or changed host key is refused, never accepted here.

One connection serves the whole session. The shell behind it makes a fresh folder on the board and
waits: when the connection closes, in whatever way, it removes the folder. Everything else runs
through the same connection, or through one of its own where sharing is not possible. Each process
of the agent is pinned to the last cores of the board, which are the big ones where cores differ.
"""

import hashlib
import math
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets.board import (
    COPYING_LIMIT,
    Board,
    boot_id,
    copy,
    explain_refusal,
    hold,
)
from deploy.targets.board_python import copy_agent, diagnose, prepare_python
from deploy.targets.target import (
    GRACE,
    TIMED_OUT,
    Availability,
    Diagnosis,
    Session,
    Target,
    TargetLostError,
    last_line,
    read_answer,
)

# user@host:port as OpenSSH takes them; nothing that it could read as an option.
ADDRESS = re.compile(r"((?:[\w.][\w.-]*@)?(?:\w[\w.-]*|\[[0-9A-Fa-f:.%\w]+\]))(?::(\d{1,5}))?")

# A path that fits a socket's name, with the 17 characters that ssh adds, and needs no quotes.
SOCKET = re.compile(r"[\w./-]{1,86}", re.ASCII)

OPTIONS = (
    *("-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10"),
    *("-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none"),
    # A board that was unplugged is noticed after 15 s.
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
)
LAUNCH = """
import os, sys
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-int(sys.argv[1]):])
os.execv(sys.executable, [sys.executable, "agent.py"])
"""


class Ssh(Target):
    """The board at ``address``: user@host, host or user@host:port, or a name from ~/.ssh/config.

    Args:
        options: further options of the ssh client, e.g. ("-F", "configuration").
    """

    def __init__(self, address: str, options: Sequence[str] = ()) -> None:
        match = ADDRESS.fullmatch(address)
        if match is None:
            raise PocketganError(
                f"{address!r} is not the address of a board", "Write user@host or user@host:port."
            )
        self.name = f"ssh:{address}"
        self._address = address
        self.machine = self.name
        host, port = match.groups()
        self._login = host.replace("[", "").replace("]", "")
        self._port = ("-p", port) if port else ()
        self._options = (*OPTIONS, *self._port, *options)

    def availability(self) -> Availability:
        if shutil.which("ssh") is None:
            remedy = "apt-get install openssh-client"
            return Availability("the OpenSSH client is missing", remedy)
        return Availability("the OpenSSH client is here; the board is not asked yet", ready=True)

    @contextmanager
    def open(self) -> Iterator[Session]:
        with self._connected() as board:
            with self._patience():
                copy_agent(board)
                python, pins = prepare_python(board)
                self.machine = boot_id(board) or self.machine
            sent: dict[str, str] = {}

            def put(path: str, suffix: str) -> str:
                """Copy a file unless it is there; its name there is made from its content."""
                if path not in sent:
                    content = Path(path).read_bytes()
                    name = hashlib.sha256(content).hexdigest() + suffix
                    copy(board, content, name)
                    sent[path] = name
                return sent[path]

            def answer(job: Job, time_limit: float) -> Measurement:
                try:
                    path = put(job.path, ".tflite")
                    latents = None if job.latents is None else put(job.latents, ".npy")
                except OSError as error:
                    return failure(job, f"cannot be read: {error}")
                except TargetLostError:
                    raise
                except PocketganError as error:
                    return failure(job, error.problem)
                except subprocess.TimeoutExpired:
                    return failure(job, f"copying took longer than {COPYING_LIMIT:g} s")
                there = job.model_copy(update={"path": path, "latents": latents})
                measurement = run_agent(board, python, there, time_limit)
                if pins or measurement.error is not None:
                    return measurement
                warnings = (*measurement.warnings, "not pinned to a core: this system cannot")
                return measurement.model_copy(update={"warnings": warnings})

            yield answer

    def diagnose(self) -> Diagnosis:
        try:
            with self._connected() as board, self._patience():
                copy_agent(board)
                return diagnose(board)
        except PocketganError as error:
            return Diagnosis(answers=False, detail=error.problem, missing=(error.remedy,))

    @contextmanager
    def _patience(self) -> Iterator[None]:
        try:
            yield
        except subprocess.TimeoutExpired as error:
            problem = f"{self._address} did nothing for {error.timeout:g} s"
            raise TargetLostError(problem, "Is it busy? Try again.") from None

    @contextmanager
    def _connected(self) -> Iterator[Board]:
        self.require()
        with tempfile.TemporaryDirectory(prefix="pg-") as here:
            shared = f"{here}/c" if SOCKET.fullmatch(f"{here}/c") else "none"
            client = ("ssh", *self._options, "-o", f"ControlPath={shared}")
            master = (*client, "-o", "ControlMaster=yes", self._login)
            said = Path(here, "said")
            with said.open("wb") as log, hold(master, log) as folder:
                if folder is None:
                    login = " ".join((*self._port, self._login))
                    raise explain_refusal(login, said.read_text("utf-8", "replace"))
                client = (*client, "-o", "ControlMaster=no", self._login)
                yield Board(self._address, client, folder)


def run_agent(board: Board, python: str, job: Job, time_limit: float) -> Measurement:
    """Carry out ``job``, whose paths are the board's, in a fresh process of the agent there."""
    command = f"{shlex.quote(python)} -c {shlex.quote(LAUNCH)} {job.threads}"
    # Not the shell's last command: it must live to turn a signal into an exit code.
    script = (
        f"limit=$(command -v timeout) && limit='timeout {math.ceil(time_limit)}'\n"
        f"$limit {command}\nexit $?"
    )
    try:
        process = board.run(
            script, time_limit=time_limit + GRACE, data=job.model_dump_json().encode()
        )
    except subprocess.TimeoutExpired:
        return failure(job, f"no answer within {time_limit:g} s")
    if process.returncode in TIMED_OUT:
        return failure(job, f"no answer within {time_limit:g} s")
    if process.returncode > 128:
        process.returncode = 128 - process.returncode
    process.stdout = last_line(process.stdout)
    return read_answer(job, process)
