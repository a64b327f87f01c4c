"""The instruction counter: ``counter.c``, a plugin for QEMU's user emulation, and what it says."""

import hashlib
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from deploy import cache_folder
from deploy.agent import COUNTS, EMPTY_BRACKETS
from deploy.errors import PocketganError

SOURCE = Path(__file__).with_name("counter.c")
FLAGS = ("-std=c11", "-O2", "-Wall", "-Wextra", "-shared", "-fPIC", "-fvisibility=hidden")
COMPILER = "apt-get install gcc libc6-dev"


def plugin() -> Path:
    """Where the compiled counter belongs; its name changes with the source."""
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    return cache_folder.cache() / "arm" / f"counter-{digest}.so"


def can_compile() -> bool:
    """Whether the counter is there, or could be."""
    return plugin().is_file() or shutil.which("cc") is not None


def compile_plugin() -> None:
    """Compile the counter, unless it is there.

    Raises:
        PocketganError: there is no C compiler, or it fails.
    """
    wanted = plugin()
    if wanted.is_file():
        return
    wanted.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".counter-", dir=wanted.parent) as aside:
        compiled = Path(aside) / wanted.name
        command = ["cc", *FLAGS, "-o", str(compiled), str(SOURCE)]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise PocketganError("no C compiler (cc) for the counter", COMPILER) from error
        except subprocess.CalledProcessError as error:
            problem = f"the counter does not compile: {error.stderr.strip()[:500]}"
            raise PocketganError(problem, COMPILER) from error
        compiled.rename(wanted)


def options(answer: Path) -> list[str]:
    """QEMU's options that make the compiled counter append its lines to ``answer``."""
    return ["-plugin", f"{_escaped(plugin())},counts={_escaped(answer)}"]


def _escaped(path: Path) -> str:
    return str(path).replace(",", ",,")  # in QEMU's options a comma separates


@cache
def loads_plugins(emulator: str) -> bool:
    """Whether this QEMU was built with plugins: static builds are not."""
    done = subprocess.run([emulator, "-h"], capture_output=True, text=True)
    return "-plugin" in done.stdout


@cache
def emulator_version(emulator: str) -> str:
    """For instance "QEMU 7.2.22"."""
    done = subprocess.run([emulator, "--version"], capture_output=True, text=True)
    words = done.stdout.split()
    return f"QEMU {words[2]}" if len(words) > 2 else "QEMU"


def read_counts(answer: Path, runs: int) -> dict[str, int] | None:
    """What one inference costs, each of the agent's COUNTS; None unless each run was counted.

    ``answer`` holds a line a bracket: EMPTY_BRACKETS around nothing, then ``runs`` around one
    inference each. The figure is the median of these less the median of those.
    """
    try:
        rows = [[int(count) for count in line.split()] for line in answer.read_text().splitlines()]
    except (OSError, ValueError):
        return None
    if runs < 1 or len(rows) != EMPTY_BRACKETS + runs:
        return None
    empty, full = _medians(rows[:EMPTY_BRACKETS]), _medians(rows[EMPTY_BRACKETS:])
    return {name: full[i] - empty[i] for i, name in enumerate(COUNTS)}


def _medians(rows: Sequence[Sequence[int]]) -> list[int]:
    return [statistics.median_low(column) for column in zip(*rows, strict=True)]
