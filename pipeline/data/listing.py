"""Files of a folder of pictures: which they are, and how people are told of them."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence, Set
from pathlib import Path

from deploy.errors import PocketganError
from pipeline.data import picture

UNREAD = frozenset(
    (
        *(".heic", ".heif", ".svg", ".svgz", ".jxl", ".raw", ".cr2", ".cr3", ".nef", ".arw"),
        *(".dng", ".xcf", ".wmf", ".emf"),
    )
)
"""Endings of pictures that Pillow does not open, in small letters."""
LISTED = 5
"""So many names of each kind of problem are listed in a note."""


def find(folder: Path) -> list[Path]:
    """Files with an ending of an image, in an order that no file system decides.

    Raises PocketganError where there is no folder, or no image in it.
    """
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise PocketganError(f"{folder} {problem}.", "Give a folder of image files.")
    files = _files(folder, picture.endings())
    if not files:
        raise PocketganError(
            ". ".join([f"{folder} holds no image", *unread(folder)]) + ".",
            "Give a folder of image files; their names must end in .png, .jpg, .webp or another"
            " ending that Pillow knows.",
        )
    return files


def unread(folder: Path) -> list[str]:
    """A note that counts the pictures in a folder whose format is not read; none without such."""
    files = _files(folder, UNREAD - picture.endings())
    endings = Counter(path.suffix.lower() for path in files)
    if not endings:
        return []
    kinds = ", ".join(f"{count} {ending}" for ending, count in sorted(endings.items()))
    return [f"formats that are not read: {kinds} (save them as PNG or JPEG)"]


def _files(folder: Path, endings: Set[str]) -> list[Path]:
    """What is not hidden and ends so, in an order that no file system decides."""
    return sorted(
        path for path in _everything(folder) if path.suffix.lower() in endings and path.is_file()
    )


def _everything(folder: Path) -> Iterator[Path]:
    """What is not hidden below a folder, in linked folders too, each of which is read once."""
    root, followed = folder.resolve(), set[Path]()

    def enters(inner: Path) -> bool:
        if not inner.is_symlink():
            return True
        target = inner.resolve()
        if target in followed or target.is_relative_to(root) or root.is_relative_to(target):
            return False
        followed.add(target)
        return True

    for place, folders, files in os.walk(folder, onerror=_withheld, followlinks=True):
        visible = (name for name in sorted(folders) if not name.startswith("."))
        folders[:] = [name for name in visible if enters(Path(place, name))]
        yield from (Path(place, name) for name in files if not name.startswith("."))


def _withheld(error: OSError) -> None:
    """A folder that the system withholds is not empty: its pictures would be missed."""
    raise PocketganError(
        f"{text(str(error.filename))} cannot be read: {error.strerror}.",
        "Make it readable, or give a folder without it.",
    ) from error


def is_hidden(path: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(folder).parts)


def listed(names: Sequence[str], problem: str) -> list[str]:
    """A note that counts what is wrong and lists the first few; none where nothing is wrong."""
    if not names:
        return []
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return [f"{len(names)} {problem}: {'; '.join(names[:LISTED])}{more}"]


def name(path: Path, folder: Path) -> str:
    """The path below ``folder``."""
    return text(path.relative_to(folder).as_posix())


def text(file_name: str) -> str:
    """A file's name in characters that every report takes, whatever bytes it has on the disk."""
    return file_name.encode(errors="replace").decode()
