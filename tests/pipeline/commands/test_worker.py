"""Workers of a search on real servers: a database, Optuna's proxy before it, and a kill."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import pytest

from pipeline.plans import FROM_TEACHER
from pipeline.search.storage import open_storage
from pipeline.search.work_study import FilesPlace, StudyFacts, WorkStudy

PATIENCE = 600.0


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
    proxy: Callable[[str], AbstractContextManager[str]],
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


FIRST_REACHED = """
import sys
from pathlib import Path
from deploy.errors import PocketganError
from pipeline.commands.worker import _read_shared
try:
    _read_shared("sqlite:////nowhere/storage.db", Path())
except PocketganError:
    print("tensorflow" in sys.modules)
"""


def test_process_of_a_worker_reaches_the_storage_before_it_loads_tensorflow() -> None:
    """After it, psycopg's first connection by TLS ends the process: free(): invalid pointer."""
    command = [sys.executable, "-c", FIRST_REACHED]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"
