"""Files and folders that appear whole or not at all."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PARTIAL = ".*.partial"
"""Names of what is being written, or was when its process was killed; nobody reads it."""


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A file beside ``path`` to write to; it takes the place of ``path`` if no error is raised.

    Several processes may write the same file: each waits for the one before.
    """
    aside = path.with_name(f".{path.name}.partial")
    with locked(aside):
        try:
            yield aside
            flush(aside)
            os.replace(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        flush(path.parent)


@contextmanager
def exclusive(path: Path, *, wait: bool = True) -> Iterator[None]:
    """One process at a time, of all that ask so for this ``path``; the others wait.

    Raises BlockingIOError where another is at it, unless that is waited for.
    """
    lock = path.with_name(f".{path.name}.lock")
    with locked(lock, wait=wait):
        try:
            yield
        finally:
            lock.unlink()


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """The file at ``path``, new or left by a killed process, is this process's alone.

    Raises BlockingIOError where it is another's, unless that is waited for.
    """
    mode = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    while True:
        with path.open("ab") as file:
            fcntl.flock(file, mode)  # the system lifts the lock of the killed
            if _is_at(file.fileno(), path):  # else whoever had it moved or removed it
                yield
                return


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def clear_partial_files(folder: Path) -> None:
    """Remove what killed processes left of files in ``folder`` and below it, and nothing else."""
    for path in folder.rglob(PARTIAL):
        if path.is_file():
            with suppress(BlockingIOError), locked(path, wait=False):  # it is being written
                path.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a text file that is never seen half-written."""
    with replaced(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a binary file that is never seen half-written."""
    with replaced(path) as aside:
        aside.write_bytes(content)


def replace_folder(partial: Path, final: Path) -> None:
    """Put a finished folder in its place, and only then remove the one that was there."""
    for path in partial.rglob("*"):
        flush(path)
    flush(partial)
    old = _aside_name(final)
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.replace(final, old)
    os.replace(partial, final)
    flush(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def finish_replacing(final: Path) -> None:
    """Clear what a killed ``replace_folder`` left; the old folder is back where no new one is."""
    old = _aside_name(final)
    if old.exists() and not final.exists():
        os.replace(old, final)
    shutil.rmtree(old, ignore_errors=True)


def _aside_name(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def flush(path: Path) -> None:
    """Ask the system to bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
