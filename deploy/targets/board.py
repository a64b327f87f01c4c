"""A connection to a board, through the OpenSSH client, and a fresh folder at its end."""

import shlex
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from subprocess import CompletedProcess
from typing import IO

from deploy.errors import PocketganError
from deploy.targets.target import BOOT_ID, TargetLostError, last_line

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
    for kind, signs in ((PocketganError, REFUSALS), (TargetLostError, AWAY)):
        for sign, problem, remedy in signs:
            if sign in said:
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


def boot_id(board: Board) -> str:
    """What tells the machine apart from others, whatever its address; empty where it is no Linux.

    Containers of one machine share it, as they share its cores.
    """
    return board.run(f"cat {BOOT_ID}", time_limit=OPENING_LIMIT).stdout.strip()
