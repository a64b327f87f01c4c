"""A PostgreSQL server of one's own, for tests and measurements of searches on several machines."""

import os
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from deploy.errors import PocketganError

DATABASE, USER = "searches", "lab"
MISSING = "needs PostgreSQL (apt-get install postgresql) and psycopg[binary]"


def programs() -> Path | None:
    """The folder of the server's programs; None where they, or its driver, are not installed."""
    debian = map(str, Path("/usr/lib/postgresql").glob("*/bin"))
    control = shutil.which("pg_ctl", path=":".join([*os.get_exec_path(), *debian]))
    if control is None or find_spec("psycopg") is None:
        return None
    return Path(control).resolve().parent


@contextmanager
def server() -> Iterator[str]:
    """The address, with a password, of an empty database on a server that ends with the block.

    Raises PocketganError where PostgreSQL is not installed.
    """
    folder_of_programs = programs()
    if folder_of_programs is None:
        raise PocketganError("there is no PostgreSQL here.", f"This {MISSING}.")
    with tempfile.TemporaryDirectory() as folder:
        yield from _serve(Path(folder), folder_of_programs)


def _serve(folder: Path, folder_of_programs: Path) -> Iterator[str]:
    """Start it, give the database's address, stop it."""
    port = free_port()
    as_user: list[str] = []
    if os.getuid() == 0:  # which the server refuses to run as
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres")

    def run(command: str) -> None:
        program, *arguments = shlex.split(command)
        words = [*as_user, str(folder_of_programs / program), *arguments]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run(f"initdb -D data -A trust -U {USER}")
    run(f"pg_ctl start -w -D data -l log -o '-p {port} -k {folder} -h 127.0.0.1'")
    try:
        run(f"createdb -h 127.0.0.1 -p {port} -U {USER} {DATABASE}")
        yield f"postgresql://{USER}:word@127.0.0.1:{port}/{DATABASE}"
    finally:
        run("pg_ctl stop -D data -m immediate")


def free_port() -> int:
    """A port of this machine at which nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
