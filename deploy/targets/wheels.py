"""Wheels for another Linux machine, chosen and fetched here."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.errors import PocketganError

OLDEST_GLIBC = 17  # manylinux begins with glibc 2.17 on ARM
FETCHING_LIMIT = 300.0  # seconds


def selection(python: str, architecture: str, glibc_minor: int) -> list[str]:
    """pip's options for wheels that run there: ``python`` "3.11", glibc 2.``glibc_minor``."""
    minors = range(glibc_minor, OLDEST_GLIBC - 1, -1)
    platforms = [f"--platform=manylinux_2_{minor}_{architecture}" for minor in minors]
    return ["--only-binary=:all:", f"--python-version={python}", *platforms]


def fetch(requirements: Sequence[str], selected: Sequence[str], folder: Path) -> list[Path]:
    """Download the wheels of ``requirements``, without what they depend on, to ``folder``.

    Raises:
        PocketganError: pip or the network is missing, or there is no such wheel.
    """
    pip = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input", "--no-deps"]
    command = [*pip, "--disable-pip-version-check", *selected, "--dest", str(folder)]
    try:
        done = subprocess.run(
            [*command, *requirements],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=FETCHING_LIMIT,
        )
    except subprocess.TimeoutExpired as error:
        problem = f"{', '.join(requirements)}: no end after {FETCHING_LIMIT:g} s"
        raise PocketganError(problem, "Is the network slow? Try again.") from error
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        problem = f"{', '.join(requirements)} cannot be fetched: {said[-1]}"
        raise PocketganError(problem, "Is the network there?")
    return sorted(folder.glob("*.whl"))
