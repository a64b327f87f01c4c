"""A board reached by ssh: a Raspberry Pi, or any other Linux machine that has Python.

The OpenSSH client does the talking, so that the user's configuration, keys and known hosts apply.
It may ask nothing (BatchMode): an unknown or changed host key is refused, never accepted here.

One connection serves the whole session. The shell behind it makes a fresh folder on the board and
waits: when the connection closes, in whatever way, it removes the folder. Everything else runs
through the same connection, or through one of its own where sharing is not possible. Each process
of the agent is pinned to the last cores of the board, which are the big ones where cores differ.
"""

import hashlib
import json
import math
import re
import shlex
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import CompletedProcess
from typing import IO

from deploy import agent
from deploy.errors import PocketganError
from deploy.jobs import Job, Measurement, failure
from deploy.targets.installing import (
    INSTALL_SECONDS,
    LITERT,
    TFLITE_RUNTIME,
    fetch_wheels,
    wheel_options,
)
from deploy.targets.target import (
    BOOT_ID,
    GRACE,
    TIMED_OUT,
    Availability,
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
CONNECTION_FAILED = 255  # ssh's own exit code; all others are the remote command's

OPENING_LIMIT = 60.0  # seconds
CLOSING_LIMIT = 10.0
COPYING_LIMIT = 300.0

FOLDER_MARK = "pocketgan-folder "  # a profile may print lines of its own before
HOLD = f"""
umask 077
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM PIPE
echo "{FOLDER_MARK}$folder"
cat > /dev/null
"""

# Runs in the folder, beside agent.py.
LOAD_RUNTIME = """
import agent, json, os, sys
agent.load_runtime()
print(json.dumps([sys.executable, hasattr(os, "sched_setaffinity")]))
"""
FIND_PYTHON = f"""
for python in python3 "$HOME/.cache/pocketgan/venv/bin/python"; do
  "$python" -c {shlex.quote(LOAD_RUNTIME)} && exit
done
exit 1
"""
# Of the Python there: its version, and the kind of wheels that it takes.
DESCRIBE = """
import json, platform, sys
version = "%d.%d" % sys.version_info[:2]
print(json.dumps([version, platform.machine(), platform.libc_ver()[1]]))
"""
# Made aside and renamed: it is there whole or not at all. What was copied into the folder's wheels/
# goes before the board's own way to a package index, which many boards do not have.
INSTALL_RUNTIME = """
mkdir -p "$HOME/.cache/pocketgan" || exit 1
new=$(mktemp -d "$HOME/.cache/pocketgan/new.XXXXXX") || exit 1
trap 'rm -rf "$new"' EXIT
pip="$new/bin/python -m pip install --quiet --only-binary=:all:"
python3 -m venv "$new" &&
{ $pip --no-index --no-deps wheels/*.whl ||
  $pip numpy LITERT || $pip numpy ai-edge-litert ||
  $pip 'numpy<2' tflite-runtime; } &&
rm -rf "$HOME/.cache/pocketgan/venv" && mv "$new" "$HOME/.cache/pocketgan/venv"
"""
# What is fetched for a board; the first that has wheels for it.
WHEELS = ((LITERT, "numpy"), (TFLITE_RUNTIME, "numpy<2"))
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
            try:
                copy(board, Path(agent.__file__).read_bytes(), "agent.py")
                python, pins = prepare_python(board)
                self.machine = boot_id(board) or self.machine
            except subprocess.TimeoutExpired as error:
                problem = f"{self._address} did nothing for {error.timeout:g} s"
                raise TargetLostError(problem, "Is it busy? Try again.") from None
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

    @contextmanager
    def _connected(self) -> Iterator["Board"]:
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


class Board:
    """An open connection, and the folder at its end."""

    def __init__(self, address: str, client: Sequence[str], folder: str) -> None:
        self.address = address
        self._client = client
        self._folder = folder

    def run(self, script: str, *, time_limit: float, data: bytes = b"") -> CompletedProcess[str]:
        """Run a shell script in the folder, with ``data`` on its standard input.

        Raises:
            TargetLostError: the connection is gone.
            subprocess.TimeoutExpired: no end within ``time_limit`` seconds.
        """
        # The folder goes with the first connection. Where the board came back since, ssh makes
        # another one by itself and finds it gone.
        whole = f"cd {shlex.quote(self._folder)} || exit {CONNECTION_FAILED}\n{script}"
        process = subprocess.run(
            [*self._client, f"sh -c {shlex.quote(whole)}"],
            input=data,
            capture_output=True,
            timeout=time_limit,
        )
        said = process.stderr.decode(errors="replace")
        if process.returncode == CONNECTION_FAILED:
            problem = f"the connection to {self.address} was lost: {last_line(said)}"
            raise TargetLostError(problem, "Run the same command again: it does what is left.")
        printed = process.stdout.decode(errors="replace")
        return CompletedProcess(process.args, process.returncode, printed, said)


@contextmanager
def hold(command: Sequence[str], log: IO[bytes]) -> Iterator[str | None]:
    """Open the connection and the folder, and tell the folder's name; both are gone afterwards.

    None when the connection is refused or takes too long.
    """
    with subprocess.Popen(
        [*command, f"sh -c {shlex.quote(HOLD)}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        clock = threading.Timer(OPENING_LIMIT, process.kill)
        clock.start()
        try:
            lines = (line for line in process.stdout if line.startswith(FOLDER_MARK))
            answer = next(lines, None)
            clock.cancel()
            if answer is None:
                process.kill()
                process.wait()
            yield answer and answer.removeprefix(FOLDER_MARK).rstrip("\n")
        finally:
            clock.cancel()
            process.stdin.close()  # the shell over there has waited for this
            with suppress(subprocess.TimeoutExpired):
                process.wait(CLOSING_LIMIT)
            process.kill()


REFUSALS = (
    (
        "IDENTIFICATION HAS CHANGED",
        "its host key is not the one that is known",
        "Was the system there set up anew? Then remove the old key: `ssh {login}` tells how. If "
        "not, somebody may stand between.",
    ),
    (
        "Host key verification failed",
        "its host key is not known yet",
        "Type once `ssh {login}`, and compare the fingerprint with the board's own.",
    ),
    (
        "Permission denied (",
        "it lets nobody in with your keys",
        "Copy your key there: `ssh-copy-id {login}`. A key with a passphrase must be in ssh-agent.",
    ),
)
AWAY = (
    (
        "Connection refused",
        "no ssh server listens there",
        "Start it on the board: `sudo systemctl enable --now ssh`.",
    ),
    (
        "Could not resolve hostname",
        "there is no host of that name",
        "Check the name, or write the board's IP address.",
    ),
)
"""What the client says, what it means, and the remedy; what may pass by itself is in ``AWAY``."""


def explain_refusal(login: str, said: str) -> PocketganError:
    """Why no connection was made to ``login`` (ssh's arguments), from what the client ``said``."""
    for sign, problem, remedy in (*REFUSALS, *AWAY):
        if sign in said:
            kind = PocketganError if (sign, problem, remedy) in REFUSALS else TargetLostError
            problem = f"ssh {login}: {problem} ({last_line(said)})"
            return kind(problem, remedy.format(login=login))
    return TargetLostError(
        f"ssh {login}: {last_line(said)}",
        f"Is the board on? `ssh {login} true` must work first, without a question.",
    )


def copy(board: Board, content: bytes, name: str) -> None:
    """Write ``content`` to the file ``name`` in the board's folder; raise PocketganError if not."""
    there = shlex.quote(name)
    script = f'mkdir -p "$(dirname {there})" && cat > {there}'
    process = board.run(script, time_limit=COPYING_LIMIT, data=content)
    if process.returncode != 0:
        problem = f"{board.address} did not take a file: {last_line(process.stderr)}"
        raise PocketganError(problem, "Make room in its temporary folder.")


def prepare_python(board: Board) -> tuple[str, bool]:
    """A Python there that has numpy and a runtime, installed if need be; whether it can pin.

    Raises:
        PocketganError: there is none, and none could be installed.
    """
    search = board.run(FIND_PYTHON, time_limit=OPENING_LIMIT)
    if search.returncode != 0:
        copy_wheels(board)
        install = INSTALL_RUNTIME.replace("LITERT", LITERT)
        installed = board.run(install, time_limit=INSTALL_SECONDS)
        search = board.run(FIND_PYTHON, time_limit=OPENING_LIMIT)
    if search.returncode != 0:
        reason = last_line(installed.stderr if installed.returncode else search.stderr)
        raise PocketganError(
            f"{board.address} has no Python with a TFLite runtime, and installing failed: {reason}",
            "Run on the board: python3 -m venv ~/.cache/pocketgan/venv && "
            "~/.cache/pocketgan/venv/bin/pip install ai-edge-litert (Debian needs the package "
            "python3-venv).",
        )
    executable, pins = json.loads(last_line(search.stdout))
    return str(executable), bool(pins)


def boot_id(board: Board) -> str:
    """What tells the machine apart from others, whatever its address; empty where it is no Linux.

    Containers of one machine share it, as they share its cores.
    """
    return board.run(f"cat {BOOT_ID}", time_limit=OPENING_LIMIT).stdout.strip()


def copy_wheels(board: Board) -> None:
    """Fetch the wheels of a runtime for the board's Python here, and copy them there.

    Nothing is lost where that fails: the board may still reach a package index itself.
    """
    described = board.run(f"python3 -c {shlex.quote(DESCRIBE)}", time_limit=OPENING_LIMIT)
    if described.returncode != 0:
        return
    version, machine, glibc = json.loads(last_line(described.stdout))
    if not glibc.startswith("2."):  # another C library has wheels of another kind
        return
    selected = wheel_options(version, machine, int(glibc.split(".")[1]))
    for requirements in WHEELS:
        with tempfile.TemporaryDirectory() as here, suppress(PocketganError):
            for wheel in fetch_wheels(requirements, selected, Path(here)):
                copy(board, wheel.read_bytes(), f"wheels/{wheel.name}")
            return


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
