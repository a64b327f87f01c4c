"""Files and folders that appear whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replaced(path: Path) -> Iterator[Path]:
    """A name beside ``path`` to write to; it takes the place of ``path`` if no error is raised."""
    aside = path.with_name(f".{path.name}.partial")
    try:
        yield aside
        flush(aside)
        os.replace(aside, path)
        flush(path.parent)
    finally:
        aside.unlink(missing_ok=True)


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
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        os.replace(final, old)
    os.replace(partial, final)
    flush(final.parent)
    shutil.rmtree(old, ignore_errors=True)


def flush(path: Path) -> None:
    """Ask the system to bring a file or folder to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
