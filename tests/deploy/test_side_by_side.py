"""Boards side by side: real OpenSSH servers on the loopback address, each as though a machine."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Barrier, Event

import pytest

from deploy import side_by_side
from deploy.harness import MeasuringPlan, measure
from deploy.jobs import Job, Measurement, failure
from deploy.side_by_side import TAKEN_UP_AGAIN
from deploy.targets.target import Availability, Session, Target, TargetLostError
from tests.deploy.ssh_server import Server, needs_sshd, running_server

PLAN = MeasuringPlan(rounds=1, runs=4, warmup=1)
PATIENCE = 60.0
"""Seconds after which what waits for another lane gives up, and the test with it."""
MEET = """
Path({folder!r}, "agent-{number}").touch()
end = time.monotonic() + {patience}
while not Path({folder!r}, "agent-{other}").exists():
    if time.monotonic() > end:
        os._exit(1)  # the other board measures nothing meanwhile
    time.sleep(0.05)
"""


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        folders = [tmp_path / "first", tmp_path / "second"]
        servers = [stack.enter_context(running_server(folder)) for folder in folders]
        for number, server in enumerate(servers):
            server.pretend_to_be(f"board-{number}")
        yield servers


@needs_sshd
def test_agents_of_two_boards_run_at_the_same_time(
    boards: list[Server], float_file: Path, tmp_path: Path
) -> None:
    for number, server in enumerate(boards):
        meet = MEET.format(folder=str(tmp_path), number=number, other=1 - number, patience=PATIENCE)
        server.hook(meet)
    targets = [server.target() for server in boards]
    measurements = measure({"float32": float_file}, targets, plan=PLAN)
    assert [m.error for m in measurements] == [None, None]
    assert [m.target for m in measurements] == [target.name for target in targets]
    assert [target.machine for target in targets] == ["board-0", "board-1"]


@needs_sshd
def test_board_that_vanishes_costs_its_own_rows_only(
    boards: list[Server], float_file: Path, int8_file: Path
) -> None:
    steady, leaving = (server.target() for server in boards)
    leaving.label = "the one that leaves"

    def pull_cable(name: str, done: int, total: int) -> None:
        if name == leaving.label and done == 1:
            boards[1].stop()

    files = {"float32": float_file, "int8": int8_file}
    measurements = measure(files, [leaving, steady], plan=PLAN, on_progress=pull_cable)
    assert [m.label for m in measurements] == ["the one that leaves"] * 2 + [None] * 2
    assert sum(m.error is not None for m in measurements[:2]) == 1
    assert [m.error for m in measurements[2:]] == [None, None]


class Board(Target):
    """A machine of its own that answers with errors, as they need no figures."""

    def __init__(self, name: str) -> None:
        self.name = self.machine = self.real_machine = name
        self.losses = 0
        """How often it is still to be lost."""
        self.before_answer = Event()
        self.before_answer.set()
        self.back = Event()
        self.back.set()
        self.busy: list[str] = []
        """Shared by the boards of one machine: what runs there now."""

    def availability(self) -> Availability:
        return Availability("it stands there", ready=True)

    @contextmanager
    def open(self) -> Iterator[Session]:
        if not self.back.is_set():
            raise TargetLostError(f"{self.name} stays away")
        self.machine = self.real_machine
        yield self.answer

    def answer(self, job: Job, time_limit: float) -> Measurement:
        assert self.before_answer.wait(PATIENCE)
        if self.losses:
            self.losses -= 1
            raise TargetLostError(f"{self.name} went away")
        self.busy.append(self.name)
        time.sleep(0.05)  # long enough for another to begin, if it may
        alone = len(self.busy) == 1
        self.busy.remove(self.name)
        return failure(job, "answered" if alone else "not alone")


def test_board_is_taken_up_again_while_others_work(
    float_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(side_by_side, "RETRY_S", 0.01)
    away, working = Board("away"), Board("working")
    away.back.clear()
    working.before_answer.clear()

    def come_back_when_tried(self: side_by_side.Lanes, seconds: float) -> bool:
        away.back.set()
        return True

    monkeypatch.setattr(side_by_side.Lanes, "wait", come_back_when_tried)

    def release(name: str, done: int, total: int) -> None:
        if name == "away":
            working.before_answer.set()

    measurements = measure({"a": float_file}, [away, working], plan=PLAN, on_progress=release)
    assert [m.error for m in measurements] == ["answered", "answered"]


def test_board_that_stays_away_is_given_up_when_no_other_works(float_file: Path) -> None:
    first, second, working = Board("first"), Board("second"), Board("working")
    first.back.clear()
    second.back.clear()
    measurements = measure({"a": float_file}, [first, second, working], plan=PLAN)
    assert [m.error for m in measurements] == ["first stays away", "second stays away", "answered"]


def test_file_during_which_a_board_is_lost_twice_is_given_up(
    float_file: Path, int8_file: Path
) -> None:
    board = Board("board")
    board.losses = 2
    measurements = measure({"a": float_file, "b": int8_file}, [board], plan=PLAN)
    errors = sorted(str(m.error) for m in measurements)
    assert errors == ["answered", "board went away, 2 times with this file"]


def test_two_addresses_of_one_machine_follow_each_other(float_file: Path, int8_file: Path) -> None:
    one, other = Board("one"), Board("other")
    one.real_machine = other.real_machine = "machine"  # as they tell once they are open
    other.busy = one.busy
    files = {"a": float_file, "b": int8_file}
    measurements = measure(files, [one, other], plan=PLAN)
    assert {m.error for m in measurements} == {"answered"}


@needs_sshd
def test_figures_after_a_loss_say_so(boards: list[Server], float_file: Path) -> None:
    board, _ = boards
    target = board.target()

    def pull_cable(name: str, done: int, total: int) -> None:
        if done == 1:
            board.stop()
            board.start()

    plan = MeasuringPlan(rounds=2, runs=8, warmup=1)
    (measurement,) = measure({"a": float_file}, [target], plan=plan, on_progress=pull_cable)
    assert measurement.error is None
    assert measurement.rounds == 2
    assert TAKEN_UP_AGAIN in measurement.warnings


def test_two_lanes_that_ask_for_a_machine_at_once_are_given_one_lock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SlowlyMade(side_by_side.FairLock):
        def __init__(self) -> None:
            time.sleep(0.1)  # so that the other one asks meanwhile
            super().__init__()

    monkeypatch.setattr(side_by_side, "FairLock", SlowlyMade)
    lanes, start = side_by_side.Lanes(), Barrier(2)

    def ask(_: int) -> side_by_side.FairLock:
        start.wait(PATIENCE)
        return lanes.lock_of("board")

    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(ask, range(2))
    assert one is other
