"""Workers of a search on real servers: a database, Optuna's proxy before it, and a kill."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from pipeline.plans import FROM_TEACHER
from pipeline.search.storage import open_storage
from pipeline.search.work_study import FilesPlace, StudyFacts, WorkStudy

PATIENCE = 600.0
FOLDERS = (*os.environ["PATH"].split(":"), *map(str, Path("/usr/lib/postgresql").glob("*/bin")))
PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address of an empty database of a PostgreSQL server of one's own."""
    server = shutil.which("pg_ctl", path=":".join(FOLDERS))
    if server is None or find_spec("psycopg") is None:
        pytest.skip("needs PostgreSQL (apt-get install postgresql) and psycopg[binary]")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        yield from _server(Path(folder), Path(server).resolve().parent)


def _server(folder: Path, binaries: Path) -> Iterator[str]:
    """Start it, give the database's address, stop it."""
    port = free_port()
    as_user: list[str] = []
    if os.getuid() == 0:  # which the server refuses to run as
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        shutil.chown(folder, "postgres")

    def run(name: str, *arguments: str) -> None:
        command = [*as_user, str(binaries / name), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run("initdb", "-D", f"{folder}/data", "-A", "trust", "-U", "lab")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run("pg_ctl", "-w", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "start")
    run("createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "lab", "searches")
    try:
        yield f"postgresql://lab:word@127.0.0.1:{port}/searches"
    finally:
        run("pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")


@contextmanager
def proxy(database: str) -> Iterator[str]:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", PROXY, database, str(port)]) as process:
        try:
            yield f"grpc://127.0.0.1:{port}"
        finally:
            process.kill()


@contextmanager
def pocketgan(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(what: Callable[[], bool], *processes: "subprocess.Popen[str]") -> None:
    limit = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < limit
        for process in processes:
            assert process.poll() in (None, 0), process.communicate()
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("through", ["database", "proxy"])
def test_choice_is_the_same_by_workers_elsewhere_one_of_which_was_killed(
    through: str,
    database: str,
    small_runs: Path,
    small_copy: Path,
    compress_arguments: Callable[[Path], list[str]],
) -> None:
    folder = FROM_TEACHER.folder(small_copy / "small", "search")
    shutil.rmtree(folder)
    arguments = [*compress_arguments(small_copy), "--storage", database]
    storage = open_storage(database)
    for there in storage.get_all_studies():
        storage.delete_study(there._study_id)

    def states() -> list[str]:
        return [
            trial.state.name
            for study in storage.get_all_studies()
            for trial in storage.get_all_trials(study._study_id, deepcopy=False)
        ]

    with ExitStack() as stack:
        address = database if through == "database" else stack.enter_context(proxy(database))
        search = stack.enter_context(pocketgan(*arguments))
        wait_for(lambda: "WAITING" in states(), search)
        first = stack.enter_context(pocketgan("worker", address, "--workers", "1", "--quiet"))
        wait_for(lambda: "RUNNING" in states(), search, first)
        first.send_signal(signal.SIGKILL)
        others = [
            stack.enter_context(pocketgan("worker", address, "--workers", "1", "--quiet"))
            for _ in range(2)
        ]
        wait_for(lambda: search.poll() == 0, search, *others)
        for other in others:
            assert other.wait(PATIENCE) == 0
    assert "FAIL" in states()
    storage._backend.engine.dispose()  # type: ignore[attr-defined]
    before = FROM_TEACHER.folder(small_runs / "small", "search") / "choice.json"
    assert (folder / "choice.json").read_bytes() == before.read_bytes()
    left = [path for path in (small_copy / "small").rglob("*") if path.is_file()]
    assert not [path for path in left if b"lab:word" in path.read_bytes()]


def test_worker_of_other_versions_is_refused_in_one_message(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    address = f"sqlite:///{tmp_path / 'storage.db'}"
    facts = StudyFacts(
        versions={"tensorflow": "1.0"}, files=FilesPlace(url="nowhere", sha256="0" * 64)
    )
    WorkStudy.begin(open_storage(address), "old", address=address, facts=facts)
    code, _, error = ask("worker", address)
    assert code == 2
    assert "the search 'old' is led with tensorflow 1.0, and here is" in error


def test_worker_without_a_search_is_told_what_to_begin(
    tmp_path: Path, ask: Callable[..., tuple[int, str, str]]
) -> None:
    code, _, error = ask("worker", f"sqlite:///{tmp_path / 'typo.db'}")
    assert code == 2
    assert "there is no storage" in error
    open_storage(f"sqlite:///{tmp_path / 'storage.db'}")
    code, _, error = ask("worker", f"sqlite:///{tmp_path / 'storage.db'}")
    assert code == 2
    assert "Begin one first: pocketgan compress … --storage sqlite" in error
