"""Wheels for another Linux machine, chosen and fetched here."""

import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from deploy.targets.steps import run_step

# The desktop's own version, so that outputs can be compared bit by bit; and its predecessor's last.
LITERT = f"ai-edge-litert=={metadata.version('ai-edge-litert')}"
TFLITE_RUNTIME = "tflite-runtime==2.14.0"

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
    what = ", ".join(requirements)
    run_step(
        [*command, *requirements],
        f"{what} cannot be fetched",
        remedy="Is the network there?",
        time_limit=FETCHING_LIMIT,
    )
    return sorted(folder.glob("*.whl"))
