"""Worker processes: what they give, what their end becomes, and that none is left behind."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.errors import PocketganError
from pipeline import progress, workers
from pipeline.workers import Piece, Workers, most_workers, refuse_too_many, workers_in_words

PATIENCE = 120.0
PROGRAM = """
import os, signal, sys, time
from functools import partial
from pathlib import Path
from deploy.errors import PocketganError
from pipeline.workers import Piece, Workers

FOLDER = Path(sys.argv[1])


def begin():
    return os.getpid()


def square(pid, number):
    assert pid == os.getpid()
    time.sleep(0.01 * (number % 3))
    return number * number


def wait(_, number):
    (FOLDER / f".{number}").write_text(str(os.getpid()))
    (FOLDER / f".{number}").rename(FOLDER / f"pid-{number}")
    time.sleep(1000)


def die(_, number):
    if number == 2:
        while not all((FOLDER / f"pid-{other}").exists() for other in (0, 1)):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
    wait(_, number)


def refuse(_):
    raise PocketganError("No.", "Yes.")


class Unspeakable(Exception):
    def __init__(self, one, other):
        super().__init__(one)


def fail(_):
    raise Unspeakable("for reasons", 2)


def results(count, function, pieces):
    with Workers(count, threads=3, shared=begin) as workers:
        made = [Piece(f"part {n}", partial(function, number=n)) for n in range(pieces)]
        return list(workers.results(made))


