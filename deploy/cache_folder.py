"""Where things live that are made once for all runs: environments, the ARM sysroot, plugins."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from deploy.home import in_home


def cache() -> Path:
    """The folder for what can be made again: $POCKETGAN_CACHE, or pocketgan in the user's cache."""
    named = os.environ.get("POCKETGAN_CACHE")
    if named:
        return in_home(Path(named)).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return in_home(Path(base)).absolute() / "pocketgan"


@contextmanager
def aside(final: Path) -> Iterator[Path]:
    """An empty folder beside ``final``, to make it in; gone at the end.

    What killed processes left of theirs is removed first: some are of hundreds of megabytes.
    """
    prefix = f".{final.name}-"
    final.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        with _held(final.parent, wait=True):  # else another takes the new one for a rest
            for left in final.parent.glob(f"{prefix}*"):
                with suppress(OSError), _held(left):  # a living process holds its own
                    shutil.rmtree(left, ignore_errors=True)
            folder = Path(tempfile.mkdtemp(prefix=prefix, dir=final.parent))
            stack.enter_context(_held(folder))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


@contextmanager
def _held(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Nobody else holds it meanwhile; the system lets go of what a killed process held.

    Raises OSError where somebody does, unless it is waited for.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)
