"""Commands in a child process: what its end becomes, and that it ends with its parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline import guard
from pipeline.cli import COMMANDS

PATIENCE = 60.0
PARENT = """
import sys
from pathlib import Path
from deploy.errors import PocketganError
from pipeline import guard
try:
    sys.exit(guard.run_in_child(sys.argv[1:]))
except PocketganError as error:
    print(error, file=sys.stderr)
    sys.exit(2)
"""
CHILD = """
import os, sys, time
from pathlib import Path
from pipeline import guard
assert guard.is_child()
{work}
"""


@pytest.fixture
def start(tmp_path: Path) -> "Start":
    return Start(tmp_path)


class Start:
    """Starts a guard, whose child does ``work`` in place of the program."""

    def __init__(self, folder: Path) -> None:
        package = folder / "pipeline"
        package.mkdir()
        source = Path(guard.__file__).parent
        (package / "__init__.py").touch()
        (package / "guard.py").write_text((source / "guard.py").read_text())
        self._main, self.folder = package / "__main__.py", folder
        self._environment = {**os.environ, "PYTHONPATH": f"{folder}:{source.parent}"}

    def __call__(self, work: str) -> "subprocess.Popen[str]":
        self._main.write_text(CHILD.format(work=work))
        return subprocess.Popen(
            [sys.executable, "-c", PARENT, "check", "generator.keras"],
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def wait_for(self, name: str) -> str:
        """The content of a file that the child writes."""
        limit = time.monotonic() + PATIENCE
        while not (self.folder / name).exists():
            assert time.monotonic() < limit
            time.sleep(0.01)
        return (self.folder / name).read_text()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, err = process.communicate(timeout=PATIENCE)
    return process.returncode, err.strip()


STEP = 'with guard.step("loaded", "generator.keras", "Save it again."'


def test_child_that_ends_well_gives_its_exit_code_and_what_it_prints(start: Start) -> None:
    process = start(f"{STEP}): print('done')\nsys.exit(3)")
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (3, "done\n", "")


@pytest.mark.parametrize(
    ("number", "words"), [("SEGV", "crashed (SIGSEGV)"), ("KILL", "where memory runs out")]
)
def test_child_that_is_killed_in_a_step_becomes_one_message(
    number: str, words: str, start: Start
) -> None:
    code, err = ended(start(f"{STEP}): os.kill(os.getpid(), {getattr(signal, f'SIG{number}')})"))
    problem, remedy = err.splitlines()
    assert code == 2
    assert problem.startswith("generator.keras: ")
    assert words in problem
    assert problem.endswith("while it was being loaded.")
    assert remedy == "  Save it again."


def test_outer_step_is_the_one_again_when_an_inner_one_ends(start: Start) -> None:
    inner = '    with guard.step("drawn", "inner", "No."): pass\n'
    code, err = ended(start(f"{STEP}):\n{inner}    os.abort()"))
    assert code == 2
    assert "generator.keras: a native library crashed (SIGABRT)" in err


def test_child_that_is_killed_outside_of_steps_names_the_command(start: Start) -> None:
    code, err = ended(start(f"{STEP}): pass\nos.abort()"))
    assert code == 2
    assert err.startswith("pocketgan check ended early")


def test_step_that_takes_too_long_ends_in_one_message(start: Start) -> None:
    code, err = ended(start(f"{STEP}, 0.1): time.sleep(1000)"))
    assert code == 2
    assert err.startswith("generator.keras was being loaded for more than 0 seconds.")


def test_memory_beyond_the_limit_is_an_error_of_the_step_and_not_a_kill(start: Start) -> None:
    work = f"import mmap\nguard.MEMORY = 1e-9\n{STEP}):\n    bytearray(1 << 30)"
    code, err = ended(start(work))
    assert code == 1  # as the child here does not print errors
    assert "PocketganError: generator.keras: memory ran out while it was being loaded" in err


def test_what_a_killed_child_had_started_ends_with_it(start: Start) -> None:
    work = (
        "import subprocess\nchild = subprocess.Popen(['sleep', '300'])\n"
        "Path('pid').write_text(str(child.pid))\nos.kill(os.getpid(), 9)"
    )
    process = start(work)
    assert ended(process)[0] == 2
    assert gone(int(start.wait_for("pid")))


def gone(pid: int) -> bool:
    """Whether a process ends soon, or has ended."""
    limit, stat = time.monotonic() + PATIENCE, Path(f"/proc/{pid}/stat")
    while stat.exists() and " Z " not in stat.read_text():
        if time.monotonic() > limit:
            return False
        time.sleep(0.01)
    return True


def test_own_limit_of_memory_is_not_raised_in_a_step(start: Start) -> None:
    work = (
        "import resource\nlimit = (1 << 30, resource.RLIM_INFINITY)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, limit)\n"
        f"{STEP}): print(resource.getrlimit(resource.RLIMIT_DATA) == limit)"
    )
    out, _ = start(work).communicate(timeout=PATIENCE)
    assert out == "True\n"


def test_child_ends_when_its_parent_is_killed(start: Start) -> None:
    process = start("Path('pid').write_text(str(os.getpid()))\ntime.sleep(1000)")
    start.wait_for("pid")
    time.sleep(0.1)
    child = int(start.wait_for("pid"))
    process.kill()
    process.communicate()
    assert gone(child)


def test_ctrl_c_reaches_the_child_once(start: Start) -> None:
    work = (
        "try:\n    Path('there').touch()\n    time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.2)\n    sys.exit(130)"
    )
    process = start(work)
    start.wait_for("there")
    process.send_signal(signal.SIGINT)
    assert ended(process) == (130, "")


def test_time_in_which_a_person_had_it_suspended_is_none_of_the_step(start: Start) -> None:
    wait = "    while not Path('go').exists(): time.sleep(0.01)"
    process = start(f"{STEP}, 4.0):\n    Path('there').touch()\n{wait}")
    start.wait_for("there")
    process.send_signal(signal.SIGTSTP)
    time.sleep(4.5)
    (start.folder / "go").touch()
    process.send_signal(signal.SIGCONT)
    assert ended(process) == (0, "")


def test_step_without_a_guard_does_nothing() -> None:
    with guard.step("loaded", "generator.keras", "Save it again."):
        pass


def test_guarded_commands_exist() -> None:
    assert set(COMMANDS) > guard.GUARDED
