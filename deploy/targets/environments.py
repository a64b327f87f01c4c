"""Python environments of their own, for runtimes that cannot live beside pocketgan's packages.

Each is a folder of ``pip``-installed, pinned packages under the cache, there whole or not at all.
"""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from deploy import cache_folder
from deploy.errors import PocketganError
from deploy.targets.steps import run_step

Say = Callable[[str], None]

PROBE = "import sys, venv; print('%d.%d' % sys.version_info[:2])"
PROBE_SECONDS = 20.0
INSTALL_SECONDS = 900.0


@dataclass(frozen=True)
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

    @property
    def folder(self) -> Path:
        return cache_folder.cache() / "environments" / self.name

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def ready(self) -> bool:
        """Whether it is there, with the packages asked for and a Python that still exists."""
        return _read(self.folder / _LIST) == self._list and self.python.exists()

    @property
    def remedy(self) -> str:
        return f"pocketgan targets install {self.name}"

    @property
    def _list(self) -> str:
        return "\n".join(self.packages)

    def install(self, say: Say) -> None:
        """Make the environment aside, then move it into place; nothing is left of a failure.

        Raises:
            PocketganError: no fitting Python, no pip, no network, or no wheel for this machine.
        """
        if self.ready:
            say(f"{self.name}: {', '.join(self.packages)} already in {self.folder}")
            return
        if not any(metadata.distributions(name="pip")):
            problem = f"the environment {self.name} cannot be filled: no pip beside pocketgan"
            raise PocketganError(problem, f"Add it: {sys.executable} -m ensurepip")
        python = find_python(self.pythons)
        parent = self.folder.parent
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{self.name}-", dir=parent) as aside:
            folder = Path(aside) / self.name
            say(f"{self.name}: making an environment with {python}")
            self._run([python, "-I", "-m", "venv", "--without-pip", str(folder)], "cannot be made")
            inside = str(folder / "bin" / "python")
            say(f"{self.name}: installing {', '.join(self.packages)}")
            pip = [sys.executable, "-I", "-m", "pip", "--python", inside, "install"]
            self._run([*pip, *_PIP_OPTIONS, *self.packages], "cannot be filled")
            self._run([inside, "-I", "-c", f"import {self.module}"], "does not work")
            (folder / _LIST).write_text(self._list)
            shutil.rmtree(self.folder, ignore_errors=True)  # of another version, or broken
            folder.rename(self.folder)
        say(f"{self.name}: ready in {self.folder}")

    def _run(self, command: Sequence[str], what: str) -> None:
        run_step(
            command,
            f"the environment {self.name} {what}",
            remedy=f"Is the network there? `{' '.join(command)}` says more. Then try again.",
            time_limit=INSTALL_SECONDS,
        )


_LIST = "packages.txt"
_PIP_OPTIONS = ("--no-input", "--quiet", "--disable-pip-version-check", "--only-binary=:all:")


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
            [python, "-I", "-c", PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None