if __name__ == "__main__":
    try:
        WORK
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
"""
ONE = "list(Workers(1, threads=1, shared=begin).__enter__().results([Piece('a part', {})]))"


@pytest.fixture
def start(tmp_path: Path) -> Iterator["Start"]:
    starting = Start(tmp_path)
    yield starting
    starting.end()


class Start:
    """Starts a program that does ``work`` with workers, in a group of processes of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._started: list[subprocess.Popen[str]] = []

    def __call__(self, work: str) -> "subprocess.Popen[str]":
        program = self._folder / "program.py"
        program.write_text(PROGRAM.replace("WORK", work))
        process = subprocess.Popen(
            [sys.executable, str(program), str(self._folder)],
            env={**os.environ, "PYTHONPATH": str(Path(workers.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
            # What a shell starts in the background ignores SIGINT, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self._started.append(process)
        return process

    def pid(self, number: int) -> int:
        """Of the worker that waits in that piece."""
        file, limit = self._folder / f"pid-{number}", time.monotonic() + PATIENCE
        while not file.exists():
            assert time.monotonic() < limit
            time.sleep(0.01)
        return int(file.read_text())

    def end(self) -> None:
        for process in self._started:
            process.kill()
            process.communicate()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out.strip(), err.strip()


def wait_until_gone(pid: int) -> None:
    limit = time.monotonic() + PATIENCE
    while is_running(pid):
        assert time.monotonic() < limit, f"worker {pid} was left behind"
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_do_not_depend_on_how_many_work(count: int, start: Start) -> None:
    code, out, err = ended(start(f"print(sorted(results({count}, square, 7)))"))
    assert (code, err) == (0, "")
    assert out == str([(number, number * number) for number in range(7)])


def test_workers_have_the_threads_that_they_are_given_whatever_the_parent_has() -> None:
    with Workers(1, threads=3, shared=dict) as one:
        ((number, names),) = one.results([Piece("names", _thread_names)])
    assert (number, names) == (0, "3 3 3")
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "2"
    assert os.environ.get("OPENBLAS_NUM_THREADS") != "3"


def _thread_names(_: dict[str, str]) -> str:
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OPENBLAS_NUM_THREADS")
    return " ".join(os.environ[name] for name in names)


@pytest.mark.parametrize("allowed", [0, 1])
def test_work_is_done_by_those_workers_that_the_system_lets_start(
    allowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_one, started = workers._Worker, []

    def limited(*arguments: Any) -> Any:
        if len(started) == allowed:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        started.append(start_one(*arguments))
        return started[-1]

    monkeypatch.setattr(workers, "_Worker", limited)
    with Workers(2, threads=1, shared=dict) as two:
        results = two.results([Piece("names", _thread_names)] * 2)
        if allowed:
            assert sorted(results) == [(0, "1 1 1"), (1, "1 1 1")]
        else:
            with pytest.raises(PocketganError, match="no process could be started"):
                next(results)


def test_worker_that_is_killed_is_one_message_that_names_its_piece_and_the_others_end(
    start: Start,
) -> None:
    process = start("results(3, die, 3)")
    others = [start.pid(number) for number in (0, 1)]
    code, _, err = ended(process)
    assert code == 2
    problem, remedy = err.splitlines()
    assert problem == (
        "PocketganError: part 2: the process that worked on it ended: the system killed it, as it "
        "does where memory runs out."
    )
    assert "the same command goes on from there" in remedy
    assert "--workers 1" in remedy
    for pid in others:
        wait_until_gone(pid)


def test_what_a_piece_raises_is_raised(start: Start) -> None:
    assert ended(start(ONE.format("refuse")))[::2] == (2, "PocketganError: No.\n  Yes.")


def test_error_that_cannot_be_carried_over_comes_as_its_words(start: Start) -> None:
    code, _, err = ended(start(ONE.format("fail")))
    assert code == 2
    assert err.startswith("RuntimeError: ")
    assert "Unspeakable: for reasons" in err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_to_all_ends_all(number: signal.Signals, start: Start) -> None:
    process = start("results(2, wait, 4)")
    pids = [start.pid(0), start.pid(1)]
    os.killpg(process.pid, number)
    code, _, err = ended(process)
    assert code == (130 if number == signal.SIGINT else -number)
    assert err == ""
    for pid in pids:
        wait_until_gone(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_workers_end_with_who_started_them(number: signal.Signals, start: Start) -> None:
    process = start("results(2, wait, 4)")
    pids = [start.pid(0), start.pid(1)]
    process.send_signal(number)
    ended(process)
    for pid in pids:
        wait_until_gone(pid)


def test_who_waits_can_show_a_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "SECONDS_BETWEEN_SIGNS", 0.01)
    signs: list[float] = []
    with Workers(1, threads=1, shared=int) as one:
        list(one.results([Piece("number", float)], signs.append))
    assert len(signs) > 1


def test_bar_of_a_piece_counts_by_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    signs: list[float] = []
    with Workers(1, threads=1, shared=int) as one:
        results = list(one.results([Piece("half", _half_done), Piece("none", float)], signs.append))
    assert results == [(0, 0.0), (1, 0.0)]
    assert {0.25, 0.5} <= {*signs}
    assert signs == sorted(signs)


def _half_done(number: float) -> float:
    progress.SECONDS_BETWEEN_REPORTS = 0
    with progress.bar() as bar:
        task = bar.add_task("working", total=8)
        for _ in range(4):
            bar.advance(task)
            time.sleep(0.01)
    return float(number)


@pytest.mark.parametrize(("available", "most"), [(1 << 29, 1), (1 << 50, None)])
def test_no_more_work_than_cores_and_memory_allow(
    available: int, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text(f"MemAvailable: {available // 1024} kB\n")
    assert most_workers(root=tmp_path) == (most or len(os.sched_getaffinity(0)))
    assert most_workers(threads=1000, root=tmp_path) == 1
    monkeypatch.setattr(workers, "_peak_memory", lambda: available)
    assert most_workers(root=tmp_path) == 1


def test_more_workers_than_there_is_memory_for_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "usable_memory", lambda: 3 << 30)
    refuse_too_many(None)
    refuse_too_many(3)
    with pytest.raises(PocketganError, match=r"--workers 1000: this machine has memory for 3\."):
        refuse_too_many(1000)


def test_how_many_work_is_said_with_the_reason() -> None:
    assert workers_in_words(3) == "workers: 3 at most"
    words = workers_in_words(None)
    assert words.startswith(f"workers: {most_workers()} at most (")
    assert words.endswith("--workers N changes that")
